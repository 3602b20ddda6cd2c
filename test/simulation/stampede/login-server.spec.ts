import { describe, expect, test } from '@jest/globals';
import { VirtualClock } from '../../../src/testing/index.js';
import { LoginServer, type Session } from './login-server.js';

const OPTIONS = { desks: 2, loginTime: 20, refusalTime: 1 };

function serverOn(clock: VirtualClock) {
  const server = new LoginServer(clock, OPTIONS);
  const log: string[] = [];
  /** Logs in, and notes when that succeeded or failed. */
  const logIn = (name: string, signal = new AbortController().signal): Promise<Session | void> =>
    server.connect(signal).then(
      (session) => {
        log.push(`${name} in at ${clock.now()}`);
        return session;
      },
      (error: unknown) => void log.push(`${name} out at ${clock.now()}: ${(error as Error).message}`),
    );
  return { server, log, logIn };
}

describe('the backend of the stampede', () => {
  test('works on as many logins as it has desks; the others wait in the order in which they came', async () => {
    const clock = new VirtualClock();
    const { server, log, logIn } = serverOn(clock);
    for (const name of 'abcde') void logIn(name);
    await clock.advance(60);
    expect(log).toEqual(['a in at 20', 'b in at 20', 'c in at 40', 'd in at 40', 'e in at 60']);
    expect(server.open).toBe(5);
  });

  test('refuses while it is down, whoever is being logged in included, and ends every session in one instant', async () => {
    const clock = new VirtualClock();
    const { server, log, logIn } = serverOn(clock);
    const session = logIn('a');
    await clock.advance(20);
    ((await session) as Session).on('close', () => log.push(`a closed at ${clock.now()}`));
    for (const name of 'bcd') void logIn(name);
    await clock.advance(10);
    server.die();
    void logIn('e');
    await clock.advance(100);
    const reset = 'at 30: read ECONNRESET';
    const rejected = [`b out ${reset}`, `c out ${reset}`, `d out ${reset}`];
    expect(log).toEqual(['a in at 20', 'a closed at 30', ...rejected, 'e out at 31: connect ECONNREFUSED']);
    server.rise();
    void logIn('f');
    await clock.advance(20);
    expect([log.at(-1), server.open]).toEqual(['f in at 150', 1]);
  });

  test('whoever gives up in the queue costs it nothing, whoever gives up at a desk the whole login', async () => {
    const clock = new VirtualClock();
    const { server, log, logIn } = serverOn(clock);
    const [atDesk, inQueue] = [new AbortController(), new AbortController()];
    void logIn('a', atDesk.signal);
    void logIn('b');
    void logIn('c', inQueue.signal);
    void logIn('d');
    await clock.advance(10);
    atDesk.abort(new Error('enough'));
    inQueue.abort(new Error('enough'));
    await clock.advance(30);
    expect(log).toEqual(['a out at 10: enough', 'c out at 10: enough', 'b in at 20', 'd in at 40']);
    expect(server.open).toBe(2);
  });

  test('forgets who logs out', async () => {
    const clock = new VirtualClock();
    const { server, logIn } = serverOn(clock);
    const session = logIn('a');
    await clock.advance(20);
    server.logOut((await session) as Session);
    expect(server.open).toBe(0);
  });
});
