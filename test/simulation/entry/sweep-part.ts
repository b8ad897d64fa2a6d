// One of several threads that share a range of seeds: every n-th of them, since neighbours cost about the same.
import { parentPort, workerData } from 'node:worker_threads';
import { sweep } from '../sweep.ts';

const { first, last, step, time } = workerData as { first: number; last: number; step: number; time: number };
const until = performance.now() + time;

function* seeds(): Generator<number> {
  for (let seed = first; seed <= last; seed += step) yield seed;
}

parentPort?.postMessage(await sweep(seeds(), { more: () => performance.now() < until }));
