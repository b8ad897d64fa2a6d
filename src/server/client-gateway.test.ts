import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { LiveServer } from '../../test/support/live-server.ts';
import { ModelServer } from '../../test/support/model-server.ts';
import { columnOfValues, RawClient, submitOf } from '../../test/support/raw-client.ts';
import { RawWorker, recorded } from '../../test/support/raw-worker.ts';
import { waitFor, within } from '../../test/support/wait.ts';
import { ValueStatus } from '../model/envelope.ts';
import { BLOCK_BYTES, BLOCK_TASKS, FRAME_BYTES, NOTE_INTERVAL } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { encodeFrame } from '../protocol/frames.ts';

const range = { start: 0, step: 1, count: 4 };

test('P16: the welcome is first, and each request gets one answer with its number, in whatever order', async (t) => {
  const server = await LiveServer.start(t);
  const client = await RawClient.open(t, server);
  const requests = [
    client.send('submit', submitOf({ range })),
    client.send('status', { job: 77 }),
    client.send('act', { job: 78, action: 'pause' }),
    client.send('close', { job: 79, total: 0 }),
    client.send('results', { job: 80, order: 'index', credit: 1 }),
  ];
  const answers = await Promise.all(requests.map((request) => client.answerTo(request)));
  assert.deepEqual(
    answers.map(({ ok, code }) => code ?? ok),
    [true, 'unknown', 'unknown', 'conflict', 'unknown'],
  );
  assert.equal(client.wire.heard[0]?.kind, 'clientWelcome');
  assert.equal(client.wire.of('answer').length, requests.length);
});

test('P16 S2: an answer comes after what it tells of is on disk', async () => {
  const server = await ModelServer.start();
  const client = server.client();
  client.say({ kind: 'submit', request: 1, ...submitOf({ range }) });
  await server.clock.settle();
  const { value } = client.last('answer') as unknown as { value: { job: number } };
  server.gate.hold();
  client.say({ kind: 'act', request: 2, job: value.job, action: 'pause' });
  await server.clock.settle();
  assert.equal(client.of('answer').length, 1);
  client.say({ kind: 'status', request: 3, job: value.job });
  await server.clock.settle();
  const status = client.last('answer') as unknown as { value: { progress: { state: string } } };
  assert.equal(status.value.progress.state, 'active', 'what is told of a job is what is on disk');
  server.gate.release();
  await server.clock.settle();
  assert.deepEqual(client.last('answer'), { kind: 'answer', request: 2, ok: true });
});

test('P16 F-17: a submit that is sent again with its key makes one job, also at the same time and after a restart', async (t) => {
  const server = await LiveServer.start(t);
  const fields = submitOf({ range, idempotencyKey: 'mine' });
  const cut = await RawClient.open(t, server);
  cut.send('submit', fields);
  cut.send('submit', fields);
  cut.wire.socket.terminate();
  const client = await RawClient.open(t, server);
  const answers = await Promise.all([client.ask('submit', fields), client.ask('submit', fields)]);
  const jobs = new Set(answers.map(({ value }) => (value as { job: number }).job));
  assert.equal(jobs.size, 1);
  const other = await client.ask('submit', { ...fields, name: 'another' });
  assert.equal(other.code, 'conflict');
  assert.match(other.message ?? '', /the idempotency key mine belongs to job \d+, which is another one/);
  await server.restart();
  const back = await RawClient.open(t, server);
  const again = (await back.ask('submit', fields)).value as { job: number; existing: boolean };
  assert.deepEqual(again, { job: [...jobs][0], existing: true });
  assert.equal((await server.core.store.listJobs({ limit: 10 })).length, 1);
  const { token } = await server.token('submit');
  const stranger = await RawClient.open(t, server, token);
  assert.equal(((await stranger.ask('submit', fields)).value as { existing: boolean }).existing, false);
});

test('P16: code that is not what its hash says, or was not uploaded, makes no job', async (t) => {
  const server = await LiveServer.start(t);
  const client = await RawClient.open(t, server);
  const wrong = await client.ask('submit', submitOf({ range, inline: 'export default 1' }));
  assert.deepEqual([wrong.code, wrong.message], ['invalid', "the code's SHA-256 is not the one named"]);
  const { inline: _, ...absent } = submitOf({ range });
  const missing = await client.ask('submit', absent);
  assert.match(missing.message ?? '', /blob [0-9a-f]{64} was not uploaded: PUT \/v1\/blobs/);
  assert.deepEqual(await server.core.store.listJobs({ limit: 10 }), []);
});

test('P17: inputs continue where they end; what is there is answered ok, a gap with where to go on', async (t) => {
  const server = await LiveServer.start(t);
  const client = await RawClient.open(t, server);
  const job = await client.submit();
  assert.ok((await client.inputs(job, 0, ['a', 'b'])).ok);
  assert.ok((await client.inputs(job, 2, ['c'])).ok);
  assert.ok((await client.inputs(job, 0, ['a', 'b'])).ok, 'the same again');
  assert.ok((await client.inputs(job, 2, ['c'])).ok, 'the same again');
  for (const first of [4, 2]) {
    const gap = await client.inputs(job, first, ['x', 'y']);
    assert.deepEqual([gap.code, gap.message], ['conflict', `inputs of job ${job} go on at 3, not at ${first}`]);
  }
  const early = await client.ask('close', { job, total: 4 });
  assert.match(early.message ?? '', /has 3 inputs, not 4: some did not arrive/);
  assert.ok((await client.ask('close', { job, total: 3 })).ok);
  assert.ok((await client.ask('close', { job, total: 3 })).ok, 'the same again');
  assert.match((await client.inputs(job, 3, ['x'])).message ?? '', /is closed: it takes no more inputs/);
  const ranged = await client.submit({ range });
  assert.match((await client.inputs(ranged, 4, ['x'])).message ?? '', /is a range: it takes no inputs/);
  const worker = await RawWorker.join(t, server);
  worker.work(job, (index) => index);
  worker.work(ranged, (index) => index);
  await waitFor(async () => (await recorded(server, job)).length === 3);
});

test('P17: inputs are added in the order in which they came, also behind some that name blobs', async (t) => {
  const server = await LiveServer.start(t);
  const client = await RawClient.open(t, server);
  const job = await client.submit();
  const content = Buffer.from('"large"');
  const sha256 = createHash('sha256').update(content).digest('hex');
  await server.core.blobs.put(
    sha256,
    (async function* () {
      yield content;
    })(),
  );
  const record = Buffer.from(`${JSON.stringify({ sha256, size: content.length })},`);
  const blob = packColumn(Uint32Array.of(record.length), ValueStatus.jsonBlob, record);
  const requests: number[] = [];
  for (let index = 0; index < 40; index++) {
    const column = index % 3 === 0 ? blob : columnOfValues([index]);
    requests.push(client.send('inputs', { job, runs: [[index, 1]] }, column));
  }
  for (const request of requests)
    assert.deepEqual(await client.answerTo(request), { kind: 'answer', request, ok: true });
  assert.ok((await client.ask('close', { job, total: 40 })).ok);
  assert.deepEqual(await server.core.store.unreferenced([sha256]), []);
});

/** A column of one value that says it is this. */
function one(status: number, text: string): Uint8Array {
  return packColumn(Uint32Array.of(text.length), status, Buffer.from(text));
}

const absent = `{"sha256":"${'0'.repeat(64)}","size":1},`;
const WRONG_INPUTS: Record<string, [column: Uint8Array, count: number, code: string, sentence: RegExp]> = {
  'more values than tasks': [columnOfValues([1, 2]), 1, 'invalid', /more or fewer values than tasks/],
  'the status of a failure': [one(ValueStatus.failed, '1,'), 1, 'invalid', /status of a failure/],
  'one status that no input has': [
    packColumn(Uint32Array.of(2, 2), Uint8Array.of(0, 77), Buffer.from('1,2,')),
    2,
    'invalid',
    /status of a failure/,
  ],
  'a blob that is not one': [one(ValueStatus.jsonBlob, '1,'), 1, 'invalid', /name a blob/],
  'a blob that is not here': [one(ValueStatus.jsonBlob, absent), 1, 'invalid', /blob 0{64} was not uploaded/],
  'garbage for a column': [Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9, 9), 1, 'invalid', /unknown layout/],
  'more bytes than a block holds': [one(ValueStatus.bytes, ' '.repeat(BLOCK_BYTES + 1)), 1, 'tooLarge', /are blobs/],
};

test('P17 P20: wrong inputs are refused by name, and the job takes the right ones', async (t) => {
  const server = await LiveServer.start(t);
  const client = await RawClient.open(t, server);
  const job = await client.submit();
  for (const [title, [column, count, code, sentence]] of Object.entries(WRONG_INPUTS)) {
    const answer = await client.ask('inputs', { job, runs: [[0, count]] }, column);
    assert.equal(answer.code, code, title);
    assert.match(answer.message ?? '', sentence, title);
  }
  assert.ok((await client.inputs(job, 0, [1])).ok);
  assert.ok((await client.ask('close', { job, total: 1 })).ok);
});

test('P19: what a role may not do is answered forbidden, and done by nobody', async (t) => {
  const server = await LiveServer.start(t);
  const admin = await RawClient.open(t, server);
  const job = await admin.submit();
  const { token } = await server.token('read');
  const reader = await RawClient.open(t, server, token);
  for (const [kind, fields, column] of [
    ['submit', submitOf({ range })],
    ['inputs', { job, runs: [[0, 1]] }, columnOfValues([1])],
    ['close', { job, total: 0 }],
    ['act', { job, action: 'cancel' }],
  ] as const) {
    const answer = await reader.ask(kind, fields, column);
    const says = 'a token with the role read may not do that: use one with the role submit or admin';
    assert.deepEqual([answer.code, answer.message], ['forbidden', says], kind);
  }
  const status = (await reader.ask('status', { job })).value as { progress: { state: string; total: number } };
  assert.deepEqual([status.progress.state, status.progress.total], ['active', 0]);
  assert.ok((await reader.ask('results', { job, order: 'completion', credit: 1 })).ok);
});

test('P19 T-26: a token that is revoked or expires closes its sockets with 4401 within five seconds', async (t) => {
  const server = await LiveServer.start(t);
  const revoked = await server.token('admin');
  const expiring = await server.token('admin', 700);
  const sockets = await Promise.all(
    (
      [
        [revoked, 'was revoked'],
        [expiring, 'has expired'],
      ] as const
    ).map(async ([{ token }, why]) => ({
      why,
      client: await RawClient.open(t, server, token),
      worker: await RawWorker.join(t, server, { token }),
    })),
  );
  const safe = await RawClient.open(t, server);
  await server.api('DELETE', `/v1/tokens/${revoked.id}`);
  for (const { client, worker, why } of sockets) {
    const { code, reason } = await within(client.wire.closed, 5_000, 'the cut of a client');
    assert.deepEqual([code, reason], [4401, `it ${why}`]);
    assert.equal((await within(worker.wire.closed, 5_000, 'the cut of a worker')).code, 4401);
    const refused = worker.wire.of('refused')[0];
    assert.deepEqual([refused?.code, refused?.detail], ['revoked', `this token ${why}`]);
  }
  assert.equal((await safe.ask('status', { job: 1 })).code, 'unknown', 'others are served');
});

test('P20 F-5 F-7: a malformed or too large message closes with one sentence; what was acked is there', async (t) => {
  const server = await LiveServer.start(t);
  const cases: [frame: string | Uint8Array, code: number, sentence: RegExp][] = [
    ['{', 4400, /not JSON/],
    ['{"kind":"hello"}', 4400, /unknown kind "hello"/],
    ['{"kind":"status","request":0,"job":1}', 4400, /a status message is not as it should be: \/request/],
    ['{"kind":"act","request":1,"job":1,"action":"explode"}', 4400, /\/action/],
    [JSON.stringify({ kind: 'inputs', request: 1, job: 1, runs: [[0, BLOCK_TASKS + 1]] }), 4400, /at most 4096 tasks/],
    [
      encodeFrame(
        {
          kind: 'inputs',
          request: 1,
          job: 1,
          runs: [
            [0, 1],
            [3, 1],
          ],
        },
        columnOfValues([1, 2]),
      ),
      4400,
      /one run/,
    ],
    [new Uint8Array(FRAME_BYTES + 1), 1009, /larger values are blobs/],
  ];
  for (const [frame, code, sentence] of cases) {
    const client = await RawClient.open(t, server);
    const job = await client.submit({ range });
    client.wire.raw(frame);
    const closing = await client.wire.closed;
    assert.equal(closing.code, code);
    assert.match(closing.reason, sentence);
    assert.ok(await server.core.readJob(job));
  }
});

test('P21: whoever follows a job hears of it a few times a second, and of its end', async () => {
  const server = await ModelServer.start();
  const client = server.client();
  client.say({ kind: 'submit', request: 1, ...submitOf() });
  await server.clock.settle();
  const { job } = (client.last('answer') as unknown as { value: { job: number } }).value;
  client.say({ kind: 'status', request: 2, job, follow: true });
  client.say({ kind: 'status', request: 3, job, follow: true });
  await server.clock.settle();
  for (let index = 0; index < 20; index++) {
    client.say({ kind: 'inputs', request: 10 + index, job, runs: [[index, 1]] }, columnOfValues([index]));
    await server.clock.advance(NOTE_INTERVAL / 10);
  }
  const notes = () => client.of('progressNote') as unknown as { progress: { total: number; state: string } }[];
  assert.ok(notes().length >= 1 && notes().length <= 3, `${notes().length} notes in two intervals`);
  client.say({ kind: 'act', request: 40, job, action: 'cancel' });
  await server.clock.settle();
  assert.equal(notes().at(-1)?.progress.state, 'cancelled', 'the end is told at once');
  const before = notes().length;
  await server.clock.advance(10 * NOTE_INTERVAL);
  assert.equal(notes().length, before);
  assert.equal(server.clock.alarms, 0);
});
