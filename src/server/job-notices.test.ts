import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelServer } from '../../test/support/model-server.ts';
import { columnOfValues } from '../../test/support/raw-client.ts';
import { codeOf, SQUARE } from '../../test/support/raw-worker.ts';
import { INLINE_CODE_BYTES } from '../model/limits.ts';
import { StoreError } from '../store/store.ts';
import { leftIn } from '../testing/simulation/drained.ts';
import type { SubmitSpec } from './core.ts';
import { InputCache } from './input-cache.ts';
import { JobNotices, type Missing } from './job-notices.ts';

/** A job on a server, and notices that know nothing yet. */
async function bench(more: Partial<SubmitSpec> = {}, code = SQUARE) {
  const server = await ModelServer.start();
  const open = more.range === undefined;
  const spec = { name: 'job', code: codeOf(code), ...more };
  const { job } = await server.clock.outcome(server.core.submit(spec, 'me', open, code));
  if (open) await server.clock.outcome(server.core.addInputs(job, 0, 2, columnOfValues(['a', 'b'])));
  const inputs = new InputCache();
  return { server, job, inputs, notices: new JobNotices(server.store, server.blobs, inputs) };
}

test('P8: what is not in memory is read once for all who wait, and then it is there', async () => {
  const { server, job, notices } = await bench({ timeout: 5_000, memory: 1e6, cpus: 2, resources: { gpu: 1 } });
  assert.deepEqual([notices.ready(job), notices.readyInputs(job, 0)], ['absent', 'absent']);
  let reads = 0;
  const read = server.store.readInputs.bind(server.store);
  server.store.readInputs = (...args) => {
    reads++;
    return read(...args);
  };
  assert.deepEqual(
    await Promise.all([notices.load({ job: job, block: 0, code: 0 }), notices.load({ job: job, block: 0, code: 0 })]),
    ['ready', 'ready'],
  );
  assert.equal(reads, 1);
  assert.deepEqual(notices.ready(job), {
    kind: 'job',
    job,
    name: 'job',
    code: codeOf(SQUARE),
    inline: SQUARE,
    timeout: 5_000,
    memory: 1e6,
    cpus: 2,
    resources: { gpu: 1 },
  });
  const found = notices.readyInputs(job, 0);
  assert.ok(typeof found === 'object' && found.column.count === 2);
});

test('P8: code that is too large to stand inline is only named; inputs of a range are numbers', async () => {
  const code = `${SQUARE}//${'x'.repeat(INLINE_CODE_BYTES)}`;
  const range = { start: 5, step: 2, count: 3 };
  const { job, notices } = await bench({ range }, code);
  assert.equal(await notices.load({ job: job, block: 0, code: 0 }), 'ready');
  assert.deepEqual(notices.ready(job), { kind: 'job', job, name: 'job', code: codeOf(code), range });
  assert.equal(notices.readyInputs(job, 0), undefined);
});

test('P8: code that is no text is only named, however small it is', async () => {
  const code = { ...codeOf(SQUARE), runner: 'wasi', deterministic: true } as const;
  const { job, notices } = await bench({ code, range: { start: 0, step: 1, count: 1 } });
  assert.equal(await notices.load({ job: job, block: 0, code: 0 }), 'ready');
  const notice = notices.ready(job);
  assert.ok(notice !== 'absent' && notice.inline === undefined);
  assert.deepEqual(notice.code, code);
});

test('P8: of a job that is over nothing is read, and nothing stays', async () => {
  const { server, job, notices } = await bench();
  await server.clock.outcome(server.core.act(job, 'cancel'));
  assert.equal(await notices.load({ job: job, block: 0, code: 0 }), 'over');
  assert.equal(await notices.load({ job: 4_000, block: 0, code: 0 }), 'over');
  assert.deepEqual([...leftIn(notices, 'notices', new Set<unknown>([server.store, server.blobs]))], []);
});

test('P8 F-26 D16: what is gone or damaged is missing for good, what cannot be read now is not', async () => {
  const { server, job, notices } = await bench();
  const read = server.store.readInputs.bind(server.store);
  const fails = async (error: StoreError): Promise<Missing> => {
    server.store.readInputs = () => Promise.reject(error);
    return (await notices.load({ job: job, block: 0, code: 0 })) as Missing;
  };
  assert.deepEqual(await fails(new StoreError('damaged', 'not what was written')), {
    lasting: true,
    reason: 'not what was written',
  });
  assert.deepEqual(await fails(new StoreError('busy', 'try again')), { lasting: false, reason: 'try again' });
  server.store.readInputs = read;
  assert.equal(await notices.load({ job: job, block: 0, code: 0 }), 'ready');
  assert.deepEqual(await notices.load({ job: job, block: 7, code: 0 }), { lasting: true, reason: 'its input is gone' });
});

test('R29: code is kept as long as a job needs it', async () => {
  const { server, job, inputs, notices } = await bench();
  const other = await server.clock.outcome(
    server.core.submit(
      { name: 'other', code: codeOf(SQUARE), range: { start: 0, step: 1, count: 1 } },
      'me',
      false,
      SQUARE,
    ),
  );
  await notices.load({ job: job, block: 0, code: 0 });
  await notices.load({ job: other.job, block: 0, code: 0 });
  notices.forget(job);
  assert.equal(typeof notices.ready(other.job), 'object');
  notices.forget(other.job);
  notices.forget(other.job);
  inputs.clear();
  assert.deepEqual([...leftIn(notices, 'notices', new Set<unknown>([server.store, server.blobs]))], []);
});

test('R29: nothing stays of submits that were refused', async () => {
  const server = await ModelServer.start();
  for (let i = 0; i < 5; i++) {
    const code = `${SQUARE}//${i}`;
    const spec = { name: 'job', code: codeOf(code), range: { start: 0, step: 1, count: 1 } };
    server.gate.hold();
    const submitted = server.core.submit(spec, 'me', false, code);
    submitted.catch(() => {});
    await server.clock.settle();
    server.gate.step();
    await server.clock.settle();
    server.gate.refuses = 'full';
    server.gate.release();
    await assert.rejects(server.clock.outcome(submitted), { code: 'full' });
    server.gate.refuses = undefined;
    await server.clock.advance(2_000);
  }
  const left = [...leftIn(server.core, 'core', new Set<unknown>([server.store, server.blobs, server.clock]))];
  assert.deepEqual(
    left.filter(([path]) => path.includes('notices') || path.includes('requests')),
    [],
  );
});
