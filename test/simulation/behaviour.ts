import { object, oneOf, optional, whole, type ValueOf } from './fields.js';

/** Times that are drawn: few, so that many things happen at once. In milliseconds. */
export const TIMES = [0, 1, 5, 10, 20, 50, 100, 200] as const;

/** The hooks that a script can rule. */
export const HOOKS = ['connect', 'keepalive', 'reset', 'close'] as const;
export type Hook = (typeof HOOKS)[number];

/** What a hook, or somebody who listens to its signal, may do to the pool in the middle of it. */
export const CALLS = [
  'acquire',
  'try',
  'use',
  'release',
  'discard',
  'die',
  'ready',
  'recycle',
  'shrink',
  'grow',
  'close',
] as const;
export type Call = (typeof CALLS)[number];

/** What a hook does when it is called. */
export const BEHAVIOUR = object({
  /**
   * `ok`; `fail` rejects; `throw` throws before there is a promise; `hang` never settles; `obey` rejects when its signal
   * is aborted. Of connect alone: `null` yields no connection, `same` yields one that the pool holds or is closing,
   * `back` the object of one that is closed: a client that has connected again.
   */
  outcome: oneOf('ok', 'fail', 'throw', 'hang', 'obey', 'null', 'same', 'back'),
  /** After so many milliseconds; 0: in a promise job; undefined: before the hook returns, and without a promise. */
  after: optional(whole(0, 100_000, TIMES)),
  /** Of connect alone: the connection dies so many milliseconds after it was opened. */
  kick: optional(whole(0, 100_000, TIMES), 1),
  /** Of connect alone: what watching the connection does, by itself, when it ends, or to the pool. */
  watch: optional(oneOf('throws', 'throws', 'dies', 'dies', 'stopThrows', 'stopRejects', ...CALLS), 2),
  /** What it does to the pool first. */
  calls: optional(oneOf(...CALLS), 1),
  /** What is done to the pool as soon as its signal is aborted. */
  whenAborted: optional(oneOf(...CALLS), 1),
});

export type Behaviour = ValueOf<typeof BEHAVIOUR>;

/** Does what it should, after so many milliseconds. */
export function well(after: number | undefined): Behaviour {
  return { outcome: 'ok', after, kick: undefined, watch: undefined, calls: undefined, whenAborted: undefined };
}

/** What a backend that is well does: at once, in a moment, or a little later. */
export const HEALTHY: readonly Behaviour[] = [undefined, 0, 1, 5].map(well);
