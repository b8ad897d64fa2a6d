import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ClientBench } from '../../test/support/client-bench.ts';
import { scriptedFarm } from '../../test/support/scripted-farm.ts';
import { ScriptedServer } from '../../test/support/scripted-server.ts';
import { CLOSED_JOBS } from '../model/client-limits.ts';
import type { Job } from './job.ts';
import type { Wire } from './wire.ts';

/** A program that has submitted jobs whose inputs came in two blocks, all of it acknowledged. */
class Bench {
  readonly server = new ScriptedServer();
  readonly #parts = scriptedFarm(this.server);
  readonly wire: Wire = this.#parts.wire;

  static async start(): Promise<Bench> {
    const bench = new Bench();
    await bench.until(bench.wire.start());
    return bench;
  }

  async submit(): Promise<Job<number>> {
    const { farm } = this.#parts;
    const twoBlocks = async function* () {
      for (let at = 0; at < 4_097; at++) yield at;
    };
    const job = await this.until(farm.map((n: number) => n, twoBlocks()));
    await this.until(job.submitted);
    return job as Job<number>;
  }

  goBack(job: Job<number>, blocks: number): void {
    this.server.goBack(this.#stored(job), blocks);
  }

  isOpen(job: Job<number>): boolean {
    return this.#stored(job).open;
  }

  /** The line and the server work, and time passes, until it is settled. */
  async until<Value>(promise: Promise<Value>): Promise<Value> {
    let isSettled = false;
    const settle = (): void => void (isSettled = true);
    promise.then(settle, settle);
    for (let turns = 0; !isSettled; turns++) {
      assert.ok(turns < 10_000, 'it never settles');
      this.#step();
      await turn();
    }
    return await promise;
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < 50; turns++) {
      this.#step();
      await turn();
    }
  }

  #step(): void {
    this.server.accept();
    while (this.server.hear() || this.server.deliver());
    this.#parts.time.pass(100);
  }

  async work<Value>(promise: Promise<Value>): Promise<Value> {
    promise.catch(() => {});
    for (let turns = 0; turns < 50; turns++) {
      this.#step();
      await turn();
      this.server.work(4_096, () => 0.5);
    }
    return await this.until(promise);
  }

  #stored(job: Job<number>) {
    const stored = this.server.jobs[job.id - 1];
    assert.ok(stored !== undefined);
    return stored;
  }
}

test('P31: a program says the end of its inputs again when that was lost, and so its job ends', async () => {
  const bench = await Bench.start();
  const job = await bench.submit();
  assert.equal(bench.isOpen(job), false);
  const values = job.values();
  bench.goBack(job, 2);
  assert.equal(bench.isOpen(job), true);
  assert.equal((await bench.work(values)).length, 4_097);
});

test('P31: a program of which inputs were lost is told, and the job with the others is cancelled', async () => {
  const bench = await Bench.start();
  const job = await bench.submit();
  const values = job.values();
  bench.goBack(job, 1);
  await assert.rejects(
    bench.work(values),
    /^FarmError: the farm's database went back in time and lost some of the 4097 inputs of job 1: submit it again$/,
  );
});

test('P31: the end is said again also of a job that had ended here, and of none after an ordinary cut', async () => {
  const bench = await Bench.start();
  const job = await bench.submit();
  await bench.work(job.values());
  bench.goBack(job, 2);
  await bench.settle();
  assert.equal(bench.isOpen(job), false);
  let closes = 0;
  bench.wire.whenWentBack(() => closes++);
  bench.server.cut();
  await bench.settle();
  assert.equal(closes, 0);
});

test('P31: a session tells that the farm went back in time, after it has sent what had no answer', () => {
  const bench = new ClientBench().join();
  const welcome = (farm: string, history?: number): string[] => {
    bench.handle({ kind: 'disconnected', reason: 'cut' });
    bench.retry();
    bench.handle({ kind: 'connected' });
    bench.say({ kind: 'clientWelcome', protocol: 1, farm, ...(history !== undefined && { history }) });
    const kinds = bench.rest.map(({ kind }) => kind).filter((kind) => kind === 'send' || kind === 'wentBack');
    bench.take('wentBack');
    bench.take('send');
    return kinds;
  };
  bench.ask({ kind: 'status', job: 1 });
  bench.take('send');
  assert.deepEqual(welcome('f'), ['send']);
  assert.deepEqual(welcome('f', 1), ['send', 'wentBack']);
  assert.deepEqual(welcome('f', 1), ['send']);
  assert.deepEqual(welcome('f', 3), ['send', 'wentBack']);
  assert.deepEqual(welcome('another', 4), ['send'], 'an address that another farm has now');
});

test('CLOSED_JOBS: of very many jobs the newest are remembered', async () => {
  const bench = await Bench.start();
  const heard: number[] = [];
  for (let at = 0; at < CLOSED_JOBS + 2; at++) bench.wire.whenWentBack(() => heard.push(at));
  const job = await bench.submit();
  bench.goBack(job, 2);
  await bench.settle();
  assert.deepEqual([heard.length, heard[0], heard.at(-1)], [CLOSED_JOBS - 1, 3, CLOSED_JOBS + 1]);
});
