import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { LiveServer } from '../../test/support/live-server.ts';
import { type Closing, type Heard, RawSocket, type RefusedUpgrade } from '../../test/support/raw-socket.ts';
import { ended, helloOf, RawWorker, SQUARE, submitInputs, submitRange } from '../../test/support/raw-worker.ts';
import { waitFor } from '../../test/support/wait.ts';
import { ValueStatus } from '../model/envelope.ts';
import { BLOCK_BYTES, FRAME_BYTES } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { encodeFrame } from '../protocol/frames.ts';

const refusal = async (opening: Promise<unknown>): Promise<RefusedUpgrade> => {
  try {
    await opening;
  } catch (error) {
    return error as RefusedUpgrade;
  }
  throw new Error('it was not refused');
};

test('P1: a subprotocol is chosen, or the upgrade is refused with 400 and one sentence', async (t) => {
  const server = await LiveServer.start(t);
  const opens = async (path: '/v1/worker' | '/v1/client', offered: string[]) =>
    (await RawSocket.open(t, server, path, offered, server.admin)).socket.protocol;
  assert.equal(await opens('/v1/worker', ['manyhands.v1']), 'manyhands.v1');
  assert.equal(await opens('/v1/worker', ['manyhands.v1.json']), 'manyhands.v1.json');
  assert.equal(await opens('/v1/worker', ['manyhands.v1.json', 'later', 'manyhands.v1']), 'manyhands.v1');
  assert.equal(await opens('/v1/client', ['manyhands.client.v1']), 'manyhands.client.v1');
  for (const [path, offered] of [
    ['/v1/worker', ['later.v9']],
    ['/v1/worker', ['manyhands.client.v1']],
    ['/v1/client', ['manyhands.v1']],
    ['/v1/worker', []],
  ] as const) {
    const { status, body } = await refusal(RawSocket.open(t, server, path, [...offered], server.admin));
    assert.equal(status, 400, `${path} ${offered}`);
    assert.match(body, /offer a subprotocol of this server: manyhands\./);
  }
});

test('P1 T-4: a ticket stands for its token once, for one socket', async (t) => {
  const server = await LiveServer.start(t);
  const ticket = async (path: string) => {
    const answer = await server.api('POST', '/v1/tickets', { path }, server.work);
    return ((await answer.json()) as { ticket: string }).ticket;
  };
  const offer = (text: string) =>
    RawSocket.open(t, server, '/v1/worker', ['manyhands.v1', `manyhands.ticket.${text}`], '');
  const good = await ticket('/v1/worker');
  const socket = await offer(good);
  assert.equal(socket.socket.protocol, 'manyhands.v1', 'the ticket is not echoed');
  socket.say(helloOf());
  await socket.hears('welcome');
  assert.equal((await refusal(offer(good))).status, 401);
  assert.equal((await refusal(offer(await ticket('/v1/client')))).status, 401);
  assert.equal((await refusal(offer('x'.repeat(32)))).status, 401);
});

test('P1: before the 101 a stranger is refused with 401, another role with 403', async (t) => {
  const server = await LiveServer.start(t);
  const { token: submit } = await server.token('submit');
  const open = (token: string) => refusal(RawSocket.open(t, server, '/v1/worker', 'manyhands.v1', token));
  assert.equal((await open('')).status, 401);
  assert.equal((await open(`mh_${'a'.repeat(43)}`)).status, 401);
  assert.equal((await open(submit)).status, 403);
});

test('P2: another version is told to upgrade and closed with 4426', async (t) => {
  const server = await LiveServer.start(t);
  for (const protocol of [0, 2, -1, 99]) {
    const wire = await RawSocket.open(t, server, '/v1/worker', 'manyhands.v1');
    wire.say(helloOf({ protocol }));
    const refused = await wire.hears('refused');
    assert.equal(refused.code, 'upgrade');
    assert.match(String(refused.detail), /speaks protocol 1, the worker .*: install the same version/);
    assert.equal((await wire.closed).code, 4426);
    assert.equal(wire.of('welcome').length, 0);
  }
});

test('P2 F-33: unknown fields are ignored', async (t) => {
  const server = await LiveServer.start(t);
  const worker = await RawWorker.join(t, server, { hello: { fromTheFuture: { deep: [1] } } });
  worker.wire.say({ kind: 'beat', mood: 'good' });
  const job = await submitRange(server, 1);
  worker.work(job, (i) => i);
  assert.equal((await ended(server, job)).done, 1);
});

/** Sends it in the midst of work; returns how the server took it, once another worker has done the tasks. */
async function afterSaying(t: TestContext, server: LiveServer, frame: string | Uint8Array, json = false) {
  const job = await submitRange(server, 3);
  const guilty = await RawWorker.join(t, server, { protocol: json ? 'manyhands.v1.json' : 'manyhands.v1' });
  await waitFor(() => guilty.granted.length > 0, { what: 'tasks' });
  guilty.wire.raw(frame);
  const closing = await guilty.wire.closed;
  const honest = await RawWorker.join(t, server);
  honest.work(job, (i) => i);
  assert.deepEqual((await ended(server, job)).done, 3);
  await honest.wire.socket.close();
  return { closing, refused: guilty.wire.of('refused')[0] };
}

const GARBAGE: Record<string, [frame: string | Uint8Array, sentence: RegExp]> = {
  'text that is not JSON': ['{"kind":', /a message is not JSON/],
  'an empty text': ['', /a message is not JSON/],
  'a number': ['7', /unknown kind undefined/],
  'an unknown kind': ['{"kind":"dance"}', /unknown kind "dance"/],
  'a kind of the other side': ['{"kind":"welcome"}', /unknown kind "welcome"/],
  'a kind that every object has': ['{"kind":"toString"}', /unknown kind "toString"/],
  'a kind whose name takes more than a close frame holds': [
    JSON.stringify({ kind: '漢'.repeat(60) }),
    /unknown kind "漢漢漢/,
  ],
  'a wrong type': ['{"kind":"released","lease":"one","runs":[]}', /a released message is not as it should be: \/lease/],
  'a second hello': [JSON.stringify(helloOf()), /a second hello/],
  'runs that overlap': ['{"kind":"released","lease":1,"runs":[[0,2],[1,2]]}', /runs that are not sorted or overlap/],
  'an empty run': ['{"kind":"released","lease":1,"runs":[[0,0]]}', /\/runs\/0\/1/],
  'the key __proto__ (T-14)': ['{"kind":"beat","__proto__":{"x":1}}', /has the key __proto__/],
  'the key constructor, deep (T-14)': ['{"kind":"beat","a":[{"constructor":1}]}', /has the key constructor/],
  'nesting without end': [`{"kind":"beat","a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, /nested deeper than/],
  'an empty binary frame': [new Uint8Array(0), /shorter than its head/],
  'a head that is longer than its frame': [Uint8Array.of(255, 255, 255, 127, 1), /longer than the frame/],
  'a head that is not UTF-8': [Uint8Array.of(2, 0, 0, 0, 0xff, 0xfe), /not UTF-8/],
  'a column shorter than its head': [
    encodeFrame({ kind: 'outcomes', lease: 1, job: 1, runs: [[0, 1]], micros: 1 }, Uint8Array.of(1, 2)),
    /a column is shorter than its head/,
  ],
  'outcomes without a column': ['{"kind":"outcomes","lease":1,"job":1,"runs":[[0,1]],"micros":1}', /without values/],
  'more values than tasks': [
    encodeFrame(
      { kind: 'outcomes', lease: 1, job: 1, runs: [[0, 1]], micros: 1 },
      packColumn(Uint32Array.of(0, 0), 0, new Uint8Array(0)),
    ),
    /more or fewer values than tasks/,
  ],
};

for (const [title, [frame, sentence]] of Object.entries(GARBAGE)) {
  test(`P2 P4 P5 P6 F-5: ${title}: one sentence, 4400, and its tasks run elsewhere`, async (t) => {
    const server = await LiveServer.start(t);
    const { closing, refused } = await afterSaying(t, server, frame);
    assert.equal(refused?.code, 'invalid');
    assert.match(String(refused?.detail), sentence);
    assert.equal(closing.code, 4400);
    assert.match(String(refused?.detail), new RegExp(`^${escaped(closing)}`));
    assert.equal(({} as { x?: unknown }).x, undefined);
  });
}

function escaped({ reason }: Closing): string {
  return reason.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

test('P4 P20 F-7: a frame that is too large is told so with 1009, and to use blobs', async (t) => {
  const server = await LiveServer.start(t);
  for (const frame of [new Uint8Array(FRAME_BYTES + 1), ' '.repeat(3 * FRAME_BYTES)]) {
    const { closing, refused } = await afterSaying(t, server, frame);
    assert.match(String(refused?.detail), /larger than a frame may be: larger values are blobs/);
    assert.deepEqual([closing.code, closing.reason], [1009, refused?.detail]);
  }
});

test('P5 F-7: more values than a batch may hold are refused before they block who gets them next', async (t) => {
  const server = await LiveServer.start(t);
  const bytes = new Uint8Array(BLOCK_BYTES + 1);
  const message = { kind: 'outcomes', lease: 1, job: 1, runs: [[0, 1]], micros: 1 };
  const frame = encodeFrame(message, packColumn(Uint32Array.of(bytes.length), ValueStatus.bytes, bytes));
  const { closing, refused } = await afterSaying(t, server, frame);
  assert.match(String(refused?.detail), /786433 bytes in one message: 786432 is the most, larger ones are blobs/);
  assert.equal(closing.code, 1009);
});

test('P4: a binary frame in the text subprotocol is refused', async (t) => {
  const server = await LiveServer.start(t);
  const { closing, refused } = await afterSaying(t, server, encodeFrame({ kind: 'beat' }, Uint8Array.of(1)), true);
  assert.match(String(refused?.detail), /a binary frame in the text subprotocol/);
  assert.equal(closing.code, 4400);
});

test('P3: the id is made of the key; a second connection with it replaces the first, and keeps what it holds', async (t) => {
  const server = await LiveServer.start(t);
  const job = await submitRange(server, 2);
  const first = await RawWorker.join(t, server);
  await waitFor(() => first.granted.length === 2);
  const hash = createHash('sha256').update(first.hello.key).digest();
  const letters = [...hash.subarray(0, 10)].map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]);
  assert.equal(first.id, letters.join(''));
  const held = Object.values(Object.groupBy(first.granted, ([lease]) => lease)).map((tasks) => ({
    lease: tasks?.[0]?.[0],
    runs: tasks?.map(([, index]) => [index, 1]),
  }));
  const second = await RawWorker.join(t, server, { hello: { key: first.hello.key, held } });
  assert.equal(second.id, first.id);
  assert.deepEqual(await first.wire.closed, { code: 4409, reason: 'replaced by a newer connection' });
  for (const [lease, index] of first.granted) second.report(job, lease, [index], [index]);
  const { done, lost } = await ended(server, job);
  assert.deepEqual({ done, lost }, { done: 2, lost: 0 });
  assert.equal(second.granted.length, 0, 'nothing was given again');
  const other = await RawWorker.join(t, server, { hello: { key: randomBytes(16).toString('hex') } });
  assert.notEqual(other.id, first.id);
});

test('P7: nothing comes before the hello, and nothing else from the server before the welcome', async (t) => {
  const server = await LiveServer.start(t);
  await submitRange(server, 5);
  const wire = await RawSocket.open(t, server, '/v1/worker', 'manyhands.v1');
  wire.say({ kind: 'beat' });
  const refused = await wire.hears('refused');
  assert.match(String(refused.detail), /the first message is not a hello/);
  assert.equal((await wire.closed).code, 4400);
  const worker = await RawWorker.join(t, server);
  await waitFor(() => worker.granted.length > 0);
  assert.deepEqual(
    worker.wire.heard.slice(0, 3).map(({ kind }) => kind),
    ['welcome', 'job', 'tasks'],
  );
});

test('P8: a job is told before its first tasks on each connection, and once; its code stands inline', async (t) => {
  const server = await LiveServer.start(t);
  const job = await submitInputs(server, [1, 2, 3]);
  for (let connection = 0; connection < 2; connection++) {
    const worker = await RawWorker.join(t, server);
    await waitFor(() => worker.granted.length === 3, { what: 'all tasks' });
    const told = worker.wire.heard.filter(({ kind }) => kind === 'job');
    assert.deepEqual(
      told.map((notice) => [notice.job, notice.inline]),
      [[job, SQUARE]],
    );
    assert.ok(
      worker.wire.heard.indexOf(told[0] as Heard) < worker.wire.heard.findIndex(({ kind }) => kind === 'tasks'),
    );
    worker.wire.socket.terminate();
  }
});
