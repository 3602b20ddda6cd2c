import { parentPort, workerData } from 'node:worker_threads';
import { runSeed } from './seed.js';

/** One core's share: takes seeds as they come and tells what came of each. */
const { shrinks } = workerData as { readonly shrinks: boolean };

parentPort!.on('message', (seed: number) => {
  void runSeed(seed, shrinks).then((report) => parentPort!.postMessage(report));
});
