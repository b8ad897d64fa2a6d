import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { drawPlan, type Plan, simulate, type Verdict } from '../../src/testing/index.ts';

/** What many runs came to. */
export interface Totals {
  runs: number;
  events: number;
  messages: number;
  /** Milliseconds of virtual time. */
  passed: number;
  /** Milliseconds of processor time. */
  spent: number;
  faults: number;
  readonly reached: Map<string, number>;
  readonly failures: Verdict[];
}

export interface SweepOptions {
  /** Told of each run. */
  readonly onVerdict?: (verdict: Verdict) => void;
  /** Whether to go on. */
  readonly more?: (totals: Totals) => boolean;
}

/** Runs one seed after the other. */
export async function sweep(seeds: Iterable<number>, options: SweepOptions = {}): Promise<Totals> {
  return sweepPlans(plansOf(seeds), options);
}

export async function sweepPlans(plans: Iterable<Plan>, { onVerdict, more }: SweepOptions = {}): Promise<Totals> {
  const totals: Totals = {
    ...{ runs: 0, events: 0, messages: 0, passed: 0, spent: 0, faults: 0 },
    reached: new Map(),
    failures: [],
  };
  const started = process.cpuUsage();
  for (const plan of plans) {
    const verdict = await simulate(plan);
    totals.runs++;
    totals.events += verdict.events;
    totals.messages += verdict.messages;
    totals.passed += verdict.passed;
    for (const [what, times] of verdict.reached) {
      totals.reached.set(what, (totals.reached.get(what) ?? 0) + times);
      if (what.startsWith('fault: ')) totals.faults += times;
    }
    if (verdict.failure !== undefined) totals.failures.push(verdict);
    const { user, system } = process.cpuUsage(started);
    totals.spent = (user + system) / 1_000;
    onVerdict?.(verdict);
    if (more?.(totals) === false) break;
  }
  return totals;
}

/** Events are short-lived objects: with room for them a thread spends less of its time on tidying up. */
const resourceLimits = { maxYoungGenerationSizeMb: 64 };

/** The same on several processors: a run depends on its seed alone. After `time` milliseconds none is begun any more. */
export async function sweepInThreads(first: number, last: number, threads: number, time: number): Promise<Totals> {
  const parts = Array.from({ length: threads }, async (_, i) => {
    const workerData = { first: first + i, last, step: threads, time };
    const thread = new Worker(new URL('entry/sweep-part.ts', import.meta.url), { workerData, resourceLimits });
    const [totals] = (await once(thread, 'message')) as [Totals];
    return totals;
  });
  return (await Promise.all(parts)).reduce(added);
}

function added(a: Totals, b: Totals): Totals {
  const reached = new Map(a.reached);
  for (const [what, times] of b.reached) reached.set(what, (reached.get(what) ?? 0) + times);
  return {
    runs: a.runs + b.runs,
    events: a.events + b.events,
    messages: a.messages + b.messages,
    passed: a.passed + b.passed,
    // Of the whole process, which all threads see.
    spent: Math.max(a.spent, b.spent),
    faults: a.faults + b.faults,
    reached,
    failures: [...a.failures, ...b.failures],
  };
}

function* plansOf(seeds: Iterable<number>): Generator<Plan> {
  for (const seed of seeds) yield drawPlan(seed);
}

export function* numbers(first: number, last: number): Generator<number> {
  for (let seed = first; seed <= last; seed++) yield seed;
}

/** One line for each failure, which says how to see it again. */
export function complaint({ plan, failure, hash }: Verdict): string {
  return `seed ${plan.seed}: ${failure?.message ?? 'fine'} [${hash}]\n  again: npm run sim -- --seed ${plan.seed} --trace`;
}

export function summary({ runs, events, messages, passed, spent, faults }: Totals): string {
  const seconds = spent / 1_000;
  const hours = passed / 3_600_000;
  const rate = (count: number) => Math.round(count / seconds).toLocaleString('en');
  return [
    `${runs} runs, ${faults} faults, ${events.toLocaleString('en')} events, ${messages.toLocaleString('en')} messages of servers`,
    `${hours.toFixed(0)} hours in ${seconds.toFixed(0)} s of processor time: ${rate(events)} events/s, ${(hours / seconds).toFixed(1)} hours/s`,
  ].join('\n');
}
