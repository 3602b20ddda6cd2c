import process from 'node:process';
import { measure } from './measure.js';
import { SCENARIOS } from './scenarios.js';

const [only = '', who, rounds = '7', sample = '40', als] = process.argv.slice(2);
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

for (const scenario of SCENARIOS.filter((each) => each.name.includes(only))) {
  const names = Object.keys(scenario.contestants).filter((name) => who === undefined || who.split(',').includes(name));
  const entrants = names.map((name) => ({ name, contestant: name, worker: new URL('./worker.js', import.meta.url) }));
  const results = await measure(scenario, entrants, {
    rounds: Number(rounds),
    sample: Number(sample),
    als: als === 'als',
  });
  const reference = results.get(scenario.reference)!;
  if ('void' in reference) throw new Error(reference.void);
  const cells = [...results].map(([name, result]) => {
    if ('void' in result) return `${name} void: ${result.void}`;
    const ratio = median(result.costs.map((cost, round) => cost / reference.costs[round]!));
    return name === scenario.reference
      ? `${Math.round(median(result.costs))} ${scenario.unit}`
      : `${name} ${ratio.toFixed(2)}`;
  });
  console.log(scenario.name.padEnd(30), cells.join('  '));
}
