import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { cleanUp } from '../../test/support/cleanup.ts';
import { LiveServer } from '../../test/support/live-server.ts';
import { waitFor } from '../../test/support/wait.ts';

const here = import.meta.dirname;
const missing = ['python3', 'curl', 'jq'].filter((tool) => spawnSync(tool, ['--version']).status !== 0);
// .ci/run installs them.
const skip = missing.length > 0 && process.env['CI'] !== 'true' && `${missing.join(', ')} is not installed here`;

test('P5: a worker in Python and a client in curl and jq compute together', { skip }, async (t) => {
  const server = await LiveServer.start(t);
  const worker = spawn('python3', [path.join(here, 'worker.py'), server.running.joinUrl]);
  let said = '';
  for (const stream of [worker.stdout, worker.stderr]) stream.on('data', (text: Buffer) => (said += text));
  cleanUp(t, () => worker.kill('SIGKILL'));
  await waitFor(() => said.includes('joined'), { what: 'the worker' });

  const client = (...inputs: string[]) =>
    new Promise<string>((resolve, reject) => {
      const child = spawn('sh', [
        path.join(here, 'client.sh'),
        server.url,
        server.admin,
        path.join(here, 'task.py'),
        ...inputs,
      ]);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text));
      child.on('error', reject);
      child.on('close', () => resolve(output));
    });
  assert.equal(await client('27', '97', '871'), '111\n118\n178\n');
  assert.match(await client('27', 'x'), /^111\ntask 1 failed: .*str.*\n$/);

  // Large values go by HTTP, a killed server's worker comes back with what it has done, and a range needs no inputs.
  const code = 'def task(value, ctx):\n    return len(value) if isinstance(value, str) else value + ctx.index\n';
  const submit = async (body: object) =>
    ((await (await server.api('POST', '/v1/jobs', { code, runner: 'python', ...body })).json()) as { id: number }).id;
  const values = async (job: number) => {
    const answer = await server.api('GET', `/v1/jobs/${job}/results?follow`);
    const lines = (await answer.text()).trim().split('\n');
    return lines.map((line) => (JSON.parse(line) as { value: unknown }).value);
  };
  assert.deepEqual(await values(await submit({ inputs: ['x'.repeat(100_000), 5] })), [100_000, 6]);
  await server.restart();
  assert.deepEqual(await values(await submit({ range: { start: 10, step: 10, count: 3 } })), [10, 21, 32]);
  await server.api('POST', `/v1/workers/${/worker (\S+)/.exec(said)?.[1]}/stop`);
  await waitFor(() => worker.exitCode === 0, { what: 'its end' });
});
