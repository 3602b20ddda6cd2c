import { describe, expect, jest, test } from '@jest/globals';
import { opening } from '../../../src/factories/client/opening.js';

const REASON = new Error('no longer wanted');

function later<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}

describe('opening a connection', () => {
  test('yields what was opened, and cuts nothing', async () => {
    const cut = jest.fn();
    await expect(opening(new AbortController().signal, () => Promise.resolve(7), cut)).resolves.toBe(7);
    expect(cut).not.toHaveBeenCalled();
  });

  test('is not begun if nobody wants it any more', async () => {
    const [open, cut] = [jest.fn<() => Promise<number>>(), jest.fn()];
    await expect(opening(AbortSignal.abort(REASON), open, cut)).rejects.toBe(REASON);
    expect(open).not.toHaveBeenCalled();
    expect(cut).toHaveBeenCalledWith(REASON);
  });

  test('given up, it rejects at once, though the client never settles what is cut off', async () => {
    const cut = jest.fn();
    const controller = new AbortController();
    const opened = opening(controller.signal, () => new Promise(() => {}), cut);
    controller.abort(REASON);
    await expect(opened).rejects.toBe(REASON);
    expect(cut.mock.calls).toEqual([[REASON]]);
  });

  test('given up for a reason that is no error, what is cut off gets an error all the same', async () => {
    const cut = jest.fn();
    const controller = new AbortController();
    const opened = opening(controller.signal, () => new Promise(() => {}), cut);
    controller.abort('no longer wanted');
    await expect(opened).rejects.toBe('no longer wanted');
    expect(cut.mock.calls).toEqual([[REASON]]);
  });

  test('what is opened after it was given up is cut off too', async () => {
    const cut = jest.fn();
    const controller = new AbortController();
    const { promise, resolve } = later<number>();
    const opened = opening(controller.signal, () => promise, cut);
    controller.abort(REASON);
    resolve(7);
    await expect(opened).rejects.toBe(REASON);
    await promise;
    expect(cut).toHaveBeenCalledTimes(2);
  });

  test('what failed half-way is cut off, and the failure comes out', async () => {
    const cut = jest.fn();
    const failure = new Error('wrong password');
    const opened = opening(new AbortController().signal, () => Promise.reject(failure), cut);
    await expect(opened).rejects.toBe(failure);
    expect(cut.mock.calls).toEqual([[failure]]);
  });

  test('once it is open, the signal means nothing any more', async () => {
    const cut = jest.fn();
    const controller = new AbortController();
    await opening(controller.signal, () => Promise.resolve(7), cut);
    controller.abort(REASON);
    expect(cut).not.toHaveBeenCalled();
  });

  test('what throws instead of rejecting is cut off as well, and heeds the signal no more', async () => {
    const cut = jest.fn();
    const controller = new AbortController();
    const failure = new Error('no such host');
    const opened = opening(
      controller.signal,
      () => {
        throw failure;
      },
      cut,
    );
    await expect(opened).rejects.toBe(failure);
    controller.abort(REASON);
    expect(cut.mock.calls).toEqual([[failure]]);
  });

  test('what cannot even be cut off keeps nobody waiting', async () => {
    const controller = new AbortController();
    const cut = (): void => {
      throw new Error('there is nothing to cut off');
    };
    const opened = opening(controller.signal, () => new Promise(() => {}), cut);
    controller.abort(REASON);
    await expect(opened).rejects.toBe(REASON);
  });
});
