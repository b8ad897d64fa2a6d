import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { cleanUp } from '../../test/support/cleanup.ts';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { LiveServer } from '../../test/support/live-server.ts';
import { ModelServer } from '../../test/support/model-server.ts';
import { type Running, startManyhands } from '../../test/support/processes.ts';
import { columnOfValues, RawClient, submitOf } from '../../test/support/raw-client.ts';
import type { Listening } from '../../test/support/raw-socket.ts';
import { codeOf, helloOf, tasksIn } from '../../test/support/raw-worker.ts';
import { waitFor } from '../../test/support/wait.ts';
import { ADOPTION_GRACE, BROWSER_ADOPTION_GRACE } from '../model/limits.ts';
import { readColumn } from '../protocol/column.ts';
import { decodeColumn } from '../protocol/values/column.ts';
import { startWorker, type Worker } from '../worker/node/join.ts';

/** Tells when and where it began, once it has taken as many milliseconds as its input says. */
const SLOW = `export default (ms) => {
  const began = Date.now();
  console.log('begun');
  return new Promise((done) => setTimeout(() => done({ began, pid: process.pid }), ms));
};`;

interface Told {
  readonly began: number;
  readonly pid: number;
}

function joined(t: TestContext, server: Listening, slots: number): Worker {
  const worker = startWorker({ url: server.url, token: server.work, slots, name: 'oak' });
  cleanUp(t, () => worker.stop());
  return worker;
}

async function submitSlow(t: TestContext, server: Listening, millis: readonly number[]): Promise<number> {
  const client = await RawClient.open(t, server);
  const job = await client.submit({ code: codeOf(SLOW), inline: SLOW });
  assert.ok((await client.inputs(job, 0, millis)).ok);
  assert.ok((await client.ask('close', { job, total: millis.length })).ok);
  client.wire.socket.close();
  return job;
}

/** Every result, and what the job came to. */
async function results(t: TestContext, server: Listening, job: number) {
  const client = await RawClient.open(t, server);
  const stream = client.send('results', { job, order: 'completion', credit: 1e9 });
  const { progress } = (await client.streamEnd(stream)) as unknown as {
    progress: { state: string; done: number; lost: number; retried: number };
  };
  const told: Told[] = [];
  let outcomes = 0;
  for (const batch of client.batches(stream)) {
    const column = readColumn(client.wire.columns.get(batch) as Uint8Array);
    const values = decodeColumn(column.lengths, column.statuses, column.bytes) as Told[];
    for (const [i, [, index]] of tasksIn(batch).entries()) {
      told[index] = values[i] as Told;
      outcomes++;
    }
  }
  return { progress, told, outcomes };
}

test('R5 F-43: a server that restarts takes over what runs: nothing is started again, nothing is lost', async (t) => {
  const server = await LiveServer.start(t);
  const worker = joined(t, server, 2);
  await worker.joined;
  const pids = () => [...worker.taskPids].sort();
  const job = await submitSlow(t, server, [2_500, 2_500, 10, 10, 10]);
  const logs = () => server.core.store.readLogs(job, { after: 0, limit: 100 });
  await waitFor(async () => (await logs()).length === 2, { what: 'two tasks to begin' });
  const before = pids();
  const restarted = Date.now();
  await server.restart();
  const { progress, told, outcomes } = await results(t, server, job);
  assert.deepEqual([progress.state, progress.done, progress.lost, progress.retried, outcomes], ['done', 5, 0, 0, 5]);
  for (const { began, pid } of told.slice(0, 2)) {
    assert.ok(began <= restarted, 'it ran on');
    assert.ok(before.includes(pid), 'in the process in which it began');
  }
  for (const { began } of told.slice(2)) assert.ok(began > restarted);
  assert.deepEqual(pids(), before);
  // What is printed while there is no server is nowhere; but nothing can have begun twice unseen by both.
  const begun = (await logs()).map(({ log }) => log.index);
  assert.equal(new Set(begun).size, begun.length, `each began once: ${begun}`);
  assert.ok(begun.includes(0) && begun.includes(1));
});

/** `manyhands serve` as a process of its own. */
class ServedFarm implements Listening {
  readonly dataDir: string;
  readonly #t: TestContext;
  #running!: Running;
  url = '';
  admin = '';
  work = '';

  constructor(t: TestContext) {
    this.#t = t;
    this.dataDir = temporaryDirectory(t, 'served');
  }

  async serve(): Promise<void> {
    const port = this.url === '' ? '0' : new URL(this.url).port;
    this.#running = startManyhands(this.#t, ['serve', '--json', '--port', port, '--data', this.dataDir]);
    const [line] = await this.#running.output(/\{"url".*\}/, { stream: 'stdout', timeout: 30_000 });
    const { url, joinUrl } = JSON.parse(line) as { url: string; joinUrl: string };
    this.url = url;
    this.work = new URL(joinUrl).hash.slice(1);
    this.admin = (await readFile(path.join(this.dataDir, 'admin.token'), 'utf8')).trim();
  }

  async logs(job: number): Promise<string> {
    const headers = { authorization: `Bearer ${this.admin}` };
    return (await fetch(`${this.url}/v1/jobs/${job}/logs`, { headers })).text();
  }

  kill(): Promise<void> {
    return this.#running.kill();
  }
}

test('R5 F-18: a server that is killed, twice, finds its running tasks where they are', async (t) => {
  const farm = new ServedFarm(t);
  await farm.serve();
  joined(t, farm, 2);
  const job = await submitSlow(t, farm, [6_000, 6_000, 10, 10]);
  await waitFor(async () => (await farm.logs(job)).match(/begun/g)?.length === 2, { what: 'two tasks to begin' });
  const killed = Date.now();
  for (let life = 0; life < 2; life++) {
    await farm.kill();
    await farm.serve();
  }
  const { progress, told, outcomes } = await results(t, farm, job);
  assert.deepEqual([progress.state, progress.done, progress.lost, outcomes], ['done', 4, 0, 4]);
  for (const { began } of told.slice(0, 2)) assert.ok(began <= killed, 'it ran on');
});

test('R5: what a worker held is kept for it for the time of grace, and other tasks flow meanwhile', async () => {
  for (const [device, grace] of [
    ['node', ADOPTION_GRACE],
    ['browser', BROWSER_ADOPTION_GRACE],
  ] as const) {
    const first = await ModelServer.start();
    const away = await first.joined({ device });
    const client = first.client();
    client.say({ kind: 'submit', request: 1, ...submitOf() });
    await first.clock.settle();
    client.say({ kind: 'inputs', request: 2, job: 1, runs: [[0, 1]] }, columnOfValues(['held']));
    await first.clock.settle();
    assert.equal(away.of('tasks').length, 1);
    const second = await first.killed();
    const here = await second.joined({ slots: 4 });
    const again = second.client();
    again.say({ kind: 'inputs', request: 1, job: 1, runs: [[1, 1]] }, columnOfValues(['free']));
    await second.clock.settle();
    const indexes = () => here.of('tasks').flatMap((message) => tasksIn(message).map(([, index]) => index));
    assert.deepEqual(indexes(), [1], 'the free one is given at once');
    await second.clock.advance(grace - 1_000);
    assert.deepEqual(indexes(), [1]);
    here.say({ kind: 'beat' });
    await second.clock.advance(2_000);
    assert.deepEqual(indexes(), [1, 0], 'its worker has not come back in time');
  }
});

test('R5 P11: a hello keeps what it names; what it leaves out is given at once, what nobody knows is revoked', async () => {
  const first = await ModelServer.start();
  const hello = helloOf({ slots: 2 });
  const worker = first.worker();
  worker.say(hello);
  const client = first.client();
  client.say({ kind: 'submit', request: 1, ...submitOf({ range: { start: 0, step: 1, count: 2 } }) });
  await first.clock.settle();
  const [kept, dropped] = worker.of('tasks').flatMap((message) => tasksIn(message)) as [
    [number, number],
    [number, number],
  ];
  const second = await first.killed();
  const back = second.worker();
  const held = [
    { lease: kept[0], runs: [[kept[1], 1]] },
    { lease: 12_345, runs: [[7, 2]] },
  ];
  back.say({ ...hello, held });
  await second.clock.settle();
  assert.deepEqual(back.of('revoke'), [{ kind: 'revoke', lease: 12_345, runs: [[7, 2]] }]);
  const given = back.of('tasks').flatMap((message) => tasksIn(message));
  assert.deepEqual(
    given.map(([, index]) => index),
    [dropped[1]],
  );
  assert.ok((given[0]?.[0] ?? 0) > kept[0], 'under a lease of the new epoch');
});
