import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { JobView } from '../../model/feed.ts';

const farm = await ServedFarm.start({ after });
const code = 'export default (x) => x * x;';

const view = async (id: number, on = farm) => await on.json<JobView>('GET', `/v1/jobs/${id}`);
const post = async (job: unknown, key?: string) => {
  const { headers, body } = jsonBody(job);
  return await farm.ask('POST', '/v1/jobs', {
    headers: { ...headers, ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body,
  });
};

test('a job of inputs is submitted with one request, and looked at with the address it gives', async () => {
  const answer = await post({ name: 'squares', code, inputs: [1, 'two', null, { three: [3] }] });
  assert.equal(answer.status, 201, answer.text);
  const job = answer.json as JobView;
  assert.equal(answer.headers.location, `/v1/jobs/${job.id}`);
  assert.deepEqual(await farm.json('GET', answer.headers.location), job);
  const { spec, progress } = job;
  assert.equal(spec.name, 'squares');
  assert.equal(spec.code.sha256, createHash('sha256').update(code).digest('hex'));
  assert.deepEqual([progress.state, progress.open, progress.total, progress.done], ['active', false, 4, 0]);
});

test('a job of a range, with every option', async () => {
  const options = {
    ...{ priority: 5, weight: 2, retries: 3, maxFailures: 7, timeout: 60_000, requires: { zone: 'a' }, cpus: 2 },
    ...{ memory: 1e9, resources: { gpu: 1 }, fenced: true, sourceName: 'square.ts', runner: 'js' },
  };
  const { spec, progress } = await view(
    await farm.submit({ code, range: { start: 10, step: -2, count: 1e9 }, ...options }),
  );
  const { sourceName, runner, ...others } = options;
  for (const [name, value] of Object.entries(others)) assert.deepEqual(spec[name as keyof typeof spec], value, name);
  assert.deepEqual([spec.code.sourceName, spec.code.runner, spec.name], [sourceName, runner, sourceName]);
  assert.deepEqual([spec.range, progress.total], [{ start: 10, step: -2, count: 1e9 }, 1e9]);
});

test('code may be a blob that was uploaded before, and must be', async () => {
  const sha256 = createHash('sha256').update(code).digest('hex');
  const other = 'b'.repeat(64);
  const missing = await post({ code: { sha256: other }, inputs: [1] });
  assert.equal(missing.status, 400);
  assert.match(missing.text, new RegExp(`PUT /v1/blobs/${other} first`));
  await farm.ask('PUT', `/v1/blobs/${sha256}`, { headers: { 'content-type': 'application/octet-stream' }, body: code });
  const { spec } = await view(await farm.submit({ code: { sha256 }, inputs: [1] }));
  assert.deepEqual([spec.code.sha256, spec.code.size], [sha256, code.length]);
});

test('a job that makes no sense is refused with one sentence', async () => {
  const cases: [unknown, RegExp][] = [
    [{ code }, /needs inputs, a range, a source, or "open"/],
    [{ code, inputs: [1], range: { start: 0, step: 1, count: 1 } }, /inputs or a range, not both/],
    [{ code, open: true, range: { start: 0, step: 1, count: 1 } }, /a range is complete/],
    [{ inputs: [1] }, /needs code$/],
    [{ code, inputs: 5 }, /at \/inputs must be array$/],
    [{ code: 5, inputs: [1] }, /at \/code must be string or object$/],
    [{ code: { sha256: 'x' }, inputs: [1] }, /at \/code\/sha256 must match/],
    [{ code, inputs: [1], retires: 3 }, /unknown field: retires$/],
    [{ code, range: { start: 0, step: 1, count: -1 } }, /at \/range\/count must be >= 0$/],
    [{ code, range: { start: 0, count: 5 } }, /at \/range needs step$/],
    [{ code, inputs: [1], priority: 1.5 }, /at \/priority must be integer$/],
    [{ code, inputs: [1], requires: { zone: 5 } }, /at \/requires\/zone must be string$/],
    [
      { code, inputs: [1], runner: 'perl' },
      /at \/runner must be "js", "node", "npm", "wasi", "python", "venv" or "exec"$/,
    ],
    [{ code, inputs: [1], runner: 'wasi' }, /^a WebAssembly program is bytes: PUT them as a blob/],
    [{ code, inputs: [1], deterministic: true }, /^"deterministic" is for code whose "runner" is "wasi"$/],
    [{ code, inputs: [1, { $mh: [['Map', 1]] }] }, /^input 1/],
    [[], /the body must be object$/],
    ['squares', /the body must be object$/],
  ];
  for (const [job, expected] of cases) {
    const answer = await post(job);
    assert.equal(answer.status, 400, JSON.stringify(job));
    assert.match((answer.json as { detail: string }).detail, expected);
  }
});

test('F-17: with an Idempotency-Key the same request makes one job, and another one is a conflict', async () => {
  const job = { code, inputs: [1, 2, 3], retries: 1 };
  const first = await post(job, 'a key');
  assert.equal(first.status, 201);
  const { id } = first.json as JobView;
  const again = await post(job, 'a key');
  assert.deepEqual([again.status, (again.json as JobView).id], [200, id]);
  const inBody = await post({ ...job, idempotencyKey: 'a key' });
  assert.deepEqual([inBody.status, (inBody.json as JobView).id], [200, id]);
  const others = [
    { ...job, inputs: [1, 2, 4] },
    { ...job, inputs: [1, 2] },
    { ...job, inputs: [1, 2, 3, 4] },
    { ...job, inputs: [] },
    { ...job, retries: 2 },
    { ...job, code: `${code} ` },
    { ...job, name: 'other' },
    { ...job, open: true },
    { code, retries: 1, range: { start: 1, step: 1, count: 3 } },
  ];
  for (const other of others) {
    const answer = await post(other, 'a key');
    assert.equal(answer.status, 409, `${JSON.stringify(other)}: ${answer.text}`);
    assert.match(answer.text, new RegExp(`belongs to job ${id}`));
  }
  assert.equal((await view(id)).progress.total, 3);
  assert.equal((await post(job, 'another key')).status, 201);
  for (const key of ['', 'k'.repeat(257)]) assert.equal((await post(job, key)).status, 400);
});

test('F-17: keys belong to their token, and twenty at once are one job', async () => {
  const { headers, body } = jsonBody({ code, inputs: Array.from({ length: 500 }, (_, i) => i) });
  const send = (token: string) =>
    farm.ask('POST', '/v1/jobs', { token, headers: { ...headers, 'idempotency-key': 'k' }, body });
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(farm.tokens.submit)));
  const ids = new Set(answers.map(({ json }) => (json as JobView).id));
  assert.equal(ids.size, 1);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
  const mine = await send(farm.tokens.admin);
  assert.equal(mine.status, 201);
});

test('F-17: the key still holds when the job has ended, and when the server has started again', async (t) => {
  const dataDir = temporaryDirectory(t, 'again');
  const before = await ServedFarm.start(t, { dataDir });
  const job = { code: 'export default () => { throw new Error("no"); };', inputs: [1, 2] };
  const send = async (on: ServedFarm, sent: unknown) => {
    const { headers, body } = jsonBody(sent);
    return await on.ask('POST', '/v1/jobs', { headers: { ...headers, 'idempotency-key': 'k' }, body });
  };
  const { id } = (await send(before, job)).json as JobView;
  await before.json('POST', `/v1/jobs/${id}/cancel`);
  assert.equal((await send(before, job)).status, 200);
  assert.equal((await send(before, { ...job, inputs: [1, 3] })).status, 409);
  await before.server.close();
  const later = await ServedFarm.start(t, { dataDir });
  const same = await send(later, job);
  assert.deepEqual(
    [same.status, (same.json as JobView).id, (same.json as JobView).progress.state],
    [200, id, 'cancelled'],
  );
  assert.equal((await send(later, { ...job, inputs: [1, 2, 3] })).status, 409);
});

test('jobs are listed newest first, page by page, and by state', async (t) => {
  const own = await ServedFarm.start(t);
  for (let i = 0; i < 7; i++) await own.submit({ code, inputs: [i], name: `job ${i}` });
  for (const id of [2, 5]) await own.json('POST', `/v1/jobs/${id}/cancel`);
  await own.json('POST', '/v1/jobs/3/pause');
  type Page = { jobs: JobView[]; next?: number };
  const ids = ({ jobs }: Page) => jobs.map(({ id }) => id);
  const seen: number[] = [];
  let next: number | undefined;
  do {
    const page: Page = await own.json('GET', `/v1/jobs?limit=3${next === undefined ? '' : `&before=${next}`}`);
    seen.push(...ids(page));
    next = page.next;
  } while (next !== undefined);
  assert.deepEqual(seen, [7, 6, 5, 4, 3, 2, 1]);
  assert.deepEqual(ids(await own.json('GET', '/v1/jobs?state=cancelled')), [5, 2]);
  assert.deepEqual(ids(await own.json('GET', '/v1/jobs?state=paused&limit=1')), [3]);
  assert.deepEqual(ids(await own.json('GET', '/v1/jobs?state=active&before=6&limit=2')), [4, 1]);
  for (const wrong of [
    'limit=0',
    'limit=1001',
    'limit=x',
    'limit=1&limit=2',
    'before=0',
    'state=over',
    'sort=name',
    'ticket=x',
  ]) {
    assert.equal((await own.ask('GET', `/v1/jobs?${wrong}`)).status, 400, wrong);
  }
});

test('a job is paused, resumed, cancelled and forgotten; each says when it cannot be', async () => {
  const id = await farm.submit({ code, inputs: [1, 2] });
  const act = async (action: string) => await farm.ask('POST', `/v1/jobs/${id}/${action}`);
  const state = async (action: string) => ((await act(action)).json as JobView).progress.state;
  assert.equal(await state('pause'), 'paused');
  assert.equal(await state('pause'), 'paused');
  assert.equal(await state('resume'), 'active');
  for (const [action, why] of [['retry', /still running/]] as const) {
    const answer = await act(action);
    assert.deepEqual([answer.status, why.test(answer.text)], [409, true], answer.text);
  }
  const early = await farm.ask('DELETE', `/v1/jobs/${id}`);
  assert.deepEqual([early.status, /cancel it first/.test(early.text)], [409, true]);
  const cancelled = (await act('cancel')).json as JobView;
  assert.deepEqual([cancelled.progress.state, cancelled.progress.cancelled], ['cancelled', 2]);
  assert.equal(await state('cancel'), 'cancelled');
  for (const action of ['pause', 'resume', 'retry']) assert.equal((await act(action)).status, 409, action);
  assert.equal((await farm.ask('DELETE', `/v1/jobs/${id}`)).status, 204);
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/cancel'],
    ['GET', '/results'],
    ['GET', '/tasks/0'],
    ['GET', '/logs'],
    ['POST', '/close'],
  ]) {
    assert.equal((await farm.ask(method as string, `/v1/jobs/${id}${path}`)).status, 404, `${method} ${path}`);
  }
});

test('retry runs the failed tasks of an ended job again, and only those', async (t) => {
  const own = await ServedFarm.start(t);
  await own.join();
  const early = "export default (after) => { if (Date.now() < after) throw new Error('not yet'); return 'now'; };";
  const later = Date.now() + 60_000;
  const id = await own.submit({ code: early, inputs: [1, later, 2], maxFailures: 5 });
  const ended = async () =>
    await waitFor(async () => (await view(id, own)).progress.state !== 'active', { what: 'the end' });
  await ended();
  assert.deepEqual((await view(id, own)).progress.failed, 1);
  const again = await own.json<JobView>('POST', `/v1/jobs/${id}/retry`);
  assert.deepEqual([again.progress.failed, again.progress.done, again.progress.generation], [0, 2, 1]);
  await ended();
  const { progress } = await view(id, own);
  assert.deepEqual([progress.done, progress.failed, progress.generation], [2, 1, 1]);
});

test('numbers in addresses are written as numbers are', async () => {
  for (const id of ['0', '-1', '01', '1.0', '1e3', '0x1', ' 1', '99999999999999999999', 'last', '1;2', '%31x']) {
    const answer = await farm.ask('GET', `/v1/jobs/${encodeURIComponent(id)}`);
    assert.ok(answer.status === 400 || answer.status === 404, id);
  }
  assert.equal((await farm.ask('GET', '/v1/jobs/')).status, 400);
  assert.equal((await farm.ask('GET', '/V1/jobs')).status, 404);
});
