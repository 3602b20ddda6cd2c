import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { LiveStream } from '../../src/dashboard/live-stream.js';
import type { Sampler } from '../../src/dashboard/sampler.js';

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

  end(): void {
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
  isRunning = false;
  look: ((frame: unknown) => void) | undefined;

  start(look: (frame: unknown) => void): void {
    this.starts++;
    this.isRunning = true;
    this.look = look;
  }

  stop(): void {
    this.isRunning = false;
  }

  snapshot(): object {
    return { all: true };
  }

  tick(): void {
    this.look!({ pools: [] });
  }
}

function bench() {
  const sampler = new FakeSampler();
  const stream = new LiveStream(sampler as unknown as Sampler);
  const attach = (): FakeResponse => {
    const response = new FakeResponse();
    stream.attach(response as unknown as ServerResponse);
    return response;
  };
  return { sampler, stream, attach };
}

describe('the stream', () => {
  test('sends a page everything when it comes, and then what changes, as server-sent events', () => {
    const { sampler, attach } = bench();
    const page = attach();
    sampler.tick();
    expect(page.written).toEqual(['event: snapshot\ndata: {"all":true}\n\n', 'event: frame\ndata: {"pools":[]}\n\n']);
  });

  test('has one sampler for all, from the first page to the last', () => {
    const { sampler, attach } = bench();
    expect(sampler.starts).toBe(0);
    const [one, other] = [attach(), attach()];
    expect(sampler.starts).toBe(1);
    one.emit('close');
    expect(sampler.isRunning).toBe(true);
    sampler.tick();
    expect(one.events).toEqual(['snapshot']);
    expect(other.events).toEqual(['snapshot', 'frame']);
    other.emit('close');
    expect(sampler.isRunning).toBe(false);
    attach();
    expect(sampler.starts).toBe(2);
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

  test('lets a page go that takes nothing any more, though its socket says nothing', () => {
    const { sampler, attach } = bench();
    const dead = attach();
    dead.isFull = true;
    for (let look = 0; look < 60; look++) sampler.tick();
    expect(dead.destroyed).toBe(false);
    sampler.tick();
    expect(dead.destroyed).toBe(true);
    expect(dead.written).toHaveLength(2);
    expect(sampler.isRunning).toBe(false);
  });

  test('counts anew for a page that has caught up', () => {
    const { sampler, attach } = bench();
    const slow = attach();
    for (let round = 0; round < 5; round++) {
      slow.isFull = true;
      for (let look = 0; look < 50; look++) sampler.tick();
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
    expect(sampler.isRunning).toBe(false);
  });

  test('ends with the application: politely for who listens, at once for who does not, and never begins again', () => {
    const { sampler, stream, attach } = bench();
    const [page, slow] = [attach(), attach()];
    slow.isFull = true;
    sampler.tick();
    stream.beforeApplicationShutdown();
    expect([page.ended, page.destroyed]).toEqual([true, false]);
    expect([slow.ended, slow.destroyed]).toEqual([false, true]);
    expect(sampler.isRunning).toBe(false);
    const late = attach();
    expect([late.status, late.ended, late.written]).toEqual([503, true, []]);
    expect(sampler.isRunning).toBe(false);
  });
});
