import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ConnectionPool, isConnectionError, type ConnectionFactory, type PoolSettings } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { withPem } from '../servers/pem.js';
import { PrivateServer } from '../servers/private-server.js';
import type { ServerKind } from '../servers/server-kind.js';
import { establishedTo, heldTo } from '../servers/sockets.js';
import { pause, until } from '../until.js';
import { pem } from './line-service.js';

/** A factory, and its service as it is where nobody gets in without TLS. */
export interface SecureSubject<C> {
  readonly name: string;
  /** It finds its certificate, which is one for localhost, in its folder: cert.pem and key.pem. */
  readonly kind: ServerKind;
  /** Once the server is there. */
  prepare?(server: PrivateServer): Promise<unknown>;
  /** A factory of connections to this port of this host, which trusts this authority, or those that everybody does. */
  factory(port: number, host: string, ca?: string): ConnectionFactory<C>;
  /** A piece of work that succeeds on a connection that is well. */
  serve(connection: C): Promise<unknown>;
  /** One that does not end by itself within ten seconds. */
  dawdle(connection: C): Promise<unknown>;
}

const SIZE = 2;

/** What depends on the socket, which is another one with TLS; all else the factory keeps as it does without, which `conformance` tries. */
export function overTls<C>(subject: SecureSubject<C>): void {
  jest.setTimeout(60_000);

  const kind = withPem(subject.kind, pem);

  whereInstalled(kind, describe)(`${subject.name} against ${kind.name}`, () => {
    let server: PrivateServer;
    let pool: ConnectionPool<C> | undefined;

    beforeAll(async () => {
      server = await PrivateServer.start(kind);
      await subject.prepare?.(server);
    }, 60_000);

    afterAll(() => server?.stop());

    afterEach(async () => {
      server.resume();
      await pool?.close({ timeout: 0 });
    });

    async function open(settings: PoolSettings = {}): Promise<ConnectionPool<C>> {
      const factory = subject.factory(server.port, 'localhost', pem.cert);
      const opened = new ConnectionPool(factory, { name: 'secure', size: SIZE, logger: SILENT, ...settings });
      pool = opened;
      opened.start();
      await until(
        () => opened.stats().idle === SIZE,
        () => `full; last connect error: ${String(opened.stats().lastConnectError)}`,
      );
      return opened;
    }

    const nothingIsLeft = (): Promise<void> => until(() => heldTo(server.port) === 0, 'no socket is left');

    test('connects, serves, and leaves nothing behind', async () => {
      const secure = await open();
      await Promise.all(Array.from({ length: SIZE }, () => secure.use(subject.serve)));
      expect(establishedTo(server.port)).toBe(SIZE);
      await secure.close();
      expect(secure.stats().totals.closed).toMatchObject({ shutdown: SIZE, broken: 0 });
      await nothingIsLeft();
    });

    test.each([
      ['that nobody vouches for', 'localhost', undefined, /self-signed certificate/],
      ['for somebody else', '127.0.0.1', pem.cert, /does not match certificate's altnames/],
    ])('a certificate %s: a clear error, and no socket', async (_, host, ca, complaint) => {
      const stranger = subject.factory(server.port, host, ca);
      const { signal } = new AbortController();
      const connecting = Promise.resolve(stranger.connect({ pool: 'secure', attempt: 1, signal }));
      await expect(connecting).rejects.toThrow(complaint);
      await nothingIsLeft();
    });

    test('cuts off, while the server stands still, what does not part in time', async () => {
      const secure = await open({ closeTimeout: 200 });
      server.pause();
      await secure.close();
      expect(secure.stats()).toMatchObject({ open: 0, closing: 0 });
      // A moment later, for below TLS is another socket.
      await nothingIsLeft();
    });

    // The last one: nobody starts the server again.
    test('notices that the server is killed, idle or at work', async () => {
      const secure = await open({ siblingsOnBreak: 'keep' });
      const failed = secure.use(subject.dawdle).catch((error: unknown) => error);
      await pause(50);
      await server.kill();
      await until(() => secure.stats().totals.closed.broken === SIZE, 'both are lost');
      expect(isConnectionError(await failed)).toBe(true);
      expect(secure.stats()).toMatchObject({ open: 0, downSince: expect.any(Number) });
    });
  });
}

const SILENT = { log: (): void => {}, warn: (): void => {}, error: (): void => {} };
