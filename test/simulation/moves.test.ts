import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPlan, type Plan, simulate } from '../../src/testing/index.ts';
import { type Fault, workerName } from '../../src/testing/simulation/plan.ts';
import { Random } from '../../src/testing/simulation/random.ts';

const TASKS = 24;
/** Milliseconds of a task: it runs over more than one move. */
const COST = [20_000, 30_000] as const;
const WORKERS = 3;
const SLOTS = 2;
/** Milliseconds between two moves of a worker, and for which a line is silent: by then it is at another server. */
const BETWEEN = 25_000;
const SILENT = 20_000;

/** Nothing goes wrong but the ways between workers and servers, one of each worker at a time. */
function movesOf(seed: number): Plan {
  const random = new Random(seed, 'moves');
  const servers = random.pick([2, 3]);
  const chaos = 150_000;
  const faults: Fault[] = [];
  for (let number = 0; number < WORKERS; number++) {
    const node = workerName(number);
    for (let at = random.between(3_000, BETWEEN); at < chaos - SILENT; at += BETWEEN + random.between(0, 10_000)) {
      // The server hears of it at once, later than the worker, or not at all.
      const notices = random.pick([10, 1_500, undefined]);
      const server = { server: random.whole(0, servers - 1) };
      if (random.chance(0.5)) faults.push({ kind: 'partition', at, node, for: SILENT, ...server });
      else {
        const told = notices === undefined ? {} : { serverNotices: notices };
        faults.push({ kind: 'cut', at, node, loseUp: 1, loseDown: 1, nodeNotices: 5, ...told });
      }
    }
  }
  const drawn = drawPlan(seed);
  const [job] = drawn.jobs as [Plan['jobs'][0]];
  const { inputs: _inputs, timeout: _timeout, spawns: _spawns, cancelAfter: _cancel, pause: _pause, ...rest } = job;
  return {
    ...{ seed, servers, chaos, drift: 50, collectEvery: 60_000, clients: 1 },
    network: { latency: [1, 30], slowFrames: 0, httpLoss: 0 },
    disk: { latency: [0.5, 5], slowCommits: 0 },
    workers: Array.from({ length: WORKERS }, () => ({
      ...{ slots: SLOTS, character: 'honest', slowness: 1, device: 'node', json: false, labels: {}, resources: {} },
    })),
    jobs: [
      {
        ...rest,
        ...{ client: 0, at: 1_000, count: TASKS, retries: 0, fenced: random.chance(0.3), maxFailures: TASKS, cpus: 1 },
        ...{ cost: COST, trouble: { throws: 0, throwsFirst: 0, crashes: 0, hangs: 0 }, poison: [], blobs: 0 },
        ...{ requires: {}, resources: {}, retryFailed: false, forget: false },
      },
    ],
    faults: faults.sort((a, b) => a.at - b.at),
  } as Plan;
}

test('R39 D26: tasks that move between servers that live are begun once, whatever way is cut', async (t) => {
  let handedOver = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const { failure, reached } = await simulate(movesOf(seed));
    assert.equal(failure, undefined, `seed ${seed}`);
    const copies = reached.get('a second copy was started') ?? 0;
    assert.equal(reached.get('a chunk began'), TASKS + copies, `seed ${seed}: each task was begun once`);
    handedOver += reached.get('a lease was handed over') ?? 0;
  }
  assert.ok(handedOver > 50, `${handedOver} leases were handed over`);
  t.diagnostic(`${handedOver} leases were handed over`);
});
