import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { generate } from 'selfsigned';
import { listen, listenOn, LOOPBACK } from './loopback.js';

export interface LineServerOptions {
  /** Whether it talks TLS from the first byte on. Default: false. */
  readonly tls?: boolean;
  /** More sessions than this are turned away, as databases do. Default: Infinity. */
  readonly maxSessions?: number;
  /** A session that says nothing for so long is dropped, in milliseconds. Default: never. */
  readonly idleLimit?: number;
}

/** Somebody who has logged in. */
export interface Session {
  readonly id: number;
  readonly user: string;
  /** What the session was told to remember: a transaction that is open, a mailbox that is selected. */
  state: string;
  /** How many requests it has answered. */
  answered: number;
  readonly socket: Socket;
}

/**
 * A server that answers line by line, in the order of the requests. Each request has an id that its reply repeats, so
 * that a reply to another request is known for what it is.
 *
 *     (on connecting)    ← HELLO
 *     LOGIN 1 ann        ← OK 1 <session>          or ERR 1 too many connections, and the end
 *     PING 2             ← OK 2 pong
 *     ECHO 3 text        ← OK 3 text
 *     SLOW 4 50          ← OK 4 50                 50 ms later; what comes after it waits
 *     SET 5 text         ← OK 5 text               the session remembers it
 *     GET 6              ← OK 6 text
 *     RESET 7            ← OK 7                    and forgets it
 */
export class LineServer {
  readonly host = LOOPBACK;
  port = 0;
  /** Every session that there is, in order of login. */
  readonly sessions: Session[] = [];
  /** Requests that have arrived, answered or not. */
  requests = 0;
  /** How many have ever logged in. */
  logins = 0;
  maxSessions: number;
  idleLimit: number;
  private listener: Server | undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(
    options: LineServerOptions,
    private readonly pem: Pem | undefined,
  ) {
    this.maxSessions = options.maxSessions ?? Infinity;
    this.idleLimit = options.idleLimit ?? 0;
  }

  static async launch(options: LineServerOptions = {}): Promise<LineServer> {
    const server = new LineServer(options, options.tls === true ? await pemOf() : undefined);
    server.listener = server.makeListener();
    server.port = await listen(server.listener);
    return server;
  }

  /** The certificate that clients are to trust; undefined where there is no TLS. */
  get certificate(): string | undefined {
    return this.pem?.cert;
  }

  /** How many sockets it has, those included that have not logged in. */
  get connections(): number {
    return this.sockets.size;
  }

  /** Dies: nobody listens any more, and every connection is cut. */
  stop(): void {
    this.listener?.close();
    this.listener = undefined;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Comes back, on the same port and knowing nobody. */
  async start(): Promise<void> {
    if (this.listener !== undefined) return;
    this.listener = this.makeListener();
    if (!(await listenOn(this.listener, this.port))) throw new Error(`somebody else has taken port ${this.port}`);
  }

  /** Stops for good. Resolves when no socket is left. */
  async close(): Promise<void> {
    const closed = [...this.sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    this.stop();
    await Promise.all(closed);
  }

  private makeListener(): Server {
    const serve = (socket: Socket): void => this.serve(socket);
    const options = { noDelay: true };
    const listener =
      this.pem === undefined
        ? createServer(options, serve)
        : createTlsServer({ ...options, key: this.pem.private, cert: this.pem.cert }, serve);
    // With TLS, that is the socket below it, which is there before the handshake.
    listener.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
    });
    return listener;
  }

  private serve(socket: Socket): void {
    const visit = new Visit(this, socket);
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) visit.take(line);
    });
    socket.on('close', () => visit.end());
    if (this.idleLimit > 0) socket.setTimeout(this.idleLimit, () => socket.end());
    socket.write('HELLO\n');
  }
}

/** One client at the server, before and after he has logged in. */
class Visit {
  private session: Session | undefined;
  private readonly waiting: string[] = [];
  private busy: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: LineServer,
    private readonly socket: Socket,
  ) {}

  take(line: string): void {
    this.server.requests++;
    this.waiting.push(line);
    if (this.busy === undefined) this.work();
  }

  end(): void {
    clearTimeout(this.busy);
    const { sessions } = this.server;
    if (this.session !== undefined) sessions.splice(sessions.indexOf(this.session), 1);
  }

  private work(): void {
    for (let line = this.waiting.shift(); line !== undefined; line = this.waiting.shift()) {
      const [verb = '', id = '', ...words] = line.split(' ');
      if (verb === 'SLOW' && this.session !== undefined) {
        this.busy = setTimeout(() => {
          this.busy = undefined;
          this.reply(id, words.join(' '));
          this.work();
        }, Number(words[0]));
        return;
      }
      if (verb === 'LOGIN') this.logIn(id, words.join(' '));
      else if (this.session === undefined) this.refuse(id, 'log in first');
      else this.answer(this.session, verb, id, words.join(' '));
    }
  }

  private logIn(id: string, user: string): void {
    const { server, socket } = this;
    if (server.sessions.length >= server.maxSessions) {
      this.refuse(id, 'too many connections');
      return;
    }
    this.session = { id: ++server.logins, user, state: '', answered: 0, socket };
    server.sessions.push(this.session);
    this.reply(id, String(this.session.id));
  }

  private answer(session: Session, verb: string, id: string, text: string): void {
    if (verb === 'SET') session.state = text;
    if (verb === 'RESET') session.state = '';
    const said = { PING: 'pong', ECHO: text, SET: text, GET: session.state, RESET: '' }[verb];
    if (said === undefined) this.refuse(id, `what is ${verb}?`);
    else this.reply(id, said);
  }

  private reply(id: string, text: string): void {
    if (this.session !== undefined) this.session.answered++;
    if (!this.socket.destroyed) this.socket.write(`OK ${id} ${text}\n`);
  }

  /** Nobody who was refused may stay. */
  private refuse(id: string, why: string): void {
    this.socket.end(`ERR ${id} ${why}\n`);
  }
}

type Pem = Awaited<ReturnType<typeof generate>>;

let pem: Promise<Pem> | undefined;

/** Made once a process: it takes a while. */
function pemOf(): Promise<Pem> {
  pem ??= generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  return pem;
}
