import { type Plan, simulate } from '../../src/testing/index.ts';

/** Ways to make a plan smaller, the boldest first. */
function* smaller(plan: Plan): Generator<Plan> {
  const { faults, jobs, workers, chaos } = plan;
  for (let size = faults.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < faults.length; at += size)
      yield { ...plan, faults: faults.filter((_, i) => i < at || i >= at + size) };
  }
  for (let i = jobs.length - 1; i >= 0 && jobs.length > 1; i--) yield { ...plan, jobs: jobs.filter((_, j) => j !== i) };
  for (let i = workers.length - 1; i > 0; i--) yield { ...plan, workers: workers.filter((_, j) => j !== i) };
  for (const [i, job] of jobs.entries()) {
    const others = (changed: object): Plan => ({
      ...plan,
      jobs: jobs.map((each, j) => (j === i ? { ...job, ...changed } : each)),
    });
    if (job.count > 1) yield others({ count: Math.ceil(job.count / 2) });
    if (job.at > 0) yield others({ at: 0 });
    for (const plain of PLAIN) {
      const [name, value] = plain;
      if (JSON.stringify(job[name]) !== JSON.stringify(value)) yield others({ [name]: value });
    }
  }
  if (chaos > 1_000) yield { ...plan, chaos: Math.ceil(chaos / 2) };
  for (const [i, worker] of workers.entries()) {
    const plain = { slots: 1, character: 'honest', slowness: 1, device: 'node', json: false } as const;
    for (const [name, value] of Object.entries(plain)) {
      if (worker[name as keyof typeof plain] === value || (i === 0 && name === 'slots')) continue;
      yield { ...plan, workers: workers.map((each, j) => (j === i ? { ...each, [name]: value } : each)) };
    }
  }
}

/** What a job is where nothing is special. */
const PLAIN = [
  ['inputs', undefined],
  ['reading', 'batches'],
  ['order', 'completion'],
  ['retries', 0],
  ['priority', 0],
  ['fenced', false],
  ['requires', {}],
  ['resources', {}],
  ['cpus', 1],
  ['trouble', { throws: 0, throwsFirst: 0, crashes: 0, hangs: 0 }],
  ['poison', []],
  ['blobs', 0],
  ['bigCode', false],
  ['prints', 0],
  ['cancelAfter', undefined],
  ['pause', undefined],
  ['retryFailed', false],
  ['forget', false],
] as const;

/** The smallest plan that can be found in which the same rule is broken. */
export async function shrink(plan: Plan, rule: string): Promise<Plan> {
  let best = plan;
  for (let better = true; better; ) {
    better = false;
    for (const candidate of smaller(best)) {
      const { failure } = await simulate(candidate);
      if (failure?.rule !== rule) continue;
      best = candidate;
      better = true;
      break;
    }
  }
  return best;
}
