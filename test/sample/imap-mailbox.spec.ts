import { describe, expect, it } from '@jest/globals';
import type { PoolStats } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { dovecot } from '../servers/dovecot.js';
import { RunningSample } from './running-sample.js';

const UNREAD = { INBOX: 2, Orders: 3, Lists: 1 };

whereInstalled(dovecot(), describe)('sample 05-imap-mailbox', () => {
  async function post(sample: RunningSample, path: string): Promise<number> {
    const { status } = await fetch(sample.url + path, { method: 'POST' });
    return status;
  }

  it('counts what is unread in all mailboxes, and marks it as read', async () => {
    const sample = await RunningSample.start('05-imap-mailbox');
    try {
      expect(await sample.get('/unread')).toEqual(UNREAD);
      const subjects = ['Two pounds of tea', 'A pound of coffee', 'Where is my tea?'];
      expect(await sample.get('/mailboxes/Orders/unread')).toEqual(subjects);
      expect(await post(sample, '/mailboxes/Orders/read')).toBe(204);
      expect(await sample.get('/mailboxes/Orders/unread')).toEqual([]);
      expect(await sample.get('/unread')).toEqual({ ...UNREAD, Orders: 0 });
      expect(await sample.get('/mailboxes/Nothing/unread')).toMatchObject({ statusCode: 404 });
      expect((await sample.get<PoolStats>('/pool')).totals.closed.broken).toBe(0);
    } finally {
      expect(await sample.stop()).toEqual([0, null]);
    }
  }, 60_000);

  it('fails no request while the server ends all sessions', async () => {
    const sample = await RunningSample.start('05-imap-mailbox');
    try {
      await sample.until(async () => (await sample.get<PoolStats>('/pool')).open === 3);
      const answers = new Set<string>();
      let isOver = false;
      const caller = async (): Promise<void> => {
        while (!isOver) answers.add(JSON.stringify(await sample.get('/unread')));
      };
      const callers = Promise.all(Array.from({ length: 5 }, caller));
      expect(await post(sample, '/kick')).toBe(202);
      await sample.until(async () => {
        const { open, totals } = await sample.get<PoolStats>('/pool');
        return totals.closed.broken >= 3 && open === 3;
      });
      isOver = true;
      await callers;
      expect([...answers].map((answer): unknown => JSON.parse(answer))).toEqual([UNREAD]);
    } finally {
      await sample.stop();
    }
  }, 60_000);
});
