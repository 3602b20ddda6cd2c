import { EventEmitter } from 'node:events';

/**
 * What the simulated backend opens: anything may be a connection. By itself it does nothing; what is known of it stands in
 * its account.
 */
export type SimulatedConnection = number | { readonly id: number };

export function idOf(connection: SimulatedConnection): number {
  return typeof connection === 'number' ? connection : connection.id;
}

/** Tells of its death by events. */
export class TellingConnection extends EventEmitter {
  constructor(readonly id: number) {
    super();
  }
}

/** Looks like a socket, which can tell by itself whether it can be lent. */
export class StreamConnection extends TellingConnection {
  destroyed = false;
  readable = true;
  writable = true;
  readableLength = 0;
  bytesRead = 0;

  read(): void {}

  destroy(): void {}

  /** Bytes come, which nobody reads. */
  receive(): void {
    this.bytesRead++;
    this.readableLength++;
  }

  /** It is well again, and all is read. */
  revive(): void {
    this.writable = true;
    this.readableLength = 0;
  }
}

/** What a connection is: an object, a function that has an id, or a mere number. */
export type Kind = 'object' | 'function' | 'number' | 'stream';

export function makeConnection(id: number, kind: Kind, tells: boolean): SimulatedConnection {
  if (kind === 'stream') return new StreamConnection(id);
  if (tells) return new TellingConnection(id);
  if (kind === 'number') return id;
  return kind === 'function' ? Object.assign(() => {}, { id }) : { id };
}
