import type { IncomingMessage } from 'node:http';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';

/** Any page that is open in a browser on this machine could post here, for a form needs no leave. Curl sends neither header. */
@Injectable()
export class NotFromOtherSites implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
    const { origin, host, 'sec-fetch-site': site } = headers;
    return (origin === undefined || origin === `http://${host}`) && (site === undefined || site === 'same-origin');
  }
}
