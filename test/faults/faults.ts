import { performance } from 'node:perf_hooks';
import { count, fault, milliseconds, text } from './fault.js';
import { merged, pieces, sizeOf, type Packet, type Pass, type Stage } from './way.js';

/**
 * Every fault that a connection can have, by name. A new one is an entry here: its options with their defaults, what
 * happens when it begins, and what becomes of the packets after that. Scripts, error messages and random scripts know it
 * then.
 *
 * There is none that refuses a connection, for whoever listens has accepted it before he is asked: `reset` cuts it off at
 * accept, and a listener that has been taken down ({@link FaultProxy.down}) refuses them all.
 */
export const FAULTS = {
  none: fault('forwards everything as it is', {}),

  silent: fault(
    'is a server that hangs: accepts, reads, and never says a word',
    {},
    { begin: (connection) => connection.isolate(), stage: () => swallow },
  ),

  halfOpen: fault(
    'is a peer that has vanished without a FIN: swallows everything, also FIN and RST, and sends nothing',
    {},
    {
      stage: (_way, _options, connection) => (packet) => {
        // The server believes in the connection as long as the client does.
        if (packet.kind !== 'data') connection.isolate();
      },
    },
  ),

  reset: fault('cuts both sides off with a RST', {}, { begin: (connection) => connection.reset() }),

  fin: fault('sends a FIN to both sides', {}, { begin: (connection) => connection.end() }),

  say: fault(
    'says to the client what nobody asked for',
    { text: text('ERR what?\n') },
    { begin: (connection, { text }) => connection.say(text), corrupts: true },
  ),

  latency: fault(
    'delays everything, by up to `jitter` more at random',
    { delay: milliseconds(20), jitter: milliseconds(0) },
    {
      stage: (way, { delay, jitter }, connection) =>
        way.inTime((_packet, previous, now) => Math.max(previous, now + delay + jitter * connection.random())),
    },
  ),

  rate: fault(
    'is a slow line',
    { bytesPerSecond: count(1_000, 500, 20_000) },
    {
      stage: (way, { bytesPerSecond }) => {
        const perByte = 1_000 / bytesPerSecond;
        const line = way.inTime((packet, previous, now) => Math.max(previous, now) + sizeOf(packet) * perByte);
        // What takes longer than a moment arrives bit by bit.
        return inPieces(Math.ceil(bytesPerSecond / 100), line);
      },
    },
  ),

  stall: fault(
    'holds everything back for a while, as a network that was cut and comes back',
    { for: milliseconds(100, 200) },
    {
      stage: (way, options) => {
        const until = performance.now() + options.for;
        return way.inTime((_packet, previous, now) => Math.max(previous, now, until));
      },
    },
  ),

  split: fault(
    'cuts what is sent into pieces, which arrive one by one',
    { size: count(1, 1, 10), pause: milliseconds(1, 3) },
    {
      stage: (way, { size, pause }) =>
        inPieces(
          size,
          way.inTime((_packet, previous, now) => Math.max(previous + pause, now), true),
        ),
    },
  ),

  merge: fault(
    'collects what is sent for a while, and sends it as one',
    { window: milliseconds(10, 20) },
    {
      stage: (_way, { window }, connection) => {
        const collected: Packet[] = [];
        return (packet, pass) => {
          if (collected.push(packet) > 1) return;
          connection.later(window, () => {
            for (const each of merged(collected.splice(0))) pass(each);
          });
        };
      },
    },
  ),
} as const;

const swallow: Stage = () => {};

function inPieces(size: number, stage: Stage): Stage {
  return (packet: Packet, pass: Pass) => {
    for (const piece of pieces(packet, size)) stage(piece, pass);
  };
}
