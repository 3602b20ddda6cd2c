import { describe, expect, it } from '@jest/globals';
import { RunningSample } from './running-sample.js';

type Report = Record<string, { open: number; lost: number; pings: number }>;

describe('sample 03-keepalive', () => {
  it('loses idle connections without keepalive and with that of TCP, and none with that of the application', async () => {
    const sample = await RunningSample.start('03-keepalive');
    try {
      const report = (): Promise<Report> => sample.get<Report>('/report');
      await sample.until(async () => {
        const { 'no keepalive': none, 'TCP keepalive': tcp } = await report();
        return none!.lost >= 6 && tcp!.lost >= 6;
      });
      const { 'application keepalive': pinging } = await report();
      expect(pinging).toMatchObject({ open: 3, lost: 0 });
      expect(pinging!.pings).toBeGreaterThanOrEqual(6);
    } finally {
      await sample.stop();
    }
  }, 30_000);
});
