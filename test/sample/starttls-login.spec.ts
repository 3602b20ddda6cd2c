import { describe, expect, it } from '@jest/globals';
import { RunningSample } from './running-sample.js';

interface Statistics {
  open: number;
  lastConnectError: string | null;
}

describe('sample 02-starttls-login', () => {
  it('asks over connections that were upgraded to TLS and logged in', async () => {
    const sample = await RunningSample.start('02-starttls-login');
    try {
      expect(await sample.get('/messages')).toEqual({ messages: 3 });
      await sample.until(async () => (await sample.get<Statistics>('/pool')).open === 4);
      expect(await sample.get('/pool')).toEqual({ open: 4, lastConnectError: null });
    } finally {
      await sample.stop();
    }
  }, 30_000);

  it('says which step of opening fails when the password is wrong, once', async () => {
    const sample = await RunningSample.start('02-starttls-login', { MAIL_PASSWORD: 'guess' });
    try {
      const response = await fetch(`${sample.url}/messages`);
      expect(response.status).toBe(503);
      expect(await response.text()).toContain('The backend is down');
      expect(await sample.get('/pool')).toEqual({
        open: 0,
        lastConnectError: 'logging in failed: the server says "535 wrong user or password"',
      });
      const told = sample.output.match(/cannot connect, and goes on trying: logging in failed: the server says "535/g);
      expect(told).toHaveLength(1);
    } finally {
      await sample.stop();
    }
  }, 30_000);
});
