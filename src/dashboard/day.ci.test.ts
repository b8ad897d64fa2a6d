import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { FeedMessage, JobView, WorkerView } from '../model/feed.ts';
import { FEED_ENDED_JOBS, FEED_INTERVAL } from '../model/limits.ts';
import { progressOf, specOf } from '../testing/store-records.ts';
import { fold, nothingSeen } from './fold.ts';

const HOUR = 3_600_000;
const WORKERS = 12;
/** Milliseconds that a job takes; then the next one begins. */
const JOB = 20_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What a busy farm says in a day, as the server would: every delta has something of a job and of the workers. */
function* day(): Generator<FeedMessage> {
  const start = 1_700_000_000_000;
  const tallies = { done: 0, failed: 0, lost: 0, retried: 0 };
  yield { kind: 'snapshot', farm: 'farm', at: start, jobs: [], workers: workers(0), tallies, history: [] };
  yield { kind: 'boundary', cursor: '00000000-0' };
  for (let i = 1; i <= (24 * HOUR) / FEED_INTERVAL; i++) {
    const passed = i * FEED_INTERVAL;
    const at = start + passed;
    const id = 1 + Math.floor(passed / JOB);
    const done = (passed % JOB) / 10;
    const isNew = passed % JOB === 0 || i === 1;
    const gone = isNew && id > FEED_ENDED_JOBS ? { goneJobs: [id - FEED_ENDED_JOBS] } : {};
    const before = isNew && id > 1 ? [ended(id - 1, at)] : [];
    const job = { id, progress: progressOf({ total: JOB / 10, done, startedAt: at }), waiting: 1, running: WORKERS };
    yield {
      kind: 'delta',
      cursor: `00000000-${i}`,
      at,
      jobs: [...before, isNew ? { ...job, spec: specOf({ name: `job ${id}` }) } : job],
      workers: workers(i).filter((_, at) => at % 4 === i % 4),
      ...gone,
      tallies: { ...tallies, done: passed / 10 },
    };
  }
}

function ended(id: number, at: number): Omit<JobView, 'spec'> {
  return {
    id,
    progress: progressOf({ state: 'done', total: JOB / 10, done: JOB / 10, endedAt: at }),
    waiting: 0,
    running: 0,
  };
}

function workers(i: number): WorkerView[] {
  return Array.from({ length: WORKERS }, (_, at) => ({
    ...{ id: `worker${at}`, name: `worker ${at}`, kind: 'node', slots: 4, runners: ['js'], labels: {}, resources: {} },
    ...{ token: 't', state: 'ready', busy: i % 5, queued: 2, done: i * 20, failed: 0, lastHeardAt: i },
  }));
}

test('24 hours of updates leave no more behind than the first of them', (t) => {
  let view = nothingSeen;
  const heaps: number[] = [];
  for (const message of day()) {
    view = fold(view, message);
    if (message.kind !== 'delta' || (message.at - 1_700_000_000_000) % (2 * HOUR) !== 0) continue;
    collect();
    heaps.push(process.memoryUsage().heapUsed);
  }
  const [first = 0] = heaps;
  const last = heaps.at(-1) ?? 0;
  const grown = (last - first) / first;
  t.diagnostic(
    `heap after 2 h ${(first / 2 ** 20).toFixed(2)} MiB, after 24 h ${(last / 2 ** 20).toFixed(2)} MiB: ${(grown * 100).toFixed(1)} %`,
  );
  assert.equal(heaps.length, 12);
  assert.equal(view.jobs.size, FEED_ENDED_JOBS);
  assert.ok(grown <= 0.1, `the heap grew by ${(grown * 100).toFixed(1)} %: ${heaps.join(', ')}`);
});
