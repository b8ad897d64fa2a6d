import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ModelPeer, ModelServer } from '../../test/support/model-server.ts';
import { columnOfValues, submitOf } from '../../test/support/raw-client.ts';
import type { Heard } from '../../test/support/raw-socket.ts';
import { tasksIn } from '../../test/support/raw-worker.ts';
import { ValueStatus } from '../model/envelope.ts';
import { BLOCK_TASKS, OUTGOING_BYTES, RETRY_BACKOFF } from '../model/limits.ts';
import { runsOf } from '../model/runs.ts';
import { packColumn, readColumn, statusOf } from '../protocol/column.ts';
import { toWireRuns } from '../protocol/shapes.ts';
import { decodeColumn } from '../protocol/values/column.ts';

/** What a task comes to: a value, or the failure with this message. */
type Fate = { value: unknown } | { fails: string };

/** A server, a client, and a worker that does what the test wants of each task, in pieces as small as it wants. */
class Bench {
  readonly server: ModelServer;
  readonly client: ModelPeer;
  readonly worker: ModelPeer;
  fate: (index: number) => Fate = (index) => ({ value: index });
  /** Tasks of one report; 0: none is made. */
  piece = 1;
  #done = new Set<string>();
  #requests = 0;

  private constructor(server: ModelServer, worker: ModelPeer) {
    this.server = server;
    this.worker = worker;
    this.client = server.client();
  }

  static async start(): Promise<Bench> {
    const server = await ModelServer.start();
    return new Bench(server, await server.joined());
  }

  async submit(fields: Record<string, unknown>): Promise<number> {
    return ((await this.ask('submit', submitOf(fields))).value as { job: number }).job;
  }

  async ask(kind: string, fields: Record<string, unknown>, column?: Uint8Array, client = this.client): Promise<Heard> {
    const request = ++this.#requests;
    client.say({ kind, request, ...fields }, column);
    await this.server.clock.settle();
    return client.of('answer').find((answer) => answer.request === request) as Heard;
  }

  async stream(fields: Record<string, unknown>, client = this.client): Promise<number> {
    const answer = await this.ask('results', { order: 'completion', credit: 1e9, ...fields }, undefined, client);
    assert.equal(answer.ok, true, String(answer.message));
    await this.server.clock.settle();
    return answer.request as number;
  }

  /** The worker does its tasks, at most so many, and is given more. */
  async work(most = Number.POSITIVE_INFINITY): Promise<void> {
    let left = most;
    for (let idle = 0; idle < 2 && left > 0; idle++) {
      const open = this.worker
        .of('tasks')
        .flatMap((message) => tasksIn(message).map(([lease, index]) => ({ lease, index, job: message.job as number })))
        .filter(({ lease, index }) => !this.#done.has(`${lease} ${index}`))
        .slice(0, left);
      if (open.length > 0) idle = -1;
      left -= open.length;
      for (const group of Object.values(Object.groupBy(open, ({ lease }) => lease))) {
        for (let at = 0; at < (group?.length ?? 0); at += this.piece)
          this.#report(group?.slice(at, at + this.piece) ?? []);
      }
      await this.server.clock.settle();
    }
  }

  #report(tasks: { lease: number; index: number; job: number }[]): void {
    const [first] = tasks;
    if (first === undefined) return;
    for (const { lease, index } of tasks) this.#done.add(`${lease} ${index}`);
    const fates = tasks.map(({ index }) => this.fate(index));
    const parts = fates.map((fate) => {
      if ('value' in fate) return readColumn(columnOfValues([fate.value]));
      const text = `{"kind":"error","name":"Error","message":"${fate.fails}"},`;
      return readColumn(packColumn(Uint32Array.of(text.length), ValueStatus.failed, Buffer.from(text)));
    });
    const column = packColumn(
      Uint32Array.from(parts, ({ lengths }) => lengths[0] as number),
      Uint8Array.from(parts, (part) => statusOf(part, 0)),
      Buffer.concat(parts.map(({ bytes }) => bytes)),
    );
    const runs = toWireRuns(runsOf(tasks.map(({ index }) => index)));
    this.worker.say({ kind: 'outcomes', lease: first.lease, job: first.job, runs, micros: 1 }, column);
  }
}

interface Arrival {
  readonly index: number;
  readonly value: unknown;
  readonly cursor: number;
  readonly generation: number;
}

function arrivals(client: ModelPeer, stream: number): Arrival[] {
  return client
    .of('resultBatch')
    .filter((message) => message.stream === stream)
    .flatMap((message) => {
      const column = readColumn(client.columns.get(message) as Uint8Array);
      const status = column.statuses ?? new Uint8Array(column.count).fill(column.allStatus);
      const values = decodeColumn(column.lengths, status, column.bytes);
      const { cursor, generation } = message as unknown as Arrival;
      return tasksIn(message).map(([, index], i) => ({ index, value: values[i], cursor, generation }));
    });
}

const indexes = (all: readonly Arrival[]) => all.map(({ index }) => index);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

test('P18 S7: every outcome comes once, before and after the stream was opened, then the end', async () => {
  const bench = await Bench.start();
  const job = await bench.submit({ range: { start: 0, step: 1, count: 60 } });
  await bench.work(20);
  const stream = await bench.stream({ job });
  assert.deepEqual(sorted(indexes(arrivals(bench.client, stream))), upTo(20));
  assert.equal(bench.client.of('resultsEnd').length, 0);
  await bench.work();
  assert.deepEqual(sorted(indexes(arrivals(bench.client, stream))), upTo(60));
  const end = bench.client.of('resultsEnd')[0] as unknown as { progress: { state: string; done: number } };
  assert.deepEqual([end.progress.state, end.progress.done], ['done', 60]);
  const late = await bench.stream({ job });
  assert.deepEqual(
    arrivals(bench.client, late).map(({ value }) => value),
    arrivals(bench.client, stream).map(({ value }) => value),
  );
});

test('P18 F-11: the credit is never exceeded by more than a batch; more credit, more results', async () => {
  const bench = await Bench.start();
  const text = 'x'.repeat(1_000);
  bench.fate = () => ({ value: text });
  const job = await bench.submit({ range: { start: 0, step: 1, count: 50 } });
  const stream = await bench.stream({ job, credit: 2_500 });
  await bench.work();
  assert.equal(arrivals(bench.client, stream).length, 3, 'two and a half, rounded up');
  for (let given = 1; given <= 3; given++) {
    bench.client.say({ kind: 'credit', stream, bytes: 2_500 });
    await bench.server.clock.settle();
    const { length } = arrivals(bench.client, stream);
    assert.ok(length <= 3 * (given + 1) && length >= 2 * (given + 1), `${length} after ${given} more`);
  }
  bench.client.say({ kind: 'credit', stream, bytes: 1e9 });
  await bench.server.clock.settle();
  assert.deepEqual(sorted(indexes(arrivals(bench.client, stream))), upTo(50));
});

for (const order of ['completion', 'index'] as const) {
  test(`P18 F-11: in ${order} order, a socket that takes nothing gets nothing more until it is drained`, async () => {
    const bench = await Bench.start();
    bench.fate = () => ({ value: 'x'.repeat(50_000) });
    const job = await bench.submit({ range: { start: 0, step: 1, count: 400 } });
    await bench.work();
    const slow = bench.server.client();
    const send = slow.send.bind(slow);
    let bytes = 0;
    slow.send = (frame) => {
      bytes += frame.length;
      slow.full = bytes > OUTGOING_BYTES;
      send(frame);
    };
    const stream = await bench.stream({ job, order, credit: Number.MAX_SAFE_INTEGER }, slow);
    const first = bytes;
    assert.ok(first > OUTGOING_BYTES && first < OUTGOING_BYTES + 200_000, `${first}`);
    for (let round = 0; round < 10; round++) {
      bytes = 0;
      slow.full = false;
      slow.connection.drained?.();
      await bench.server.clock.settle();
    }
    assert.deepEqual(sorted(indexes(arrivals(slow, stream))), upTo(400));
    assert.equal(slow.of('resultsEnd').length, 1);
  });
}

test('P18 F-11: in index order live results that wait in memory are not sent beyond the credit', async () => {
  const bench = await Bench.start();
  bench.fate = () => ({ value: 'x'.repeat(1_000) });
  const job = await bench.submit({ range: { start: 0, step: 1, count: 40 } });
  const stream = await bench.stream({ job, order: 'index', credit: 3_000 });
  await bench.work();
  assert.ok(arrivals(bench.client, stream).length <= 3, `${arrivals(bench.client, stream).length}`);
  bench.client.say({ kind: 'credit', stream, bytes: 1e9 });
  await bench.server.clock.settle();
  assert.deepEqual(sorted(indexes(arrivals(bench.client, stream))), upTo(40));
});

test('P18 S7: a reader that is cut anywhere and comes back with its cursor has each outcome once', async () => {
  const count = 120;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ work: fc.nat(40), credit: fc.integer({ min: 1, max: 3_000 }) }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 7 }),
      async (steps, piece) => {
        const bench = await Bench.start();
        bench.piece = piece;
        const job = await bench.submit({ range: { start: 0, step: 1, count } });
        const seen: number[] = [];
        let after = 0;
        for (const { work, credit } of [...steps, { work: count, credit: 1e9 }]) {
          const client = bench.server.client();
          const stream = await bench.stream({ job, after, credit }, client);
          await bench.work(work);
          const arrived = arrivals(client, stream);
          seen.push(...indexes(arrived));
          after = arrived.at(-1)?.cursor ?? after;
          client.connection.closed('cut');
        }
        assert.deepEqual(sorted(seen), upTo(count));
        assert.equal(bench.server.clock.alarms <= 2, true);
      },
    ),
    { numRuns: 40 },
  );
});

test('P18: in index order blocks follow each other, and a mark says that all below it has come', async () => {
  const bench = await Bench.start();
  const count = 2 * BLOCK_TASKS + 10;
  bench.piece = 500;
  const job = await bench.submit({ range: { start: 0, step: 1, count } });
  const stream = await bench.stream({ job, order: 'index' });
  await bench.work();
  let next = 0;
  const seen = new Set<number>();
  for (const message of bench.client.heard) {
    if (message.kind === 'resultBatch') {
      for (const [, index] of tasksIn(message)) {
        assert.ok(index >= next, 'nothing comes after its mark');
        seen.add(index);
      }
      assert.ok((message.cursor as number) <= next || message.cursor === next);
    } else if (message.kind === 'resultMark') {
      next = message.next as number;
      for (let index = 0; index < next; index++) assert.ok(seen.has(index), `${index} came before its mark`);
    }
  }
  assert.deepEqual([next, seen.size], [count, count]);
  const from = BLOCK_TASKS + 7;
  const rest = await bench.stream({ job, order: 'index', after: from });
  assert.deepEqual(sorted(indexes(arrivals(bench.client, rest))), upTo(count).slice(from));
  assert.ok(stream < rest);
});

test('P18: defined leaves out what is undefined, and nothing else', async () => {
  const bench = await Bench.start();
  bench.fate = (index) => (index === 3 ? { fails: 'no' } : { value: index % 2 === 0 ? index : undefined });
  bench.piece = 5;
  const job = await bench.submit({ range: { start: 0, step: 1, count: 20 } });
  await bench.work();
  for (const order of ['completion', 'index'] as const) {
    const stream = await bench.stream({ job, order, defined: true });
    const expected = upTo(20).filter((index) => index % 2 === 0 || index === 3);
    assert.deepEqual(sorted(indexes(arrivals(bench.client, stream))), expected);
  }
  assert.equal(bench.client.of('resultsEnd').length, 2);
});

test('P18: after a retry, index order tells only the newest; completion order tells both, by generation', async () => {
  const bench = await Bench.start();
  bench.fate = (index) => (index % 3 === 0 ? { fails: 'first' } : { value: 'ok' });
  bench.piece = 4;
  const job = await bench.submit({ range: { start: 0, step: 1, count: 12 }, maxFailures: 12 });
  await bench.work();
  bench.fate = (index) => (index === 6 ? { fails: 'again' } : { value: 'second' });
  assert.equal((await bench.ask('act', { job, action: 'retry' })).ok, true);
  const live = await bench.stream({ job, order: 'index' });
  await bench.server.clock.advance(RETRY_BACKOFF);
  await bench.work();
  const newest = arrivals(bench.client, live);
  assert.deepEqual(sorted(indexes(newest)), upTo(12));
  const told = (index: number) => newest.find((arrival) => arrival.index === index)?.value;
  assert.deepEqual([told(0), told(1), told(3)], ['second', 'ok', 'second']);
  assert.equal((told(6) as Error).message, 'again');
  const all = await bench.stream({ job });
  const ofSix = arrivals(bench.client, all).filter(({ index }) => index === 6);
  assert.deepEqual(
    ofSix.map(({ generation, value }) => [generation, (value as Error).message]),
    [
      [0, 'first'],
      [1, 'again'],
    ],
  );
  assert.equal(arrivals(bench.client, all).length, 12 + 4);
});

test('P18: of a cancelled job what there is comes, then the end, in either order', async () => {
  const bench = await Bench.start();
  const job = await bench.submit({ range: { start: 0, step: 1, count: 1_000_000_000 } });
  await bench.work(10);
  const early = await bench.stream({ job, order: 'index' });
  await bench.ask('act', { job, action: 'cancel' });
  const late = await bench.stream({ job });
  for (const stream of [early, late]) {
    assert.deepEqual(sorted(indexes(arrivals(bench.client, stream))), upTo(10));
    assert.ok(bench.client.of('resultsEnd').some((end) => end.stream === stream));
  }
});

test('P18: an open job goes on where its inputs go on', async () => {
  const bench = await Bench.start();
  const job = await bench.submit({});
  const streams = [await bench.stream({ job }), await bench.stream({ job, order: 'index' })];
  for (let first = 0; first < 6; first += 2) {
    await bench.ask('inputs', { job, runs: [[first, 2]] }, columnOfValues(['a', 'b']));
    await bench.work();
    for (const stream of streams) assert.deepEqual(sorted(indexes(arrivals(bench.client, stream))), upTo(first + 2));
  }
  assert.equal(bench.client.of('resultsEnd').length, 0);
  await bench.ask('close', { job, total: 6 });
  assert.equal(bench.client.of('resultsEnd').length, 2);
});

test('P18: a stream of a job that is forgotten under it ends with a sentence', async () => {
  const bench = await Bench.start();
  const job = await bench.submit({ range: { start: 0, step: 1, count: 20 } });
  await bench.work();
  const stream = await bench.stream({ job, credit: 1 });
  await bench.ask('act', { job, action: 'forget' });
  bench.client.say({ kind: 'credit', stream, bytes: 1e9 });
  await bench.server.clock.settle();
  const answer = bench.client.of('answer').find(({ request, ok }) => request === stream && ok === false);
  assert.deepEqual(
    [answer?.code, answer?.message],
    ['unknown', `job ${job} was forgotten while its results were read`],
  );
});
