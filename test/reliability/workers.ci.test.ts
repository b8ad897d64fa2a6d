import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { treeOf } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { Served } from './served.ts';
import { killWorkers } from './worker-kills.ts';

test('100 workers are killed one after another, and cost no task anything but time (F-1, S1, S4, S9)', async (t) => {
  const lost = await killWorkers(t, 100);
  console.log(`${lost} attempts were lost with 100 workers`);
  assert.ok(lost > 20);
});

/** Stops or wakes a worker with all its task processes, as a laptop does that falls asleep. */
function signalAll(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const each of treeOf(pid)) process.kill(each, signal);
}

test('the tasks of a worker that hangs run elsewhere within 30 s, and what it brings when it wakes is settled (F-2, F-3, L2)', async (t) => {
  const served = await Served.start(t);
  const counter = await Counter.start(t);
  const hung = await served.join('--slots', '2', '--name', 'hung');
  const farm = await served.connect();
  const wait = async ({ url, millis }: { url: string; millis: number }, ctx: { key: string; attempt: string }) => {
    await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
    await new Promise((resolve) => setTimeout(resolve, millis));
    return ctx.attempt;
  };
  const job = await farm.map(
    wait,
    Array.from({ length: 4 }, () => ({ url: counter.url, millis: 3_000 })),
  );
  await waitFor(() => counter.starts.size === 2, { what: 'two tasks on the worker that will hang' });
  signalAll(hung.pid, 'SIGSTOP');
  const stopped = performance.now();
  const healthy = await served.join('--slots', '4', '--name', 'healthy');
  const again = () => [...counter.starts.values()].filter((attempts) => attempts.length > 1).length;
  await waitFor(() => again() === 2, { what: 'both tasks to be started elsewhere', timeout: 60_000, interval: 50 });
  const seconds = (performance.now() - stopped) / 1_000;
  console.log(`the tasks of a hung worker were started elsewhere after ${seconds.toFixed(1)} s`);
  assert.ok(seconds < 30, `${seconds} s`);
  signalAll(hung.pid, 'SIGCONT');
  const attempts = await job.values();
  await sleep(4_000);
  assert.deepEqual(await farm.job(job.id).values(), attempts, 'what was told stays as it was');
  const { progress } = await job.status();
  assert.deepEqual([progress.done, progress.failed, progress.retried], [4, 0, 0]);
  for (const starts of counter.starts.values())
    assert.ok(starts.length <= 2, `a third execution: ${starts.join(', ')}`);
  const next = await farm.map(
    (input: number) => input,
    Array.from({ length: 200 }, (_, at) => at),
  );
  await next.values();
  const { workers } = await served.get<{ workers: { name: string; state: string; done: number }[] }>('/v1/workers');
  const woken = workers.find(({ name, state }) => name === 'hung' && state === 'ready');
  assert.ok(woken !== undefined, `it is back: ${JSON.stringify(workers)}`);
  assert.equal(healthy.child.exitCode, null);
});
