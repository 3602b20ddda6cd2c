import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RunningSample } from './running-sample.js';

interface Report {
  retries: Record<string, number>;
  connections: { open: number; opened: number; lost: number };
}

describe('sample 06-dynamodb-table', () => {
  let sample: RunningSample;

  beforeAll(async () => {
    sample = await RunningSample.start('06-dynamodb-table');
  }, 30_000);

  afterAll(async () => {
    await sample.stop();
  });

  async function take(seat: number, guest: string): Promise<number> {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${sample.url}/seats/${seat}`, {
      method: 'PUT',
      headers,
      body: `{"guest":"${guest}"}`,
    });
    await response.text();
    return response.status;
  }

  const report = (): Promise<Report> => sample.get<Report>('/report');

  it('a seat that somebody else has costs neither a retry nor a connection', async () => {
    expect(await take(12, 'ann')).toBe(200);
    expect(await Promise.all(Array.from({ length: 10 }, () => take(12, 'bob')))).toEqual(Array(10).fill(409));
    expect(await take(12, 'ann')).toBe(200);
    expect(await sample.get('/seats')).toEqual([{ seat: '12', guest: 'ann' }]);
    expect(await report()).toEqual({ retries: {}, connections: { open: 5, opened: 5, lost: 0 } });
  }, 30_000);

  it('a table that is throttled is asked again, on connections that are kept', async () => {
    await fetch(`${sample.url}/throttle`, { method: 'POST' });
    expect(await Promise.all([21, 22, 23].map((seat) => take(seat, 'ann')))).toEqual([200, 200, 200]);
    expect(await report()).toEqual({
      retries: { ProvisionedThroughputExceededException: 5 },
      connections: { open: 5, opened: 5, lost: 0 },
    });
  }, 30_000);

  it('a write whose answer is lost is made again on another connection, and the seat is still the guest’s own', async () => {
    await fetch(`${sample.url}/lose-answers`, { method: 'POST' });
    expect(await Promise.all([31, 32, 33].map((seat) => take(seat, 'ann')))).toEqual([200, 200, 200]);
    await sample.until(async () => (await report()).connections.open === 5);
    expect(await report()).toEqual({
      retries: { ProvisionedThroughputExceededException: 5, ConnectionError: 5 },
      connections: { open: 5, opened: 10, lost: 5 },
    });
    const seats = await sample.get<Array<{ seat: string; guest: string }>>('/seats');
    expect(seats.map(({ seat }) => seat).toSorted()).toEqual(['12', '21', '22', '23', '31', '32', '33']);
    expect(new Set(seats.map(({ guest }) => guest))).toEqual(new Set(['ann']));
  }, 30_000);
});
