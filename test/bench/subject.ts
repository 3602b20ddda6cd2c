import type { Pooled } from './connection.js';

/**
 * A pool under measurement, in the verbs that all pools have. Each is measured in a process of its own, where it is the
 * only one that these verbs lead to, so that they cost it nothing.
 */
export interface Subject<C extends Pooled = Pooled, Handle = unknown> {
  acquire(): PromiseLike<Handle>;
  /** With a time-out, or with a signal, of the call's own; undefined where the pool has no such thing. */
  readonly acquireWithin?: (milliseconds: number) => PromiseLike<Handle>;
  readonly acquireUnless?: (signal: AbortSignal) => PromiseLike<Handle>;
  connectionOf(handle: Handle): C;
  release(handle: Handle): void;
  /** Closes the connection; the pool opens another, now or when it is asked. */
  discard(handle: Handle): void;
  /** Borrows for a piece of work; for a pool that has no such verb, what its users write instead. */
  use(work: (connection: C) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export interface SubjectConfig<C extends Pooled> {
  readonly size: number;
  readonly connect: () => Promise<C>;
  /** Milliseconds for every caller, where the pool can be told so; default: what the pool does by itself. */
  readonly acquireTimeout?: number;
  /** How many connections may be opening at once, where the pool limits that. */
  readonly maxConnecting?: number;
}

export type MakeSubject = <C extends Pooled>(config: SubjectConfig<C>) => Subject<C>;

/** For pools without use(): the connection goes back whatever becomes of the work. */
export function useOf<C extends Pooled, Handle>(
  subject: Pick<Subject<C, Handle>, 'acquire' | 'connectionOf' | 'release'>,
): (work: (connection: C) => Promise<void>) => Promise<void> {
  return async (work) => {
    const handle = await subject.acquire();
    try {
      await work(subject.connectionOf(handle));
    } finally {
      subject.release(handle);
    }
  };
}
