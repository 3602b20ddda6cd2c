import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RunningSample } from './running-sample.js';

interface Seen {
  served: number;
  refused: number;
  early: number;
}

interface Report {
  'as told': Seen;
  impatient: Seen;
  connections: { open: number; requests: number; lost: number };
  handshakes: number;
}

describe('sample 04-https-rest', () => {
  let sample: RunningSample;

  beforeAll(async () => {
    sample = await RunningSample.start('04-https-rest');
  }, 30_000);

  afterAll(async () => {
    await sample.stop();
  });

  async function post(path: string): Promise<unknown> {
    const response = await fetch(sample.url + path, { method: 'POST' });
    return response.json();
  }

  it('tracks and books parcels, also those that the service refuses at first', async () => {
    expect(await sample.get('/parcels/7')).toEqual({ parcel: '7', state: 'on its way' });
    const started = performance.now();
    expect(await post('/parcels/8')).toEqual({ parcel: '8', state: 'booked' });
    // It was told to wait for a second.
    expect(performance.now() - started).toBeGreaterThan(950);
    expect(await sample.get('/report')).toMatchObject({ 'as told': { served: 2, refused: 1, early: 0 } });
  }, 30_000);

  it('comes back when the service says so, not earlier, on connections that were open before the first request', async () => {
    const report = (await post('/rush')) as Report;
    const { 'as told': told, impatient, connections, handshakes } = report;
    // Two thirds are refused, each of them once.
    expect(told).toMatchObject({ served: 32, early: 0 });
    expect(told.refused).toBeGreaterThanOrEqual(15);
    expect(told.refused).toBeLessThan(told.served);
    expect(impatient.served).toBe(30);
    expect(impatient.early).toBeGreaterThan(impatient.served);
    expect(impatient.refused).toBeGreaterThan(2 * told.refused);
    expect(connections).toMatchObject({ open: 5, lost: 0 });
    expect(connections.requests).toBe(told.served + told.refused + impatient.served + impatient.refused);
    expect(handshakes).toBe(5);
  }, 60_000);
});
