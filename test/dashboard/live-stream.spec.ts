import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { LiveStream } from '../../src/dashboard/live-stream.js';
import type { Sampler } from '../../src/dashboard/sampler.js';
import { VirtualClock } from '../../src/testing/index.js';

/** A response whose client takes what it is sent when the test says so. */
class FakeResponse extends EventEmitter {
  readonly written: string[] = [];
  status = 200;
  isFull = false;
  ended = false;
  destroyed = false;

  write(text: string): boolean {
    this.written.push(text);
    return !this.isFull;
  }

  writeHead(status: number): this {
    this.status = status;
    return this;
  }

  end(text?: string): void {
    if (text !== undefined) this.written.push(text);
    this.ended = true;
    this.emit('close');
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  /** The kinds of the messages so far. */
  get events(): string[] {
    return this.written.map((text) => /^event: (\w+)\n/.exec(text)![1]!);
  }

  /** The client has taken everything. */
  drain(): void {
    this.isFull = false;
    this.emit('drain');
  }
}

/** A sampler that looks when the test says so. */
class FakeSampler {
  starts = 0;
  snapshots = 0;
  isRunning = false;
  look: ((frame: unknown) => void) | undefined;

  start(look: (frame: unknown) => void): void {
    if (this.isRunning) return;
    this.starts++;
    this.isRunning = true;
    this.look = look;
  }

  stop(): void {
    this.isRunning = false;
  }

  snapshot(): object {
    this.snapshots++;
    return { all: true };
  }

  tick(): void {
    this.look!({ pools: [] });
  }
}

const SNAPSHOT = 'event: snapshot\ndata: {"all":true}\n\n';

const LIFETIME = 300_000;

const LINGER = 10_000;

/** @param random what the clock draws */
function bench(random = 0) {
  const clock = new VirtualClock({ random: () => random });
  const sampler = new FakeSampler();
  const stream = new LiveStream(sampler as unknown as Sampler, clock, LIFETIME);
  const attach = (): FakeResponse => {
    const response = new FakeResponse();
    stream.attach(response as unknown as ServerResponse);
    return response;
  };
  return { clock, sampler, stream, attach };
}

describe('the stream', () => {
  test('sends a page everything when it comes, and then what changes, as server-sent events', () => {
    const { sampler, attach } = bench();
    const page = attach();
    sampler.tick();
    expect(page.written).toEqual([SNAPSHOT, 'event: frame\ndata: {"pools":[]}\n\n']);
  });

  test('has one sampler for all, from the first page until some seconds after the last', async () => {
    const { clock, sampler, attach } = bench();
    expect(sampler.starts).toBe(0);
    const [one, other] = [attach(), attach()];
    expect(sampler.starts).toBe(1);
    one.emit('close');
    expect(sampler.isRunning).toBe(true);
    sampler.tick();
    expect(one.events).toEqual(['snapshot']);
    expect(other.events).toEqual(['snapshot', 'frame']);
    other.emit('close');
    await clock.advance(LINGER - 1);
    sampler.tick();
    expect(sampler.isRunning).toBe(true);
    await clock.advance(1);
    expect(sampler.isRunning).toBe(false);
    expect(clock.pending).toBe(0);
    attach();
    expect(sampler.starts).toBe(2);
  });

  test('keeps what there is for a page that is loaded again, and does not stop while that is open', async () => {
    const { clock, sampler, attach } = bench();
    attach().emit('close');
    await clock.advance(LINGER - 1);
    const again = attach();
    await clock.advance(LINGER);
    expect([sampler.starts, sampler.isRunning]).toEqual([1, true]);
    again.emit('close');
    await clock.advance(LINGER);
    expect(sampler.isRunning).toBe(false);
  });

  test('keeps no process alive by going on for some seconds', () => {
    const { clock, attach } = bench();
    attach().emit('close');
    expect([clock.pending, clock.holding]).toEqual([1, 0]);
  });

  test.each([
    [0, LIFETIME],
    [0.5, LIFETIME * 0.9],
  ])('ends each stream after its time, less a part by lot (%d), and has the page open another', async (lot, life) => {
    const { clock, sampler, attach } = bench(lot);
    const page = attach();
    await clock.advance(life - 1);
    const late = attach();
    sampler.tick();
    expect(page.ended).toBe(false);
    await clock.advance(1);
    sampler.tick();
    expect(page.events).toEqual(['snapshot', 'frame', 'renew']);
    expect(page.ended).toBe(true);
    expect([late.events, late.ended]).toEqual([['snapshot', 'frame', 'frame'], false]);
    sampler.tick();
    expect(page.written).toHaveLength(3);
  });

  test('goes on looking while its only page opens another stream', async () => {
    const { clock, sampler, attach } = bench();
    attach();
    await clock.advance(LIFETIME);
    sampler.tick();
    sampler.tick();
    expect(attach().events).toEqual(['snapshot']);
    await clock.advance(LINGER);
    expect([sampler.starts, sampler.isRunning]).toEqual([1, true]);
  });

  test('tells a page whose time is over so when it has caught up, and nothing else', async () => {
    const { clock, sampler, attach } = bench();
    const slow = attach();
    await clock.advance(LIFETIME - 1_000);
    slow.isFull = true;
    sampler.tick();
    await clock.advance(1_000);
    sampler.tick();
    expect([slow.ended, slow.destroyed]).toEqual([false, false]);
    slow.drain();
    sampler.tick();
    expect(slow.events).toEqual(['snapshot', 'frame', 'renew']);
    expect(slow.ended).toBe(true);
  });

  test('writes how things stand once between two looks, however many pages need it', () => {
    const { sampler, attach } = bench();
    const pages = [attach(), attach(), attach()];
    expect(sampler.snapshots).toBe(1);
    for (const page of pages) page.isFull = true;
    sampler.tick();
    sampler.tick();
    expect(sampler.snapshots).toBe(1);
    for (const page of pages) page.drain();
    sampler.tick();
    pages.push(attach());
    expect(sampler.snapshots).toBe(2);
    for (const page of pages) expect(page.written.at(-1)).toBe(SNAPSHOT);
  });

  test('does not show who comes later how things stood before it stopped looking', async () => {
    const { clock, sampler, attach } = bench();
    attach().emit('close');
    await clock.advance(LINGER);
    attach();
    expect(sampler.snapshots).toBe(2);
  });

  test('writes nothing to a page that is slow, and tells it how things stand once it has caught up', () => {
    const { sampler, attach } = bench();
    const [slow, quick] = [attach(), attach()];
    slow.isFull = true;
    sampler.tick();
    expect(slow.events).toEqual(['snapshot', 'frame']);
    for (let look = 0; look < 20; look++) sampler.tick();
    expect(slow.written).toHaveLength(2);
    expect(quick.written).toHaveLength(22);
    slow.drain();
    sampler.tick();
    sampler.tick();
    expect(slow.events).toEqual(['snapshot', 'frame', 'snapshot', 'frame']);
  });

  test('sends a page that is too slow for the first message nothing until it has taken that', () => {
    const { sampler, stream } = bench();
    const slow = new FakeResponse();
    slow.isFull = true;
    stream.attach(slow as unknown as ServerResponse);
    sampler.tick();
    sampler.tick();
    expect(slow.events).toEqual(['snapshot']);
  });

  test('lets a page go that has taken nothing for a minute, though its socket says nothing, however often it looks', async () => {
    for (const interval of [100, 20_000]) {
      const { clock, sampler, attach } = bench();
      const dead = attach();
      dead.isFull = true;
      sampler.tick();
      const looks = 60_000 / interval;
      for (let look = 1; look < looks; look++) {
        await clock.advance(interval);
        sampler.tick();
      }
      expect([interval, dead.destroyed]).toEqual([interval, false]);
      await clock.advance(interval);
      sampler.tick();
      expect([interval, dead.destroyed]).toEqual([interval, true]);
      expect(dead.written).toHaveLength(2);
    }
  });

  test('is as patient again with a page that has caught up', async () => {
    const { clock, sampler, attach } = bench();
    const slow = attach();
    for (let round = 0; round < 4; round++) {
      slow.isFull = true;
      sampler.tick();
      await clock.advance(50_000);
      sampler.tick();
      slow.drain();
      sampler.tick();
    }
    expect(slow.destroyed).toBe(false);
  });

  test('survives an error of a socket', () => {
    const { sampler, attach } = bench();
    const page = attach();
    page.emit('error', new Error('EPIPE'));
    page.emit('close');
    sampler.tick();
    expect(page.events).toEqual(['snapshot']);
  });

  test('ends with the application: politely for who listens, at once for who does not, and never begins again', () => {
    const { clock, sampler, stream, attach } = bench();
    const [page, slow] = [attach(), attach()];
    slow.isFull = true;
    sampler.tick();
    stream.beforeApplicationShutdown();
    expect([page.ended, page.destroyed]).toEqual([true, false]);
    expect([slow.ended, slow.destroyed]).toEqual([false, true]);
    expect(sampler.isRunning).toBe(false);
    expect(clock.pending).toBe(0);
    const late = attach();
    expect([late.status, late.ended, late.written]).toEqual([503, true, []]);
    expect(sampler.isRunning).toBe(false);
  });

  test('ends with the application at once when its last page has just gone', () => {
    const { clock, sampler, stream, attach } = bench();
    attach().emit('close');
    expect(clock.pending).toBe(1);
    stream.beforeApplicationShutdown();
    expect([clock.pending, sampler.isRunning]).toEqual([0, false]);
  });
});
