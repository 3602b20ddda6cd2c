import type { Attributes, BatchObservableResult, Meter } from '@opentelemetry/api';
import { observable, type ObservedPool, type OwnPools } from './observed-pool.js';
import { observeTimes } from './pool-times.js';

/** How pools are named. */
export interface PoolNaming {
  readonly prefix: string;
  attributesOf(pool: string): Attributes;
  /** What happens in other pools of the process is none of theirs. */
  readonly ours: OwnPools;
}

/** In seconds. Those of the conventions, and some more, for a lease is taken within microseconds. */
const BOUNDARIES = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30];

/**
 * The metrics of pools that the semantic conventions know.
 * @returns stops it
 */
export function meterPools(meter: Meter, pools: Iterable<ObservedPool>, naming: PoolNaming): () => void {
  const { prefix, attributesOf, ours } = naming;
  const connections = (name: string, description: string) =>
    meter.createObservableUpDownCounter(`${prefix}.${name}`, { unit: '{connection}', description });
  const count = connections('count', 'Connections that are open, by whether they are idle or used');
  const idleMax = connections('idle.max', 'How many connections may be idle at most');
  const idleMin = connections('idle.min', 'How many connections the pool keeps at least');
  const limit = connections('limit', 'How many connections the pool has at most');
  const pending = meter.createObservableUpDownCounter(`${prefix}.pending_requests`, {
    unit: '{request}',
    description: 'Callers that wait for a connection',
  });
  const timeouts = meter.createObservableCounter(`${prefix}.timeouts`, {
    unit: '{timeout}',
    description: 'Callers that waited in vain',
  });
  const instruments = [count, idleMax, idleMin, limit, pending, timeouts];

  const observe = (result: BatchObservableResult): void => {
    for (const pool of observable(pools)) {
      const { open, idle, waiting, totals } = pool.stats();
      const attributes = attributesOf(pool.name);
      const state = `${prefix}.state`;
      result.observe(count, idle, { ...attributes, [state]: 'idle' });
      // What is pinged or reset is nobody's, and can be lent to nobody.
      result.observe(count, open - idle, { ...attributes, [state]: 'used' });
      result.observe(idleMax, pool.size.max, attributes);
      result.observe(idleMin, pool.size.min, attributes);
      result.observe(limit, pool.size.max, attributes);
      result.observe(pending, waiting, attributes);
      result.observe(timeouts, totals.acquireTimeouts, attributes);
    }
  };
  meter.addBatchObservableCallback(observe, instruments);

  const time = (name: string, description: string) => {
    const advice = { explicitBucketBoundaries: BOUNDARIES };
    return meter.createHistogram(`${prefix}.${name}`, { unit: 's', description, advice });
  };
  const createTime = time('create_time', 'How long it took to open a connection');
  const waitTime = time('wait_time', 'How long it took to get a connection from the pool');
  const useTime = time('use_time', 'How long a connection was held');
  const stopTimes = observeTimes({
    connected: (event, seconds) => {
      if (event.error === undefined && ours.has(event)) createTime.record(seconds, attributesOf(event.pool));
    },
    waited: (event, seconds) => {
      if (event.error === undefined && ours.has(event)) waitTime.record(seconds, attributesOf(event.pool));
    },
    used: (event, seconds) => {
      if (ours.has(event)) useTime.record(seconds, attributesOf(event.pool));
    },
  });
  return () => {
    stopTimes();
    meter.removeBatchObservableCallback(observe, instruments);
  };
}
