import { Injectable } from '@nestjs/common';
import { Retryable } from '../../../src/index.js';

/** The bare service's method, retried when it fails; it never does. */
@Retryable()
@Injectable()
export class RetryableService {
  async read(number: number): Promise<number> {
    return number;
  }
}
