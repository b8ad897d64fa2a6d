import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanUp } from '../../test/support/cleanup.ts';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { type Running, startManyhands } from '../../test/support/processes.ts';
import { waitFor, within } from '../../test/support/wait.ts';
import { startWorker } from '../worker/node/join.ts';
import { connectWith } from './connect.ts';
import type { Farm } from './farm.ts';

/** A server in a process of its own that can be killed and started again on the same port and data, and who knows it. */
class MortalServer {
  readonly farm: Farm;
  readonly #start: () => Promise<Running>;
  #running: Running;

  private constructor(farm: Farm, start: () => Promise<Running>, running: Running) {
    this.farm = farm;
    this.#start = start;
    this.#running = running;
  }

  static async start(t: TestContext): Promise<MortalServer> {
    const data = temporaryDirectory(t, 'mortal');
    let port = 0;
    const start = async (): Promise<Running> => {
      const running = startManyhands(t, ['serve', '--json', '--port', String(port), '--data', data]);
      const said = await running.output(/^\{.*\}$/m, { stream: 'stdout', timeout: 60_000 });
      port = Number(new URL((JSON.parse(said[0]) as { url: string }).url).port);
      return running;
    };
    const running = await start();
    const url = `http://127.0.0.1:${port}`;
    const [token = ''] = readFileSync(path.join(data, 'admin.token'), 'utf8').split('\n');
    const worker = startWorker({ url, token, slots: 1 });
    cleanUp(t, () => worker.stop());
    await worker.joined;
    const farm = await connectWith({ url, token }, undefined);
    return new MortalServer(farm, start, running);
  }

  async kill(): Promise<void> {
    this.#running.signal('SIGKILL');
    await this.#running.exited;
  }

  async killAndRestart(): Promise<void> {
    await this.kill();
    this.#running = await this.#start();
  }
}

test('F-18, S2, S7: a server that is killed and started again, whenever, loses nothing of a program and gives nothing twice', async (t) => {
  const server = await MortalServer.start(t);
  const { farm } = server;
  const count = 30_000;
  const expected = Array.from({ length: count }, (_, i) => 3 * i);
  async function* inputs(): AsyncGenerator<number> {
    for (let i = 0; i < count; i++) {
      if (i % 2_000 === 0) await sleep(100);
      yield i;
    }
  }
  const job = await farm.map((n: number) => 3 * n, inputs());
  const read = async (ordered: boolean): Promise<number[]> => {
    const got: number[] = [];
    for await (const record of job.results({ ordered })) {
      assert.ok(
        record.status === 'done' && got[record.index] === undefined,
        `task ${record.index} came twice, or failed`,
      );
      if (ordered) assert.equal(record.index, got.length);
      got[record.index] = record.value;
    }
    return got;
  };
  let over = false;
  const runs = (async () => {
    const answers: Promise<number>[] = [];
    for (let i = 0; !over; i++) {
      answers.push(farm.run((n: number) => -n, i));
      await sleep(5);
    }
    return Promise.all(answers);
  })();
  const progress: number[] = [];
  const watching = (async () => {
    for await (const report of job.progress()) progress.push(report.progress.done);
  })();
  const reading = [job.values(), read(true), read(false)];
  for (const delay of [300, 700, 150]) {
    await sleep(delay);
    await server.killAndRestart();
  }
  for (const got of await Promise.all(reading)) assert.deepEqual(got, expected);
  await watching;
  over = true;
  for (const [i, answer] of (await runs).entries()) assert.equal(answer, -i);
  const end = (await job.status()).progress;
  assert.deepEqual([end.total, end.done, end.failed, progress.at(-1)], [count, count, 0, count]);
  await farm.close();
});

test('F-13: what ended while nobody was connected is told when the server is there again', async (t) => {
  const server = await MortalServer.start(t);
  const job = await server.farm.map(
    async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      return n;
    },
    [1, 2],
  );
  const ended = job.ended();
  const values = job.values();
  await waitFor(async () => (await job.status()).progress.startedAt, { what: 'the start of the job' });
  await server.killAndRestart();
  assert.deepEqual([(await ended).state, await values], ['done', [1, 2]]);
  await server.farm.close();
});

test('a program that closes its farm does not wait for ever for a server that is gone', async (t) => {
  const server = await MortalServer.start(t);
  const { farm } = server;
  assert.equal(await farm.run((n: number) => n, 1), 1);
  await server.kill();
  const waiting = farm.run((n: number) => n, 2);
  waiting.catch(() => {});
  await assert.rejects(
    within(farm.close(), 30_000, 'the close'),
    /^FarmError: the server is gone, and what this program/,
  );
  await assert.rejects(waiting, /the farm was closed by this program/);
});
