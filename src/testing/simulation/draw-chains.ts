import { givingTasks } from './chain.ts';
import { drawJob, type JobScene } from './draw-job.ts';
import type { JobPlan, Plan } from './plan.ts';
import { Random } from './random.ts';

const SHARE = 0.25;
/** Tasks of a job whose results are passed on: each link of a chain has as many again. */
const MOST_TASKS = 600;

/** In some farms jobs take the results of others. What is drawn for them changes no other job but those that they take from. */
export function drawChains(plan: Plan, scene: Omit<JobScene, 'clients' | 'workers'>): Plan {
  const random = new Random(plan.seed, 'chains');
  if (!random.chance(SHARE)) return plan;
  const jobs = [...plan.jobs];
  const { clients, workers } = plan;
  for (let left = random.whole(1, 3); left > 0; left--) {
    // Often the one before, so that chains have several links.
    const source = random.chance(0.5) ? jobs.length - 1 : random.whole(0, jobs.length - 1);
    const giver = jobs[source] as JobPlan;
    const count = givingTasks(giver, source).length;
    if (giver.spawns === true || giver.count > MOST_TASKS || count === 0) continue;
    const { cancelAfter: _cancelled, ...kept } = giver;
    jobs[source] = { ...kept, forget: false, retryFailed: false };
    const { inputs: _inputs, spawns: _spawns, ...job } = drawJob(random, { ...scene, clients, workers });
    const poison = job.poison.length > 0 ? [random.whole(0, count - 1)] : [];
    jobs.push({ ...job, poison, count, maxFailures: count, source, client: giver.client, at: giver.at + job.at });
  }
  return { ...plan, jobs };
}
