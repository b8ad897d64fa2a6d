import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../../test/support/gate.ts';
import { ModelClock } from '../../test/support/model-clock.ts';
import type { JobSpec } from '../model/job.ts';
import { BLOCK_BYTES, LOOP_BACKLOG_BYTES, REBUILD_INTERVAL } from '../model/limits.ts';
import type { LogRecord, Write } from '../model/records.ts';
import { packColumn } from '../protocol/column.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { MemoryDisk } from '../store/memory/memory-disk.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import type { StoreError } from '../store/store.ts';
import type { Effect } from './group.ts';
import { InputCache } from './input-cache.ts';
import { Loop } from './loop.ts';

const spec: JobSpec = {
  name: 'job',
  owner: 'me',
  code: { runner: 'js', sha256: 'a'.repeat(64), size: 1, sourceName: 'x.js' },
  range: { start: 0, step: 1, count: 10 },
  priority: 0,
  weight: 1,
  retries: 0,
  requires: {},
  cpus: 1,
  resources: {},
  fenced: false,
  submittedAt: 0,
};

/** A loop over a memory store whose disk the test holds, with a record of all that leaves. */
class Desk {
  readonly clock = new ModelClock();
  readonly gate = new Gate();
  readonly disk = new MemoryDisk();
  readonly store = new MemoryStore(this.disk, { commitGate: this.gate.pass });
  readonly inputs = new InputCache();
  /** What left, in order. */
  readonly left: string[] = [];
  readonly groups: (readonly Write[])[] = [];
  readonly effects: Effect[] = [];
  readonly loop = new Loop({
    store: this.store,
    clock: this.clock,
    inputs: this.inputs,
    rebuild: async () => {
      const epoch = await this.store.start();
      const recovered = await this.store.recover(epoch);
      return { epoch, scheduler: new Scheduler({ epoch, now: this.clock.now(), wallOffset: 0, recovered }) };
    },
    outbox: {
      perform: (effect) => {
        this.effects.push(effect);
        this.left.push(effect.kind === 'reply' ? `reply ${effect.request} ${effect.answer.ok}` : effect.kind);
      },
      committed: (writes) => {
        this.groups.push(writes);
        this.left.push('committed');
      },
      failed: (error, effects) => {
        for (const effect of effects)
          if (effect.kind === 'reply') this.left.push(`failed ${error.code} ${effect.request}`);
      },
      nothingClaimed: () => undefined,
      endedElsewhere: async () => new Set(),
      rebuilt: () => this.left.push('rebuilt'),
      broken: (error: StoreError) => this.left.push(`broken ${error.code}`),
    },
  });
  /** Commits that were begun. */
  commits = 0;
  #request = 0;

  static async start(): Promise<Desk> {
    const desk = new Desk();
    const commit = desk.store.commit.bind(desk.store);
    desk.store.commit = (...args) => {
      desk.commits++;
      return commit(...args);
    };
    await desk.loop.start();
    return desk;
  }

  submit(job: number, more: Partial<JobSpec> & { open?: boolean } = {}): boolean {
    const { open = false, ...rest } = more;
    return this.loop.post({ kind: 'jobSubmitted', request: ++this.#request, job, spec: { ...spec, ...rest }, open });
  }

  open(job: number): boolean {
    const { range: _, ...stored } = spec;
    return this.loop.post({ kind: 'jobSubmitted', request: ++this.#request, job, spec: stored, open: true });
  }

  addInputs(job: number, first: number, values: number, bytes = 0): boolean {
    const column = packColumn(new Uint32Array(values).fill(bytes), 0, new Uint8Array(values * bytes));
    return this.loop.post({ kind: 'inputsAdded', request: ++this.#request, job, first, count: values }, column);
  }

  join(worker: string): void {
    const facts = { kind: 'node', slots: 1, runners: ['js'], labels: {}, resources: {}, token: 't' } as const;
    this.loop.post({ kind: 'workerJoined', worker: { id: worker, name: worker, ...facts }, held: [] });
  }

  /** What left since the last look, without what only pages see. */
  news(): string[] {
    return this.left.splice(0).filter((what) => what !== 'publish');
  }
}

const line: LogRecord = { job: 1, index: 0, lease: 1, stream: 'stdout', at: 0, text: 'hello' };

test('S2: nothing leaves before its cause is on disk', async () => {
  const desk = await Desk.start();
  desk.gate.hold();
  desk.submit(1);
  desk.join('w');
  await desk.clock.settle();
  assert.deepEqual(desk.left, []);
  assert.equal(desk.gate.held, 1);
  desk.gate.release();
  await desk.clock.settle();
  const [first, reply] = desk.news();
  assert.deepEqual([first, reply], ['committed', 'reply 1 true']);
});

test('S2: a grant leaves after the commit that holds its lease, and names what is in it', async () => {
  const desk = await Desk.start();
  desk.join('w');
  desk.submit(1);
  await desk.clock.settle();
  const grant = desk.effects.find((effect) => effect.kind === 'grant');
  assert.ok(grant?.kind === 'grant');
  const at = desk.groups.findIndex((writes) =>
    writes.some((write) => write.kind === 'lease' && write.lease.lease === grant.lease),
  );
  assert.ok(at >= 0, 'the lease was committed');
  const commits = desk.left.slice(0, desk.left.indexOf('grant')).filter((what) => what === 'committed');
  assert.ok(commits.length > at, 'its group came before the grant');
});

test('events of one turn are one commit, and one is in flight while the next group gathers', async () => {
  const desk = await Desk.start();
  desk.gate.hold();
  for (let job = 1; job <= 5; job++) desk.submit(job);
  await desk.clock.settle();
  for (let job = 6; job <= 9; job++) {
    desk.submit(job);
    await desk.clock.settle();
  }
  assert.equal(desk.gate.held, 1, 'only the first group is on its way');
  desk.gate.release();
  await desk.clock.settle();
  assert.equal(desk.loop.counters.commits, 2);
  const jobsIn = desk.groups.map((writes) => writes.flatMap((write) => (write.kind === 'job' ? [write.job] : [])));
  assert.deepEqual(jobsIn, [
    [1, 2, 3, 4, 5],
    [6, 7, 8, 9],
  ]);
});

test('of many changes of one row in a group only the last is written', async () => {
  const desk = await Desk.start();
  desk.open(1);
  await desk.clock.settle();
  desk.groups.length = 0;
  for (let i = 0; i < 10; i++) desk.addInputs(1, i * 10, 10);
  await desk.clock.settle();
  assert.equal(desk.groups.length, 1);
  const progress = desk.groups[0]?.filter((write) => write.kind === 'progress');
  assert.equal(progress?.length, 1);
  assert.equal(progress?.[0]?.kind === 'progress' && progress[0].progress.total, 100);
});

test('F-21: a full disk is told to all who wait, nothing is kept of it, and work goes on when there is room', async () => {
  const desk = await Desk.start();
  desk.submit(1);
  await desk.clock.settle();
  desk.news();
  desk.gate.refuses = 'full';
  desk.gate.hold();
  desk.submit(2);
  await desk.clock.settle();
  desk.submit(3);
  const row = desk.loop.write([{ kind: 'log', log: line }]);
  const refused = assert.rejects(row, (error: StoreError) => error.code === 'full');
  desk.gate.release();
  await desk.clock.settle();
  await refused;
  assert.deepEqual(desk.news(), ['failed full 2', 'failed full 3']);
  assert.equal(desk.submit(4), false, 'not taken while there is no room');
  assert.equal(desk.loop.trouble?.code, 'full');
  await assert.rejects(desk.loop.write([]), (error: StoreError) => error.code === 'full');
  await desk.clock.advance(3 * REBUILD_INTERVAL);
  assert.deepEqual(desk.news(), []);
  desk.gate.refuses = undefined;
  await desk.clock.advance(REBUILD_INTERVAL);
  assert.deepEqual(desk.news(), ['rebuilt']);
  assert.deepEqual([...desk.disk.jobs.keys()], [1], 'what was refused is not there');
  assert.deepEqual(
    desk.loop.scheduler?.jobs().map(({ job }) => job),
    [1],
  );
  assert.ok(desk.submit(5));
  await desk.clock.settle();
  assert.deepEqual(desk.news().slice(0, 2), ['committed', 'reply 5 true']);
});

test('S2: what a new brain decides carries a new epoch', async () => {
  const desk = await Desk.start();
  const before = desk.disk.epoch;
  desk.gate.refuses = 'busy';
  desk.submit(1);
  await desk.clock.settle();
  desk.gate.refuses = undefined;
  await desk.clock.advance(REBUILD_INTERVAL);
  assert.deepEqual(desk.news(), ['failed busy 1', 'rebuilt']);
  assert.ok(desk.disk.epoch > before);
});

test('F-21: a claim that fails beside a commit makes one new brain, not two', async () => {
  const desk = await Desk.start();
  desk.join('w');
  desk.gate.hold();
  desk.submit(1);
  await desk.clock.settle();
  desk.gate.step();
  await desk.clock.settle();
  assert.equal(desk.gate.held, 1, 'the claim for the new job is on its way');
  desk.submit(2);
  await desk.clock.settle();
  desk.news();
  desk.gate.refuses = 'full';
  desk.gate.release();
  await desk.clock.settle();
  assert.deepEqual(desk.news(), ['failed full 2']);
  desk.gate.refuses = undefined;
  await desk.clock.advance(5 * REBUILD_INTERVAL);
  assert.deepEqual(desk.news().slice(0, 1), ['rebuilt']);
  desk.submit(3);
  await desk.clock.advance(5 * REBUILD_INTERVAL);
  const news = desk.news();
  assert.ok(news.includes('reply 3 true'), `${news}`);
  assert.ok(!news.some((what) => /rebuilt|broken|failed/.test(what)), `${news}`);
});

test('S2: a commit in flight when a claim fails arrives, and is told as what it is', async () => {
  const desk = await Desk.start();
  desk.join('w');
  desk.gate.hold();
  desk.submit(1);
  await desk.clock.settle();
  desk.gate.step();
  await desk.clock.settle();
  desk.submit(2);
  await desk.clock.settle();
  desk.news();
  desk.gate.refuses = 'busy';
  desk.gate.step();
  await desk.clock.settle();
  desk.gate.refuses = undefined;
  desk.gate.release();
  await desk.clock.settle();
  assert.deepEqual(desk.news(), ['committed', 'reply 2 true', 'rebuilt']);
  assert.deepEqual([...desk.disk.jobs.keys()], [1, 2]);
});

for (const code of ['broken', 'fenced', 'damaged'] as const) {
  test(`F-22: ${code} ends it: who waits hears, nothing is tried again`, async () => {
    const desk = await Desk.start();
    desk.gate.refuses = code;
    desk.submit(1);
    await desk.clock.settle();
    assert.deepEqual(desk.news(), [`failed ${code} 1`, `broken ${code}`]);
    const { applied } = desk.gate;
    desk.gate.refuses = undefined;
    await desk.clock.advance(60_000);
    assert.equal(desk.gate.applied, applied);
    assert.equal(desk.submit(2), false);
    assert.deepEqual(desk.news(), []);
  });
}

test('F-23: while the disk stalls the loop is pressed at its bound, and calm again when it has drained', async () => {
  const desk = await Desk.start();
  desk.open(1);
  await desk.clock.settle();
  desk.gate.hold();
  let calmed = 0;
  let first = 0;
  while (!desk.loop.pressed) {
    assert.ok(first * BLOCK_BYTES < 2 * LOOP_BACKLOG_BYTES, 'the bound was never reached');
    desk.addInputs(1, first++, 1, BLOCK_BYTES);
    await desk.clock.settle();
  }
  desk.loop.calm(() => calmed++);
  await desk.clock.settle();
  assert.equal(calmed, 0);
  assert.ok(desk.loop.backlogBytes > LOOP_BACKLOG_BYTES);
  desk.gate.release();
  await desk.clock.settle();
  assert.equal(calmed, 1);
  assert.equal(desk.loop.backlogBytes, 0);
  desk.loop.calm(() => calmed++);
  assert.equal(calmed, 2, 'who asks when it is calm goes on at once');
});

test('F-23: console output that waits for the disk counts, too', async () => {
  const desk = await Desk.start();
  desk.submit(1);
  await desk.clock.settle();
  desk.gate.hold();
  const text = 'x'.repeat(1 << 20);
  const written = Array.from({ length: 33 }, () => desk.loop.write([{ kind: 'log', log: { ...line, text } }]));
  assert.ok(desk.loop.pressed);
  desk.gate.release();
  await desk.clock.settle();
  await Promise.all(written);
  assert.ok(!desk.loop.pressed);
});

test('stopping waits until all that was taken is on disk, and takes nothing more', async () => {
  const desk = await Desk.start();
  desk.gate.hold();
  desk.submit(1);
  await desk.clock.settle();
  desk.submit(2);
  let stopped = false;
  const stop = desk.loop.stop().then(() => {
    stopped = true;
  });
  assert.equal(desk.submit(3), false);
  await desk.clock.settle();
  assert.equal(stopped, false);
  assert.equal(desk.commits, 1, 'the second group waits for the first');
  desk.gate.release();
  await desk.clock.settle();
  await stop;
  assert.deepEqual([...desk.disk.jobs.keys()], [1, 2]);
  assert.equal(desk.clock.alarms, 0, 'no alarm is left');
});

test('stopping while the disk is full does not wait for room', async () => {
  const desk = await Desk.start();
  desk.gate.refuses = 'full';
  desk.submit(1);
  await desk.clock.settle();
  await desk.loop.stop();
  desk.gate.refuses = undefined;
  await desk.clock.advance(10 * REBUILD_INTERVAL);
  assert.deepEqual(desk.news(), ['failed full 1']);
  assert.equal(desk.clock.alarms, 0);
});

test('rows of one cause follow the rows they speak of, in the same group', async () => {
  const desk = await Desk.start();
  const blob = { kind: 'blobRef', job: 1, sha256: 'b'.repeat(64) } as const;
  desk.loop.post({ kind: 'jobSubmitted', request: 1, job: 1, spec, open: false }, undefined, [blob]);
  await desk.clock.settle();
  assert.deepEqual(
    desk.groups[0]?.map(({ kind }) => kind),
    ['job', 'blobRef'],
  );
});

test('D14: rows about what was refused are not written, and nothing of their group is lost', async () => {
  const desk = await Desk.start();
  const blob = { kind: 'blobRef', job: 7, sha256: 'b'.repeat(64) } as const;
  const [job, worker] = [7, 'nobody'];
  desk.submit(1);
  const runs = [{ start: 0, count: 1 }];
  const column = packColumn(new Uint32Array(1), undefined, new Uint8Array(0));
  const outcomes = { worker, lease: 1, job, runs, failures: [], elapsedMicros: 1 };
  desk.loop.post({ kind: 'outcomes', ...outcomes }, column, [blob]);
  desk.loop.post({ kind: 'inputsAdded', request: 0, job, first: 0, count: 1 }, column, [blob]);
  await desk.clock.settle();
  assert.equal(desk.loop.counters.failures, 0);
  assert.deepEqual([...desk.disk.jobs.keys()], [1]);
});
