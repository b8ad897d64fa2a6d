import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelClock } from '../../test/support/model-clock.ts';
import { ModelServer } from '../../test/support/model-server.ts';
import { codeOf, SQUARE } from '../../test/support/raw-worker.ts';
import type { FeedMessage, JobView, WorkerView } from '../model/feed.ts';
import type { JobProgress, JobSpec } from '../model/job.ts';
import { FEED_CHANGES, FEED_ENDED_JOBS, FEED_INTERVAL, FEED_KEPT_BYTES } from '../model/limits.ts';
import { Feed } from './feed.ts';

const progress: JobProgress = {
  state: 'active',
  open: false,
  total: 10,
  done: 0,
  failed: 0,
  cancelled: 0,
  retried: 0,
  lost: 0,
  segments: 0,
  generation: 0,
  busyMicros: 0,
};
const specOf = (name: string) => ({ name, owner: 'me' }) as JobSpec;

/** What a page makes of the feed, as simply as it can be made. */
class Reader {
  readonly jobs = new Map<number, JobView>();
  readonly workers = new Map<string, WorkerView>();
  readonly messages: FeedMessage[] = [];
  cursor: string | undefined;
  stop: () => void = () => {};

  constructor(feed: Feed, from?: Reader) {
    if (from !== undefined) {
      for (const [id, job] of from.jobs) this.jobs.set(id, job);
      for (const [id, worker] of from.workers) this.workers.set(id, worker);
    }
    this.stop = feed.subscribe(from?.cursor, ({ kind, cursor, json }) => {
      const message = JSON.parse(json) as FeedMessage;
      assert.deepEqual([kind, cursor], [message.kind, message.kind === 'snapshot' ? undefined : message.cursor]);
      this.#fold(message);
    });
  }

  #fold(message: FeedMessage): void {
    this.messages.push(message);
    if (message.kind !== 'snapshot') this.cursor = message.cursor;
    if (message.kind === 'boundary') return;
    if (message.kind === 'snapshot') {
      this.jobs.clear();
      this.workers.clear();
    }
    for (const job of message.jobs ?? []) {
      const spec = job.spec ?? this.jobs.get(job.id)?.spec;
      assert.ok(spec !== undefined, `job ${job.id} comes with its spec the first time`);
      this.jobs.set(job.id, { ...job, spec });
    }
    for (const worker of message.workers ?? []) this.workers.set(worker.id, worker);
    if (message.kind === 'snapshot') return;
    for (const job of message.goneJobs ?? []) this.jobs.delete(job);
    for (const worker of message.goneWorkers ?? []) this.workers.delete(worker);
  }

  get kinds(): string[] {
    return this.messages.map(({ kind }) => kind);
  }
}

class Bench {
  readonly clock = new ModelClock();
  readonly tallies = { done: 0, failed: 0, lost: 0, retried: 0 };
  readonly feed = new Feed(
    { farm: 'farm', tallies: () => this.tallies, specOf: (job) => specOf(`job ${job}`) },
    this.clock,
  );

  job(job: number, more: Partial<JobProgress> = {}): void {
    this.feed.hear({ kind: 'job', job, progress: { ...progress, ...more }, waiting: 1, running: 2 });
  }

  worker(id: string, busy = 0): void {
    const worker = {
      id,
      name: id,
      kind: 'node',
      slots: 1,
      runners: ['js'],
      labels: {},
      resources: {},
      token: 't',
    } as const;
    const { clock } = this;
    this.feed.hear({
      kind: 'worker',
      worker,
      state: 'ready',
      busy,
      queued: 0,
      done: 0,
      failed: 0,
      lastHeard: clock.now(),
    });
  }

  /** Whether the reader knows exactly what the feed does. */
  agrees(reader: Reader): void {
    assert.deepEqual(
      [...reader.jobs.values()].sort((a, b) => b.id - a.id),
      this.feed.jobs,
    );
    assert.deepEqual([...reader.workers.values()].sort(byId), [...this.feed.workers].sort(byId));
  }
}

const byId = (a: WorkerView, b: WorkerView) => (a.id < b.id ? -1 : 1);

test('a reader gets a snapshot, the boundary, and then deltas', async () => {
  const bench = new Bench();
  bench.job(1);
  bench.worker('a');
  const reader = new Reader(bench.feed);
  assert.deepEqual(reader.kinds, ['snapshot', 'boundary']);
  bench.agrees(reader);
  bench.tallies.done = 7;
  bench.job(1, { done: 5 });
  bench.job(2);
  bench.worker('b');
  await bench.clock.advance(FEED_INTERVAL);
  assert.deepEqual(reader.kinds, ['snapshot', 'boundary', 'delta']);
  const delta = reader.messages[2];
  assert.ok(delta?.kind === 'delta');
  assert.deepEqual(
    delta.jobs?.map(({ id, spec }) => [id, spec?.name]),
    [
      [1, undefined],
      [2, 'job 2'],
    ],
  );
  assert.equal(delta.tallies.done, 7);
  bench.agrees(reader);
});

test('many changes between two deltas are one, and nothing is sent when nothing changed', async () => {
  const bench = new Bench();
  const reader = new Reader(bench.feed);
  for (let done = 0; done < 10_000; done++) bench.job(1, { done });
  await bench.clock.advance(FEED_INTERVAL);
  assert.deepEqual(reader.kinds, ['snapshot', 'boundary', 'delta']);
  assert.equal(reader.jobs.get(1)?.progress.done, 9_999);
  await bench.clock.advance(100 * FEED_INTERVAL);
  assert.equal(reader.messages.length, 3);
  assert.equal(bench.clock.alarms, 0);
});

test('what is gone is told, and what came back is there', async () => {
  const bench = new Bench();
  bench.job(1);
  bench.worker('a');
  bench.worker('b');
  const reader = new Reader(bench.feed);
  bench.feed.hear({ kind: 'workerGone', worker: 'a', reason: 'x' });
  bench.feed.hear({ kind: 'workerGone', worker: 'b', reason: 'x' });
  bench.worker('b', 1);
  bench.feed.dropJob(1);
  bench.feed.dropJob(99);
  await bench.clock.advance(FEED_INTERVAL);
  assert.deepEqual([[...reader.jobs.keys()], [...reader.workers.keys()]], [[], ['b']]);
  bench.feed.dropWorkers();
  await bench.clock.advance(FEED_INTERVAL);
  assert.equal(reader.workers.size, 0);
  bench.agrees(reader);
});

test('S7: who comes back with a cursor gets the deltas that it missed, and nothing twice', async () => {
  const bench = new Bench();
  bench.job(1);
  const first = new Reader(bench.feed);
  await bench.clock.advance(FEED_INTERVAL);
  first.stop();
  for (let done = 1; done <= 5; done++) {
    bench.job(done, { done });
    await bench.clock.advance(FEED_INTERVAL);
  }
  const back = new Reader(bench.feed, first);
  assert.deepEqual(back.kinds, Array(5).fill('delta'));
  bench.agrees(back);
  back.stop();
  assert.deepEqual(new Reader(bench.feed, back).kinds, [], 'there is nothing that it does not know');
});

test('S7: a gap, a cursor of another life, or none that it is: a new snapshot', async () => {
  const bench = new Bench();
  const old = new Reader(bench.feed);
  bench.job(1);
  await bench.clock.advance(FEED_INTERVAL);
  old.stop();
  const long = 'x'.repeat(50_000);
  let bytes = 0;
  for (let i = 0; bytes < 2 * FEED_KEPT_BYTES; i++) {
    bench.job(1, { reason: `${long}${i}` });
    await bench.clock.advance(FEED_INTERVAL);
    bytes += long.length;
  }
  const back = new Reader(bench.feed, old);
  assert.deepEqual(back.kinds, ['snapshot', 'boundary']);
  bench.agrees(back);
  const { cursor = '' } = back;
  const [life = ''] = cursor.split('-');
  for (const strange of [
    '',
    '-',
    'abc',
    `${life}-`,
    `${life}-x`,
    `${life}-99999`,
    `${life}--5`,
    'dead-1',
    `${life}-1e3`,
  ]) {
    const reader = new Reader(
      bench.feed,
      Object.assign(Object.create(Reader.prototype), { jobs: [], workers: [], cursor: strange }),
    );
    assert.equal(reader.kinds[0], 'snapshot', strange);
  }
});

test('S11: a delta holds so many changes, the others follow; a new reader sees all at once', async () => {
  const bench = new Bench();
  const reader = new Reader(bench.feed);
  for (let i = 0; i < 2 * FEED_CHANGES + 1; i++) bench.worker(`w${i}`);
  await bench.clock.advance(FEED_INTERVAL);
  assert.equal(reader.workers.size, FEED_CHANGES);
  const late = new Reader(bench.feed);
  assert.equal(late.workers.size, 2 * FEED_CHANGES + 1);
  assert.equal(reader.workers.size, 2 * FEED_CHANGES + 1, 'whose snapshot the others may not be behind of');
  bench.worker('last');
  await bench.clock.advance(FEED_INTERVAL);
  bench.agrees(reader);
  bench.agrees(late);
});

test('R29: of jobs that have ended the newest are shown, and readers hear which are not any more', async () => {
  const bench = new Bench();
  bench.feed.remember(
    Array.from({ length: FEED_ENDED_JOBS }, (_, i) => ({
      id: i + 1,
      spec: specOf('old'),
      progress: { ...progress, state: 'done' as const, endedAt: 1_000 + i },
      claimedTo: 0,
    })),
  );
  const reader = new Reader(bench.feed);
  assert.equal(reader.jobs.size, FEED_ENDED_JOBS);
  for (let job = 1_001; job <= 1_005; job++) bench.job(job, { state: 'failed' });
  await bench.clock.advance(FEED_INTERVAL);
  bench.agrees(reader);
  assert.equal(reader.jobs.size, FEED_ENDED_JOBS);
  assert.deepEqual(
    [1, 5, 6, 1_005].map((job) => reader.jobs.has(job)),
    [false, false, true, true],
  );
});

test('S2: the feed tells what is on disk, in the words of the core', async () => {
  const server = await ModelServer.start();
  const feed = new Feed(
    { farm: 'f', tallies: () => server.core.tallies, specOf: (job) => server.core.live.spec(job) },
    server.clock,
  );
  server.core.onChange = (change) => feed.hear(change);
  const reader = new Reader(feed);
  server.gate.hold();
  const spec = { name: 'job', code: codeOf(SQUARE), range: { start: 0, step: 1, count: 5 } };
  const submitted = server.core.submit(spec, 'me', false, SQUARE);
  await server.clock.settle();
  server.gate.step();
  await server.clock.advance(FEED_INTERVAL);
  assert.equal(reader.jobs.size, 0);
  server.gate.release();
  await server.joined({ name: 'oak' });
  const { job } = await submitted;
  await server.clock.advance(2 * FEED_INTERVAL);
  assert.deepEqual([reader.jobs.get(job)?.spec.name, [...reader.workers.values()][0]?.name], ['job', 'oak']);
  assert.ok((reader.jobs.get(job)?.running ?? 0) > 0);
});
