import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import type { JobView } from '../../model/feed.ts';

const farm = await ServedFarm.start({ after });
const code = 'export default (x) => x * x;';
const other = 'def task(x):\n    return x * x\n';
const sha256Of = (text: string) => createHash('sha256').update(text).digest('hex');

const post = async (job: unknown) => {
  const { status, text } = await farm.ask('POST', '/v1/jobs', jsonBody(job));
  return [status, status === 201 ? '' : (JSON.parse(text) as { detail: string }).detail];
};

test('a job has variants: texts that come with it, and blobs that were uploaded before', async () => {
  const requires = { arch: 'arm64' };
  const variants = [
    { code: other, runner: 'python', sourceName: 'square.py' },
    { code: { sha256: sha256Of(other) }, runner: 'exec', requires },
  ];
  const id = await farm.submit({ name: 'squares', code, variants: variants.slice(0, 1), inputs: [1] });
  const { spec } = await farm.json<JobView>('GET', `/v1/jobs/${id}`);
  const square = { runner: 'python', sourceName: 'square.py', sha256: sha256Of(other), size: other.length };
  assert.deepEqual(spec.variants, [square]);
  const kept = await farm.ask('GET', `/v1/blobs/${sha256Of(other)}`);
  assert.equal(kept.text, other);
  const again = await farm.json<JobView>('GET', `/v1/jobs/${await farm.submit({ code, variants, inputs: [1] })}`);
  assert.deepEqual(again.spec.variants?.[1]?.requires, requires);
  assert.equal(again.spec.code.sourceName, 'task.js');
});

test('variants that make no sense are refused with one sentence', async () => {
  const missing = 'b'.repeat(64);
  const wrong = async (variants: unknown) => post({ code, inputs: [1], variants });
  assert.deepEqual(await wrong([{ code: { sha256: missing } }]), [
    400,
    `blob ${missing} was not uploaded: PUT /v1/blobs/${missing} first`,
  ]);
  assert.match((await wrong([{ code: other, runner: 'wasi' }]))[1] as string, /^a WebAssembly program is bytes/);
  assert.match((await wrong([{ runner: 'js' }]))[1] as string, /code/);
  assert.match((await wrong(Array(8).fill({ code: other, runner: 'python' })))[1] as string, /variants/);
});
