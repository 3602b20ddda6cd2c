import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PoolStats } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { postgres } from '../servers/postgres.js';
import { RunningSample } from './running-sample.js';

const TEA = { customer: 'ann', item: 'tea', amount: 2 };

whereInstalled(postgres(), describe)('sample 07-postgres-orders', () => {
  it('places orders once, takes money once, and forgets what a careless borrower left', async () => {
    const sample = await RunningSample.start('07-postgres-orders');
    const request = async (method: string, path: string, body?: object): Promise<unknown> => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(sample.url + path, { method, headers, body: JSON.stringify(body) });
      const text = await response.text();
      return text === '' ? response.status : JSON.parse(text);
    };
    try {
      expect(await request('PUT', '/orders/7', TEA)).toEqual({ id: 7, ...TEA, paid: 0 });
      expect(await request('PUT', '/orders/7', TEA)).toEqual({ id: 7, ...TEA, paid: 0 });
      expect(await request('PUT', '/orders/8', { ...TEA, amount: 1_000 })).toMatchObject({ statusCode: 500 });
      expect(await request('PUT', '/orders/8')).toMatchObject({ statusCode: 400 });
      expect(await request('POST', '/orders/7/payment')).toEqual({ id: 7, ...TEA, paid: 5 });
      expect(await request('POST', '/orders/9/payment')).toMatchObject({ statusCode: 404 });
      expect(await request('POST', '/careless')).toBe(204);
      expect(await sample.get('/orders')).toEqual([{ id: 7, ...TEA, paid: 5 }]);
      expect((await sample.get<PoolStats>('/pool')).totals.closed.broken).toBe(0);
    } finally {
      expect(await sample.stop()).toEqual([0, null]);
    }
  }, 60_000);

  it('leaves neither a server nor its folder behind when it cannot start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const folder = mkdtempSync(path.join(tmpdir(), 'sample-'));
    chmodSync(folder, 0o755);
    try {
      const starting = RunningSample.start('07-postgres-orders', { PORT: String(port), TMPDIR: folder });
      await expect(starting).rejects.toThrow('EADDRINUSE');
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      taken.close();
      rmSync(folder, { recursive: true });
    }
  }, 60_000);

  it('fails no request that may run twice while the server restarts', async () => {
    const sample = await RunningSample.start('07-postgres-orders');
    try {
      await fetch(`${sample.url}/orders/7`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(TEA),
      });
      const restart = fetch(`${sample.url}/restart`, { method: 'POST' });
      const statuses = new Set<number>();
      let isOver = false;
      const caller = async (): Promise<void> => {
        while (!isOver) statuses.add((await fetch(`${sample.url}/orders`)).status);
      };
      const callers = Promise.all(Array.from({ length: 10 }, caller));
      expect((await restart).status).toBe(202);
      await sample.until(async () => (await sample.get<PoolStats>('/pool')).open === 5);
      isOver = true;
      await callers;
      expect([...statuses]).toEqual([200]);
      expect((await sample.get<PoolStats>('/pool')).totals.closed.broken).toBeGreaterThanOrEqual(5);
    } finally {
      await sample.stop();
    }
  }, 60_000);
});
