import { Injectable } from '@nestjs/common';
import { ConnectionError, InjectPool, Retryable, type PoolOf } from 'nestjs-connection-pool';
import { asTold, BusyError, readRetryAfter } from './busy.error.js';
import { ParcelsApi } from './parcels.api.js';

export interface Parcel {
  readonly parcel: string;
  readonly state: string;
}

@Injectable()
export class ParcelsService {
  constructor(@InjectPool(ParcelsApi) private readonly pool: PoolOf<typeof ParcelsApi>) {}

  /** May be asked twice: it is retried when the service is busy, and when the connection breaks. */
  @Retryable({ retryOn: [ConnectionError, BusyError], backoff: asTold, maxRetries: 5, retryLogLevel: 'debug' })
  track(parcel: string, requestId: string): Promise<Parcel> {
    return this.ask('GET', `/parcels/${parcel}`, requestId, 'as told');
  }

  /** Must not be done twice: it is retried when the service was too busy to do it, and for nothing else. */
  @Retryable({ retryOn: [BusyError], backoff: asTold, maxRetries: 5, retryLogLevel: 'debug' })
  book(parcel: string, requestId: string): Promise<Parcel> {
    return this.ask('POST', `/parcels/${parcel}`, requestId, 'as told');
  }

  /** As one would do it without looking at the header. */
  @Retryable({ retryOn: [ConnectionError, BusyError], maxRetries: 20, maxDelay: 500, retryLogLevel: 'debug' })
  trackImpatiently(parcel: string, requestId: string): Promise<Parcel> {
    return this.ask('GET', `/parcels/${parcel}`, requestId, 'impatient');
  }

  private ask(method: 'GET' | 'POST', path: string, requestId: string, way: string): Promise<Parcel> {
    // The connection is given back before a pause, not held during it.
    return this.pool.use(async (client) => {
      const headers = { 'x-request-id': requestId, 'x-way': way };
      const { statusCode, headers: answered, body } = await client.request({ method, path, headers });
      // Read to its end, whatever it is.
      const text = await body.text();
      if (statusCode === 429 || statusCode === 503) {
        const { 'retry-after': retryAfter } = answered;
        throw new BusyError(statusCode, readRetryAfter(retryAfter?.toString()));
      }
      if (statusCode >= 400) throw new Error(`${method} ${path}: ${statusCode} ${text}`);
      return JSON.parse(text) as Parcel;
    });
  }
}
