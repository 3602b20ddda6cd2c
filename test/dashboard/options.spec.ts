import { describe, expect, test } from '@jest/globals';
import { PoolSettingsError } from '../../src/pool/errors.js';
import { ConnectionPoolDashboardModule } from '../../src/dashboard/dashboard.js';
import { readOptions } from '../../src/dashboard/dashboard-options.js';
import { errorOf, pathsOf } from '../module/applications.js';

const mount = (options?: unknown) => errorOf(() => ConnectionPoolDashboardModule.forRoot(options as object));

class Guard {
  canActivate(): boolean {
    return true;
  }
}

describe('the options of the dashboard', () => {
  test.each([[undefined], [{}], [{ guards: [] }], [{ guards: [], unguarded: false }]])(
    'refuse to mount it for everybody unless told to: %j',
    (options) => {
      const error = mount(options);
      expect(error).toBeInstanceOf(PoolSettingsError);
      expect(pathsOf(error)).toEqual(['guards']);
      expect(error.message).toContain('unguarded: true');
    },
  );

  test('refuse guards along with unguarded', () => {
    expect(pathsOf(mount({ guards: [Guard], unguarded: true }))).toEqual(['unguarded']);
  });

  test.each([
    ['guards', { guards: [undefined] }],
    ['guards', { guards: Guard }],
    ['guards', { guards: [{}] }],
    ['guards', { guards: [null] }],
    ['path', { path: '', unguarded: true }],
    ['path', { path: 7, unguarded: true }],
    ['imports', { imports: {}, unguarded: true }],
    ['unguarded', { unguarded: 'yes' }],
    ['interval', { interval: 99, unguarded: true }],
    ['interval', { interval: '2m', unguarded: true }],
    ['interval', { interval: 'often', unguarded: true }],
    ['streamLifetime', { streamLifetime: 999, unguarded: true }],
    ['streamLifetime', { streamLifetime: true, unguarded: true }],
    ['pth', { pth: 'pools', unguarded: true }],
    ['options', null],
  ])('refuse a wrong %s: %j', (path, options) => {
    expect(pathsOf(mount(options))).toEqual([path]);
  });

  test('take guards as classes and as instances', () => {
    for (const guard of [Guard, new Guard()]) {
      const { controllers } = ConnectionPoolDashboardModule.forRoot({ guards: [guard], interval: '1s' });
      expect(Reflect.getMetadata('__guards__', controllers![0]!)).toEqual([guard]);
    }
  });

  test.each([
    [undefined, 300_000],
    ['1s', 1_000],
    [3_600_000, 3_600_000],
    [false as const, Infinity],
  ])('take %j as the longest that a stream goes on', (streamLifetime, milliseconds) => {
    expect(readOptions({ unguarded: true, streamLifetime }).streamLifetime).toBe(milliseconds);
  });
});
