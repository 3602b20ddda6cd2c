import { describe, expect, test } from '@jest/globals';
import { ConfiguredConnectionFactory } from '../../../src/factories/client/configured-connection-factory.js';

interface Options {
  readonly password: string;
}

/** Its connections say with what they were opened. */
class TellingFactory extends ConfiguredConnectionFactory<{ with: string }, Options> {
  protected open({ password }: Options): Promise<{ with: string }> {
    return Promise.resolve({ with: password });
  }
}

function context(signal = new AbortController().signal) {
  return { pool: 'test', attempt: 1, signal };
}

describe('options', () => {
  test('may be given as they are', async () => {
    const factory = new TellingFactory({ password: 'secret' });
    expect(await factory.connect(context())).toEqual({ with: 'secret' });
  });

  test('may be told by a function, which is asked anew for each connection', async () => {
    let count = 0;
    const factory = new TellingFactory(() => Promise.resolve({ password: `secret ${++count}` }));
    expect(await factory.connect(context())).toEqual({ with: 'secret 1' });
    expect(await factory.connect(context())).toEqual({ with: 'secret 2' });
  });

  test('that cannot be told fail the connect', async () => {
    const failure = new Error('the vault is closed');
    await expect(new TellingFactory(() => Promise.reject(failure)).connect(context())).rejects.toBe(failure);
  });

  test('are not asked for, and nothing is opened with them, if the connection is not wanted any more', async () => {
    const reason = new Error('given up');
    let asked = 0;
    const controller = new AbortController();
    const factory = new TellingFactory(() => {
      asked++;
      controller.abort(reason);
      return { password: 'secret' };
    });
    await expect(factory.connect(context(controller.signal))).rejects.toBe(reason);
    expect(asked).toBe(1);
    await expect(factory.connect(context(controller.signal))).rejects.toBe(reason);
    expect(asked).toBe(1);
  });
});
