import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { LOOPBACK } from './loopback.js';

/** Listens, says where, and blocks its thread until it is told to go: nobody is there to accept. */
const LISTENER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '${LOOPBACK}', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(workerData, 0, 0);
    server.close();
  });
`;

/** How long a connect on loopback takes at most, if anybody answers at all; in milliseconds. */
const AT_ONCE = 100;

/**
 * A port from which no answer comes, as from behind a firewall that drops packets: connects neither succeed nor fail. It
 * is one whose queue of connections not yet accepted is full for good, so that the system drops whatever else arrives.
 */
export class BlackHole {
  readonly host = LOOPBACK;

  private constructor(
    readonly port: number,
    private readonly worker: Worker,
    private readonly flag: Int32Array,
    private readonly fillers: readonly Socket[],
  ) {}

  static async open(): Promise<BlackHole> {
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(LISTENER, { eval: true, workerData: flag });
    const port = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    const fillers: Socket[] = [];
    let isFull = false;
    while (!isFull) {
      const socket = connect({ port, host: LOOPBACK }).on('error', () => {});
      fillers.push(socket);
      isFull = await new Promise<boolean>((resolve) => {
        // Looked at once more when what has arrived meanwhile was handled: it may be this process that was slow.
        const timer = setTimeout(() => setImmediate(() => resolve(socket.connecting)), AT_ONCE);
        socket.once('connect', () => {
          clearTimeout(timer);
          resolve(false);
        });
      });
    }
    return new BlackHole(port, worker, flag, fillers);
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.worker.once('exit', resolve));
    for (const socket of this.fillers) socket.destroy();
    Atomics.store(this.flag, 0, 1);
    Atomics.notify(this.flag, 0);
    await gone;
  }
}
