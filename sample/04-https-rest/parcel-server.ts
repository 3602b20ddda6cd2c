import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { OnApplicationShutdown } from '@nestjs/common';
import { generate } from 'selfsigned';

/** What the server saw of those who ask in one way. */
interface Seen {
  /** Answered as they wished. */
  served: number;
  /** Told to come back later. */
  refused: number;
  /** Came back earlier than they were told to. */
  early: number;
}

/** What a request was told that is to come back. */
interface Refusal {
  readonly statusCode: 429 | 503;
  /** When it may come back, in milliseconds since 1970. */
  readonly until: number;
}

/**
 * A REST service on HTTPS that is often too busy: of three requests it answers one at once, one with 429 and seconds to
 * wait, and one with 503 and the time when it is worth asking again. It knows a request that comes back by its
 * `x-request-id`, and keeps a record of who comes back too early.
 */
export class ParcelServer implements OnApplicationShutdown {
  readonly seen: Record<string, Seen> = {};
  handshakes = 0;
  private readonly refusals = new Map<string, Refusal>();
  private requests = 0;
  readonly certificate: string;
  private readonly server: Server;

  private constructor({ cert, private: key }: { readonly cert: string; readonly private: string }) {
    this.certificate = cert;
    this.server = createServer({ key, cert, keepAliveTimeout: 10_000 }, (request, response) =>
      this.answer(request, response),
    );
    this.server.on('secureConnection', () => this.handshakes++);
  }

  static async launch(): Promise<ParcelServer> {
    const extensions = [{ name: 'subjectAltName' as const, altNames: [{ type: 2 as const, value: 'localhost' }] }];
    const parcels = new ParcelServer(await generate([{ name: 'commonName', value: 'localhost' }], { extensions }));
    parcels.server.listen(0, '127.0.0.1');
    await once(parcels.server, 'listening');
    return parcels;
  }

  get origin(): string {
    return `https://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  onApplicationShutdown(): void {
    this.server.close();
  }

  private answer({ method, url, headers }: IncomingMessage, response: ServerResponse): void {
    // What pools ping with.
    if (method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    const id = String(headers['x-request-id']);
    const seen = (this.seen[String(headers['x-way'])] ??= { served: 0, refused: 0, early: 0 });
    const known = this.refusals.get(id);
    const refusal = known ?? this.maybeRefuse();
    if (refusal !== undefined && Date.now() < refusal.until) {
      this.refusals.set(id, refusal);
      seen.refused++;
      if (known !== undefined) seen.early++;
      response.writeHead(refusal.statusCode, { 'retry-after': retryAfter(refusal) }).end();
      return;
    }
    this.refusals.delete(id);
    seen.served++;
    response.writeHead(method === 'POST' ? 201 : 200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ parcel: url?.split('/').at(-1), state: method === 'POST' ? 'booked' : 'on its way' }),
    );
  }

  private maybeRefuse(): Refusal | undefined {
    const turn = this.requests++ % 3;
    if (turn === 1) return { statusCode: 429, until: Date.now() + 1_000 };
    // A date in a header has no fractions of a second.
    if (turn === 2) return { statusCode: 503, until: Math.ceil(Date.now() / 1_000 + 0.5) * 1_000 };
    return undefined;
  }
}

/** Either form that the header may have. */
function retryAfter({ statusCode, until }: Refusal): string {
  if (statusCode === 503) return new Date(until).toUTCString();
  return String(Math.ceil((until - Date.now()) / 1_000));
}
