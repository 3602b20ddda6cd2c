import { afterEach, expect, jest, test } from '@jest/globals';
import { ConnectionError, retry } from '../../../src/index.js';

afterEach(() => {
  jest.useRealTimers();
});

test('tries again after a second', async () => {
  jest.useFakeTimers();
  const work = jest.fn(async () => 'done').mockRejectedValueOnce(new ConnectionError('cut off'));
  const result = retry(work, { delay: '1s', jitter: 'none' });
  await jest.advanceTimersByTimeAsync(999);
  expect(work).toHaveBeenCalledTimes(1);
  await jest.advanceTimersByTimeAsync(1);
  expect(await result).toBe('done');
});
