import { describe, expect, test } from '@jest/globals';
import { Happenings } from '../../src/dashboard/happenings.js';

describe('what happened', () => {
  test('is told once, and kept for who comes later', () => {
    const happenings = new Happenings();
    happenings.add(1_000, 'lost', 'mail', '1 connection lost');
    const told = { id: 1, at: 1_000, kind: 'lost', subject: 'mail', text: '1 connection lost' };
    expect(happenings.take()).toEqual([told]);
    expect(happenings.take()).toEqual([]);
    expect(happenings.all).toEqual([told]);
  });

  test('is kept as far as the page shows it, whether it was told or not', () => {
    const happenings = new Happenings();
    for (let at = 1; at <= 1_000; at++) happenings.add(at, 'retry', 'fetchMail', '1 retry');
    const ids = happenings.all.map(({ id }) => id);
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([200, 801, 1_000]);
    expect(happenings.take().map(({ id }) => id)).toEqual(ids);
  });

  test('has of a leak the calls next to it', () => {
    const happenings = new Happenings();
    const stack = Array.from({ length: 50 }, (_, line) => `    at call${line}`).join('\n');
    happenings.add(1, 'leak', 'mail', 'a lease has been held for 5 s', stack);
    const calls = happenings.all[0]!.stack!.split('\n');
    expect([calls.length, calls[0]]).toEqual([12, '    at call0']);
  });
});
