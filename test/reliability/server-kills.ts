import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Farm } from '../../src/index.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { Journal } from './journal.ts';
import { LONG_LANE, Load } from './load.ts';
import { checkRecords } from './records.ts';
import { Served } from './served.ts';

/** So many that some are connected at any moment: after a while of failures each waits longer to come back. */
const CLIENTS = 3;

export interface KillsOptions {
  readonly cycles: number;
  /** Milliseconds after which no other cycle is begun. */
  readonly time?: number;
  /** Tasks that wait for a worker that never comes, so that there is something to recover. */
  readonly backlog: number;
}

export interface KillsReport {
  readonly cycles: number;
  /** Kills before the server had answered. */
  readonly early: number;
  readonly seconds: number;
  readonly acked: number;
  readonly tasks: number;
  readonly longTasks: number;
  /** Milliseconds from the start of the process to its first answer, sorted. */
  readonly recoveries: readonly number[];
}

/**
 * Kills a server at random instants, again and again, while a client and two workers use it. Then lets everything come to
 * its end, and compares what the client was told with what the server says and with what lies on its disk.
 */
export async function killServer(
  t: TestContext,
  { cycles, time = Number.POSITIVE_INFINITY, backlog }: KillsOptions,
): Promise<KillsReport> {
  const served = await Served.start(t);
  const farms = await Promise.all(Array.from({ length: CLIENTS }, () => served.connect()));
  const farm = farms[0] as Farm;
  await served.join('--slots', '2', '--name', 'first');
  await served.join('--slots', '8', '--name', 'second', '--label', `lane=${LONG_LANE.lane}`);
  const waiting = await farm.map(
    (input: number) => input,
    Array.from({ length: backlog }, (_, at) => at),
    {
      name: 'backlog',
      requires: { lane: 'none' },
    },
  );
  await waiting.submitted;
  const journal = new Journal();
  const counter = await Counter.start(t);
  const loads = farms.map((each) => new Load(each, journal, counter));
  const began = performance.now();
  const recoveries: number[] = [];
  let early = 0;
  const killing = (async () => {
    for (let cycle = 0; cycle < cycles && performance.now() < began + time; cycle++) {
      await live(served);
      await served.kill();
      const usual = recoveries.at(-1) ?? 500;
      for (let again = Math.random(); again < 0.25; again = Math.random()) {
        served.launch();
        await sleep(Math.random() * usual);
        await served.kill();
        early += 1;
      }
      recoveries.push(await recover(served, waiting.id));
    }
  })();
  await Promise.race([killing, ...loads.map((load) => load.failed)]);
  const seconds = (performance.now() - began) / 1_000;
  await Promise.all(loads.map((load) => load.stop()));
  await waiting.cancel();
  const longTasks = loads.reduce((sum, load) => sum + load.longTasks, 0);
  checkExecutions(counter, longTasks);
  await Promise.all(farms.map((each) => each.close()));
  const again = await served.connect();
  await waitFor(async () => (await served.get<{ jobs: unknown[] }>('/v1/jobs?state=active')).jobs.length === 0, {
    what: 'the end of all jobs',
    timeout: 30_000,
  });
  const tasks = await journal.compare(again);
  await again.close();
  await served.stop();
  checkRecords(served.dataDir);
  recoveries.sort((a, b) => a - b);
  return { cycles: recoveries.length, early, seconds, acked: journal.acked, tasks, longTasks, recoveries };
}

/**
 * Lets the server live for a while: often just until the workers are back and things are under way, for those who cannot
 * come back a few times in a row stay away longer and longer; now and then for no longer than chance says.
 */
async function live(served: Served): Promise<void> {
  if (Math.random() < 0.3) return sleep(Math.random() * 600);
  const until = performance.now() + 2_000;
  while (performance.now() < until) {
    const { workers } = await served.get<{ workers: { state: string }[] }>('/v1/workers');
    if (workers.filter(({ state }) => state !== 'lost').length >= 2) break;
    await sleep(20);
  }
  await sleep(Math.random() * 300);
}

/** Milliseconds from the start of the process until it says how the backlog is. */
async function recover(served: Served, job: number): Promise<number> {
  const began = performance.now();
  const running = served.launch();
  await waitFor(
    async () => {
      if (running.child.exitCode !== null) throw new Error(`the server ended: ${running.describe()}`);
      const answer = await served.ask({ path: `/v1/jobs/${job}` }).catch(() => undefined);
      return answer?.status === 200;
    },
    { what: 'an answer after a restart', timeout: 60_000, interval: 5 },
  );
  return performance.now() - began;
}

/** No worker was lost, so nothing was started twice. */
function checkExecutions(counter: Counter, longTasks: number): void {
  for (const [key, attempts] of counter.starts)
    assert.equal(attempts.length, 1, `task ${key} ran as ${attempts.join(', ')}`);
  assert.equal(counter.starts.size, longTasks);
}

/** The same of several that were killed at the same time. */
export function together(reports: readonly KillsReport[]): KillsReport {
  const sum = (of: (report: KillsReport) => number): number => reports.reduce((total, each) => total + of(each), 0);
  return {
    cycles: sum(({ cycles }) => cycles),
    early: sum(({ early }) => early),
    seconds: Math.max(...reports.map(({ seconds }) => seconds)),
    acked: sum(({ acked }) => acked),
    tasks: sum(({ tasks }) => tasks),
    longTasks: sum(({ longTasks }) => longTasks),
    recoveries: reports.flatMap(({ recoveries }) => recoveries).sort((a, b) => a - b),
  };
}

export function describe({ cycles, early, seconds, acked, tasks, longTasks, recoveries }: KillsReport): string {
  const at = (share: number): string =>
    `${Math.round(recoveries[Math.floor(share * (recoveries.length - 1))] ?? 0)} ms`;
  return (
    `${cycles} kills and ${early} more before an answer in ${seconds.toFixed(0)} s (${((60 * cycles) / seconds).toFixed(0)} a minute); ` +
    `${acked} things acknowledged, ${tasks} tasks, ${longTasks} long ones; ` +
    `recovery: half within ${at(0.5)}, all but one of a hundred within ${at(0.99)}, the longest ${at(1)}`
  );
}
