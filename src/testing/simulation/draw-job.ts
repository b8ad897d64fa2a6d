import type { Millis } from '../../model/ids.ts';
import type { Scale } from './draw-plan.ts';
import type { JobPlan, WorkerPlan } from './plan.ts';
import type { Random } from './random.ts';

export interface JobScene {
  readonly scale: Scale;
  readonly chaos: Millis;
  readonly quiet: boolean;
  /** Of all workers together, those of slow ones counting less. */
  readonly slots: number;
  readonly clients: number;
  readonly workers: readonly WorkerPlan[];
}

/** More tasks than two blocks of a range hold, which only the shortest tasks reach. */
const MOST_TASKS = 9_000;
/** Each of them may be followed by several. */
const MOST_PARENTS = 200;

export function drawJob(random: Random, scene: JobScene): JobPlan {
  const { chaos, clients, workers, quiet } = scene;
  const low = random.logarithmic(scene.scale.cost[0], scene.scale.cost[1] / 3);
  const cost = [low, low * random.pick([1, 3, 30])] as const;
  const spawns = random.chance(0.15);
  const count = Math.min(drawCount(random, scene, (cost[0] + cost[1]) / 2), spawns ? MOST_PARENTS : MOST_TASKS);
  const hangs = random.chance(0.15) && count < 500;
  const pillar = workers[0] as WorkerPlan;
  return {
    client: random.whole(0, clients - 1),
    at: Math.round(random.next() ** 2 * chaos * 0.7),
    count,
    ...drawInputs(random, scene, count),
    ...(spawns && { spawns, inputs: { size: Math.ceil(count / random.whole(1, 3)), pause: random.pick([0, 5]) } }),
    reading: random.pick(['messages', 'batches', 'records'] as const),
    order: random.pick(['index', 'completion'] as const),
    credit: Math.round(random.logarithmic(50, 100_000)),
    retries: random.pick([0, 0, 1, 2, 5]),
    ...(hangs || random.chance(0.2) ? { timeout: Math.round(Math.max(50, cost[1] * random.pick([2, 20, 50]))) } : {}),
    priority: random.pick([0, 0, 0, 1, -1]),
    fenced: random.chance(0.2),
    maxFailures: random.chance(0.1) ? random.whole(0, 5) : count,
    requires: random.chance(0.2) ? { zone: 'a' } : {},
    resources: random.chance(0.1) ? { gpu: 1 } : {},
    cpus: random.chance(0.15) ? random.whole(2, pillar.slots) : 1,
    cost,
    trouble: {
      throws: random.chance(0.2) ? random.between(0, 0.2) : 0,
      throwsFirst: random.chance(0.3) ? random.between(0, 0.3) : 0,
      crashes: random.chance(0.2) ? random.between(0, 0.1) : 0,
      hangs: hangs ? random.between(0, 0.1) : 0,
    },
    poison: !quiet && random.chance(0.15) ? [random.whole(0, count - 1)] : [],
    blobs: random.chance(0.2) ? random.between(0, 0.3) : 0,
    bigCode: random.chance(0.1),
    prints: random.chance(0.2) ? 0.1 : 0,
    ...(random.chance(0.15) ? { cancelAfter: Math.round(random.next() * chaos * 0.5) } : {}),
    ...(random.chance(0.15)
      ? {
          pause: {
            after: Math.round(random.next() * chaos * 0.5),
            for: Math.round(random.logarithmic(...scene.scale.spell)),
          },
        }
      : {}),
    retryFailed: random.chance(0.3),
    forget: random.chance(0.3),
  };
}

/** So many tasks that they take a part of the chaos; now and then only a few. */
function drawCount(random: Random, { chaos, slots }: JobScene, mean: Millis): number {
  if (random.chance(0.2)) return random.whole(1, 5);
  const share = random.logarithmic(0.02, 0.4);
  const fitting = Math.floor((chaos * share * slots) / mean);
  const most = random.chance(0.1) ? MOST_TASKS : 600;
  return Math.max(1, Math.min(fitting, most));
}

function drawInputs(random: Random, { scale }: JobScene, count: number): Pick<JobPlan, 'inputs'> {
  if (random.chance(0.5)) return {};
  if (random.chance(0.4)) return { inputs: { size: count, pause: 0 } };
  const size = Math.max(1, Math.round(random.logarithmic(count / 20, count)));
  return { inputs: { size, pause: Math.round(random.logarithmic(1, scale.spell[1] / 10)) } };
}
