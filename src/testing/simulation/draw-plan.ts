import type { Millis } from '../../model/ids.ts';
import { drawChains } from './draw-chains.ts';
import { drawFaults } from './draw-faults.ts';
import { drawJob } from './draw-job.ts';
import { drawServers } from './draw-servers.ts';
import type { Character, Plan, WorkerPlan } from './plan.ts';
import { Random } from './random.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** How long a run is, and how long its tasks are: milliseconds that race, or hours in which little happens. */
export interface Scale {
  readonly chaos: readonly [Millis, Millis];
  readonly cost: readonly [Millis, Millis];
  /** How long a fault lasts. */
  readonly spell: readonly [Millis, Millis];
}

const DENSE: Scale = { chaos: [3 * SECOND, 30 * SECOND], cost: [0.2, 300], spell: [20, 10 * SECOND] };
const USUAL: Scale = { chaos: [30 * SECOND, 5 * MINUTE], cost: [5, 5 * SECOND], spell: [200, MINUTE] };
const LONG: Scale = {
  chaos: [20 * MINUTE, 6 * HOUR],
  cost: [2 * SECOND, 20 * MINUTE],
  spell: [5 * SECOND, 10 * MINUTE],
};

/**
 * Draws what happens in one run. Each seed has its own choice of features, faults and sizes (a swarm), and in a third
 * of them almost nothing goes wrong, so that deep states are reached too.
 */
export function drawPlan(seed: number): Plan {
  const random = new Random(seed, 'plan');
  const scale = random.pick([DENSE, DENSE, DENSE, USUAL, USUAL, LONG]);
  const chaos = Math.round(random.logarithmic(...scale.chaos));
  const quiet = random.chance(0.3);
  const workers = drawWorkers(random, chaos, quiet);
  const slots = workers.reduce((sum, worker) => sum + worker.slots / worker.slowness, 0);
  const clients = random.whole(1, 3);
  const jobs = Array.from({ length: random.whole(1, 6) }, () =>
    drawJob(random, { scale, chaos, quiet, slots, clients, workers }),
  );
  const datagrams = !quiet && random.chance(0.2);
  const plan: Plan = {
    seed,
    chaos,
    network: {
      latency: random.pick([
        [0.1, 0.5],
        [1, 20],
        [20, 300],
      ] as const),
      slowFrames: quiet || random.chance(0.6) ? 0 : 0.02,
      httpLoss: quiet || random.chance(0.5) ? 0 : 0.15,
      ...(datagrams
        ? {
            datagrams: {
              drop: random.between(0, 0.05),
              repeat: random.between(0, 0.1),
              reorder: random.between(0, 0.2),
            },
          }
        : {}),
    },
    disk: {
      latency: random.pick([
        [0.05, 0.2],
        [1, 10],
        [10, 100],
      ] as const),
      slowCommits: quiet || random.chance(0.6) ? 0 : 0.05,
    },
    drift: random.pick([0, 0, 200]),
    collectEvery: Math.round(random.logarithmic(500, 20 * SECOND)),
    workers,
    clients,
    jobs,
    faults: drawFaults(random, { scale, chaos, quiet, workers: workers.length, clients }),
  };
  const chained = drawChains(plan, { scale, chaos, quiet, slots });
  return scale === LONG ? chained : drawServers(chained, scale, quiet);
}

/** The first one is honest, has all that any job asks for, and always comes back: what is accepted can be done. */
function drawWorkers(random: Random, chaos: Millis, quiet: boolean): WorkerPlan[] {
  const count = random.chance(0.05) ? random.whole(10, 25) : random.whole(1, 6);
  const bad = !quiet && random.chance(0.25);
  return Array.from({ length: count }, (_, number): WorkerPlan => {
    const first = number === 0;
    const character: Character =
      bad && !first && random.chance(0.5) ? random.pick(['repeater', 'liar', 'garbler', 'hole'] as const) : 'honest';
    return {
      slots: random.whole(first ? 2 : 1, 4),
      character,
      slowness: first ? 1 : random.pick([1, 1, 1, 0.5, 3, 10]),
      device: !first && random.chance(0.15) ? 'browser' : 'node',
      json: random.chance(0.15),
      labels: first || random.chance(0.5) ? { zone: 'a' } : {},
      resources: first || random.chance(0.3) ? { gpu: 1 } : {},
      ...(!first && !quiet && random.chance(0.1) ? { goneAt: Math.round(random.between(0, chaos)) } : {}),
    };
  });
}
