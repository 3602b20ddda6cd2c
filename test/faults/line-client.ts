import { EventEmitter, once } from 'node:events';
import { connect as dial, type LookupFunction, type Socket } from 'node:net';
import { connect as dialTls } from 'node:tls';
import { ConnectionError } from '../../src/pool/connection-error.js';

/** Where the server is, and how it is reached. */
export interface Address {
  readonly port: number;
  readonly host: string;
  /** The certificate to trust, if TLS is to be spoken. */
  readonly certificate?: string;
  /** How names are looked up. Default: as the system does. */
  readonly lookup?: LookupFunction;
}

/** A reply to a request that another made: the worst that can happen to who shares connections. */
export class StaleReplyError extends Error {
  override readonly name = 'StaleReplyError';
}

interface Awaited {
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A client of the {@link LineServer}, as simple as most are: whoever waits first gets the line that comes first, and who
 * gives up waiting is forgotten, though his reply is still on its way. So a connection that is lent again while a reply is
 * on its way hands that reply to the next borrower, who finds by its id that it is not his.
 *
 * It is an EventEmitter that tells of its death as sockets do: 'error' if there is one, 'end' if there was a FIN, 'close'.
 */
export class LineClient extends EventEmitter {
  /** The number of its session at the server. */
  session = '';
  /** The replies to other requests that it was handed: none, if the pool does its work. */
  readonly stale: string[] = [];
  /** What it has been told that nobody waited for. */
  private readonly unclaimed: string[] = [];
  private readonly awaited: Awaited[] = [];
  private rest = '';
  private requests = 0;
  private lost: Error | undefined;

  private constructor(readonly socket: Socket) {
    super();
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.receive(text));
    socket.on('error', (error) => {
      this.lose(error);
      this.emit('error', error);
    });
    socket.on('end', () => this.emit('end'));
    socket.on('close', () => {
      this.lose(new ConnectionError('The server closed the connection'));
      this.emit('close');
    });
  }

  /** Dials, shakes hands if there is TLS, awaits the greeting, logs in. A step that fails leaves nothing behind. */
  static async open(address: Address, user: string, signal: AbortSignal): Promise<LineClient> {
    const { certificate, ...rest } = address;
    const where = { ...rest, noDelay: true };
    const socket =
      certificate === undefined ? dial(where) : dialTls({ ...where, ca: certificate, servername: 'localhost' });
    const client = new LineClient(socket);
    const ignore = (): void => {};
    // Until somebody has it who listens himself.
    client.on('error', ignore);
    const giveUp = (): void => void socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', giveUp);
    try {
      if (signal.aborted) throw signal.reason as Error;
      const greeting = await client.readLine();
      if (greeting !== 'HELLO') throw new ConnectionError(`The server greets with "${greeting}"`);
      client.session = await client.request('LOGIN', user);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
    client.off('error', ignore);
    return client;
  }

  /** Whether requests can be made. */
  get isAlive(): boolean {
    return this.lost === undefined;
  }

  /**
   * Makes a request and yields what the server says. Who gives up by the signal gets its reason.
   * @throws StaleReplyError if what came was the reply to another request
   */
  async request(verb: string, text = '', signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    const id = `${this.session}.${++this.requests}`;
    this.socket.write(`${verb} ${id} ${text}\n`);
    const line = await this.readLine(signal);
    const [outcome, repliedTo = '', ...words] = line.split(' ');
    if (repliedTo !== id) throw this.wrongReply(`asked "${verb} ${id} ${text}", and got "${line}"`, repliedTo);
    const said = words.join(' ');
    if (outcome !== 'OK') throw new ConnectionError(`The server says: ${said}`);
    return said;
  }

  /** Parts politely: the server is to finish first. */
  async end(): Promise<void> {
    this.socket.end();
    if (!this.socket.closed) await once(this.socket, 'close');
  }

  destroy(): void {
    this.socket.destroy();
  }

  private wrongReply(what: string, repliedTo: string): Error {
    if (!repliedTo.startsWith(`${this.session}.`)) return new ConnectionError(`The server talks nonsense: ${what}`);
    this.stale.push(what);
    return new StaleReplyError(what);
  }

  private readLine(signal?: AbortSignal): Promise<string> {
    const line = this.unclaimed.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.lost !== undefined) return Promise.reject(this.lost);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.awaited.splice(this.awaited.indexOf(waiting), 1);
        reject(signal?.reason as Error);
      };
      const settled = (): void => signal?.removeEventListener('abort', giveUp);
      const waiting = {
        resolve: (line: string) => (settled(), resolve(line)),
        reject: (error: Error) => (settled(), reject(error)),
      };
      this.awaited.push(waiting);
      signal?.addEventListener('abort', giveUp);
    });
  }

  private receive(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    for (const line of lines) {
      const first = this.awaited.shift();
      if (first === undefined) this.unclaimed.push(line);
      else first.resolve(line);
    }
  }

  private lose(error: Error): void {
    this.lost ??= error;
    for (const each of this.awaited.splice(0)) each.reject(this.lost);
  }
}
