import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { JobView } from '../../model/feed.ts';
import { INLINE_VALUE_BYTES } from '../../model/limits.ts';

const farm = await ServedFarm.start({ after });

interface Task {
  readonly status: string;
  readonly input?: { value?: unknown; blob?: string; size?: number; type?: string };
  readonly output?: Task['input'];
  readonly error?: { name: string; message: string };
  readonly reasons?: readonly string[];
  readonly attempt?: number;
  readonly attempts: readonly { outcome: string; message: string; worker: string }[];
  readonly worker?: string;
  readonly batch?: { tasks: number };
}

const task = (job: number, index: number, more = '') => farm.json<Task>('GET', `/v1/jobs/${job}/tasks/${index}${more}`);
const ended = async (job: number) =>
  await waitFor(async () => (await farm.json<JobView>('GET', `/v1/jobs/${job}`)).progress.state !== 'active');

test('a task without a worker waits, and says why', async () => {
  const job = await farm.submit({ code: 'export default (x) => x;', inputs: [{ a: 1 }], requires: { gpu: 'yes' } });
  const { status, input, reasons, attempts, output } = await task(job, 0);
  assert.deepEqual([status, input, attempts, output], ['waiting', { value: { a: 1 } }, [], undefined]);
  assert.ok(
    (reasons ?? []).length > 0 && reasons?.every((reason) => /^[A-Z].*\.$/.test(reason)),
    JSON.stringify(reasons),
  );
  assert.deepEqual(await task(job, 0, '/explain'), { state: 'waiting', reasons });
  const early = await farm.ask('GET', `/v1/jobs/${job}/tasks/0/output`);
  assert.deepEqual([early.status, /has no result yet/.test(early.text)], [404, true]);
  await farm.json('POST', `/v1/jobs/${job}/cancel`);
  const cancelled = await task(job, 0);
  assert.equal(cancelled.status, 'cancelled');
  assert.match(cancelled.reasons?.[0] ?? '', /did not run to its end before the job ended/);
});

test('what tasks said, gave and failed with is told task by task', async (t) => {
  await farm.join();
  const code = `export default (x, ctx) => {
    console.log('input is', x);
    console.error('careful');
    if (x === 'fail') throw new RangeError('no good');
    return x === 'large' ? 'y'.repeat(${INLINE_VALUE_BYTES + 1}) : x === 'bytes' ? new Uint8Array([1, 2, 255]) : x;
  };`;
  const inputs = ['small', 'fail', 'large', 'bytes', null];
  const job = await farm.submit({ code, inputs, retries: 1, maxFailures: 5 });
  const running = await waitFor(async () => {
    const now = await task(job, 1);
    return now.status === 'waiting' ? undefined : now;
  });
  assert.ok(['running', 'failed'].includes(running.status));
  await ended(job);
  await t.test('one that is done', async () => {
    const done = await task(job, 0);
    assert.deepEqual([done.status, done.input, done.output], ['done', { value: 'small' }, { value: 'small' }]);
    assert.ok(done.worker !== undefined && (done.batch?.tasks ?? 0) >= 1);
    assert.deepEqual(await task(job, 0, '/explain'), {
      state: 'done',
      reasons: ['It has ended; its result is recorded.'],
    });
  });
  await t.test('one that failed, with its attempts', async () => {
    const failed = await task(job, 1);
    assert.deepEqual([failed.status, failed.error?.name, failed.error?.message], ['failed', 'RangeError', 'no good']);
    assert.equal(failed.attempt, 2);
    assert.ok(
      failed.attempts.length >= 1 &&
        failed.attempts.every(({ outcome, message }) => outcome === 'failed' && /no good/.test(message)),
    );
    const output = await farm.ask('GET', `/v1/jobs/${job}/tasks/1/output`);
    assert.equal(output.status, 409);
    assert.match((output.json as { detail: string }).detail, /^the task failed: RangeError: no good$/);
    assert.equal((output.json as { error: { name: string } }).error.name, 'RangeError');
    assert.deepEqual(await task(job, 1, '/explain'), { state: 'failed', reasons: ['It failed: RangeError: no good'] });
  });
  await t.test('large values and bytes', async () => {
    const large = await task(job, 2);
    assert.deepEqual([large.output?.size, large.output?.type], [INLINE_VALUE_BYTES + 3, 'json']);
    const whole = await farm.ask('GET', `/v1/jobs/${job}/tasks/2/output`);
    assert.deepEqual(
      [whole.headers['content-type'], whole.json],
      ['application/json', 'y'.repeat(INLINE_VALUE_BYTES + 1)],
    );
    const part = await farm.ask('GET', `/v1/jobs/${job}/tasks/2/output`, { headers: { range: 'bytes=0-3' } });
    assert.deepEqual([part.status, part.text], [206, '"yyy']);
    const bytes = await farm.ask('GET', `/v1/jobs/${job}/tasks/3/output`);
    assert.deepEqual([bytes.headers['content-type'], [...bytes.body]], ['application/octet-stream', [1, 2, 255]]);
    assert.equal((await farm.ask('GET', `/v1/jobs/${job}/tasks/4/output`)).text, 'null');
  });
  await t.test('what they printed, page by page', () => printed(job));
});

async function printed(job: number): Promise<void> {
  type Page = { logs: { index: number; stream: string; text: string; cursor: number }[]; next?: number };
  const one = await farm.json<Page>('GET', `/v1/jobs/${job}/tasks/0/logs`);
  assert.equal(one.logs.map(({ text }) => text).join(''), 'input is small\ncareful\n');
  assert.deepEqual(
    one.logs.map(({ stream }) => stream),
    ['stdout', 'stderr'],
  );
  const all = await farm.json<Page>('GET', `/v1/jobs/${job}/logs`);
  assert.deepEqual([...new Set(all.logs.map(({ index }) => index))].sort(), [0, 1, 2, 3, 4]);
  const paged: Page['logs'] = [];
  for (let next: number | undefined = 0; next !== undefined; ) {
    const page: Page = await farm.json('GET', `/v1/jobs/${job}/logs?limit=3&after=${next}`);
    paged.push(...page.logs);
    next = page.next;
  }
  assert.deepEqual(paged, all.logs);
}

test('a failure that retry has opened again is history', async () => {
  const job = await farm.submit({
    code: "export default () => { throw new Error('no'); };",
    inputs: [1],
    requires: {},
  });
  await ended(job);
  assert.equal((await task(job, 0)).status, 'failed');
  for (const { id } of (await farm.json<{ workers: { id: string }[] }>('GET', '/v1/workers')).workers) {
    await farm.json('POST', `/v1/workers/${id}/drain`);
  }
  await farm.json('POST', `/v1/jobs/${job}/retry`);
  const again = await task(job, 0);
  assert.deepEqual([again.status, again.error, again.output], ['waiting', undefined, undefined]);
  assert.equal((await farm.ask('GET', `/v1/jobs/${job}/tasks/0/output`)).status, 404);
});

test('a task that is not there is named', async () => {
  const job = await farm.submit({ code: 'export default 1', range: { start: 0, step: 1, count: 3 } });
  for (const what of ['', '/input', '/output', '/explain', '/logs']) {
    const answer = await farm.ask('GET', `/v1/jobs/${job}/tasks/3${what}`);
    assert.equal(answer.status, 404);
    assert.match(answer.text, new RegExp(`job ${job} has 3 tasks: there is no task 3`));
    assert.equal((await farm.ask('GET', `/v1/jobs/999999/tasks/0${what}`)).status, 404);
  }
  assert.equal((await farm.ask('GET', `/v1/jobs/${job}/tasks/2/input`)).text, '2');
});
