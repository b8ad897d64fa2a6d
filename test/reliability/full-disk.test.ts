import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FarmError } from '../../src/index.ts';
import { runManyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { needs } from './needs.ts';
import { Served } from './served.ts';
import { SmallDisk } from './small-disk.ts';

const TASKS = 300;

/** Tells that it has begun, and gives a result of some length. */
async function told({ url, index }: { url: string; index: number }, ctx: { key: string; attempt: string }) {
  await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
  await new Promise((resolve) => setTimeout(resolve, 10));
  return `${index} ${'r'.repeat(2_000)}`;
}

async function refusalOf(submit: Promise<unknown>): Promise<FarmError> {
  const refused = await submit.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(refused instanceof FarmError, `refused, not ${String(refused)}`);
  return refused;
}

test(
  'on a full disk submits are refused and say so, nothing is acknowledged that is not saved, and with room it goes on (F-21, D13)',
  needs('root', 'a Linux kernel'),
  async (t) => {
    const disk = new SmallDisk(t, '24m');
    const served = await Served.start(t, { dataDir: path.join(disk.directory, 'data') });
    await served.join('--slots', '2');
    const counter = await Counter.start(t);
    const farm = await served.connect();
    const inputs = Array.from({ length: TASKS }, (_, index) => ({ url: counter.url, index }));
    const job = await farm.map(told, inputs);
    await job.submitted;
    const early = await farm.map((x: number) => x + 1, [1, 2]);
    assert.deepEqual(await early.values(), [2, 3]);
    await waitFor(() => counter.starts.size > 20, { what: 'the first tasks' });

    disk.fill();
    const saved = async () => (await job.status()).progress.done;
    // What was on its way when the room went is refused within a commit or two.
    await refusalOf(farm.map((x: number) => x + 2, [1]));
    const before = await saved();
    const task = path.join(import.meta.dirname, '../../examples/template/task.ts');
    for (let turn = 0; turn < 8; turn++) {
      const refused = await refusalOf(farm.map((x: number) => x + 1, [1]));
      assert.equal(refused.code, 'full', refused.message);
      assert.match(refused.message, /no room/);
      const body = JSON.stringify({ code: 'export default (x) => x', inputs: [1] });
      const headers = { 'content-type': 'application/json' };
      const answer = await served.ask({ method: 'POST', path: '/v1/jobs', headers, body });
      assert.equal(answer.status, 507, answer.text);
      assert.match(answer.text, /no room/);
      await sleep(200);
    }
    const env = { MANYHANDS_URL: served.url, MANYHANDS_TOKEN: served.admin };
    const { code, stderr } = await runManyhands(t, ['run', task, '1', '--detach'], { env });
    assert.equal(code, 1);
    assert.match(stderr, /^manyhands: .*no room.*\n$/);
    assert.deepEqual(await early.values(), [2, 3], 'what is there can be read');
    assert.equal(await saved(), before, 'nothing was recorded that could not be saved');

    disk.free();
    const later = await waitFor(() => farm.map((x: number) => x + 3, [1, 2]).catch(() => undefined), {
      what: 'room',
      timeout: 30_000,
    });
    assert.deepEqual(await later.values(), [4, 5]);
    const values = await job.values();
    assert.deepEqual(
      values.map((value) => Number.parseInt(value, 10)),
      inputs.map(({ index }) => index),
    );
    const { progress } = await job.status();
    assert.deepEqual([progress.done, progress.failed, progress.lost], [TASKS, 0, 0]);
    const twice = [...counter.starts.values()].filter((attempts) => attempts.length > 1);
    assert.deepEqual(twice, [], 'workers kept their results until they were recorded');
    const said = served.process.stderr.split('\n').filter((line) => /nothing can be saved|saved again/.test(line));
    assert.match(said[0] ?? '', /"code":"full","msg":"nothing can be saved, .*make room/, 'the log says so');
    assert.match(said.at(-1) ?? '', /"msg":"what comes is saved again"/, 'and when it is over');
    assert.ok(said.length < 15, `once in a while: ${said.join('\n')}`);
    await served.stop();
  },
);
