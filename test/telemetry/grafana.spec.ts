import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { collectPools } from '../../src/telemetry/prometheus.js';

interface Dashboard {
  readonly panels: ReadonlyArray<{ title: string; targets?: ReadonlyArray<{ expr: string }> }>;
  readonly templating: { readonly list: ReadonlyArray<{ name: string; query: unknown }> };
}

const dashboard = JSON.parse(
  readFileSync(new URL('../../docs/telemetry/grafana.json', import.meta.url), 'utf8'),
) as Dashboard;
const page = readFileSync(new URL('../../docs/telemetry/prometheus.md', import.meta.url), 'utf8');

async function metrics(): Promise<Map<string, string[]>> {
  const registry = new Registry();
  const stop = collectPools([], { registry });
  const all = await registry.getMetricsAsJSON();
  const labels = all.map(({ name }) => {
    const { labelNames } = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
    return [name, labelNames] as const;
  });
  stop();
  return new Map(labels);
}

const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
);

test.each(queries)('the panel "%s" asks for metrics and labels that there are: %s', async (_, expr) => {
  const known = await metrics();
  const named = expr.match(/connection_pool_[a-z_]+/g) ?? [];
  const names = named.map((name) => (name.endsWith('_bucket') ? name.slice(0, -'_bucket'.length) : name));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect([...known.keys()]).toContain(name);
  const asked = [...expr.matchAll(/by \(([^)]+)\)/g)].flatMap(([, list]) => list!.split(', '));
  const there = new Set(['le', ...names.flatMap((name) => known.get(name)!)]);
  for (const label of asked) expect([...there]).toContain(label);
});

test('every metric is in some panel, and on the page', async () => {
  const all = queries.map(([, expr]) => expr).join('\n');
  for (const name of (await metrics()).keys()) {
    // Its minimum says nothing of how a pool is.
    if (name !== 'connection_pool_size_min') expect(all).toContain(name);
    const short = name.replace('connection_pool', '');
    expect(page.includes(`\`${name}\``) || page.includes(`\`${short}\``)).toBe(true);
  }
});
