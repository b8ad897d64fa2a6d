import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModelPeer, ModelServer } from '../../test/support/model-server.ts';
import { columnOfValues } from '../../test/support/raw-client.ts';
import type { Heard } from '../../test/support/raw-socket.ts';
import { codeOf, helloOf, SQUARE, tasksIn } from '../../test/support/raw-worker.ts';
import type { JobId } from '../model/ids.ts';
import {
  HANDOVER_GRACE,
  PULSE_INTERVAL,
  SERVER_LEASE,
  TAKEOVER_PATIENCE,
  TAKEOVER_RETRY,
} from '../model/server-limits.ts';

/** Long enough for an order, what it brings about, and the next question. */
const SOON = 2 * TAKEOVER_RETRY;

/** Two servers, and a worker of the first that runs the tasks of a job of so many. */
async function begun(count = 1, slots = 1) {
  const [a, b] = (await ModelServer.farm(2)) as [ModelServer, ModelServer];
  const hello = helloOf({ slots });
  const worker = a.worker();
  worker.say(hello);
  await a.clock.settle();
  const range = { start: 0, step: 1, count };
  const asked = { name: 'job', code: codeOf(SQUARE), range, retries: 2 };
  const { job } = await a.clock.outcome(a.core.submit(asked, 'me', false, SQUARE));
  await a.clock.advance(PULSE_INTERVAL);
  const held = worker.of('tasks').map(({ lease, runs }) => ({ lease, job, runs }));
  assert.ok(held.length > 0);
  const comes = async (server: ModelServer, brings = held): Promise<ModelPeer> => {
    const there = server.worker();
    there.say({ ...hello, held: brings });
    await server.clock.settle();
    return there;
  };
  return { a, b, worker, job, held, comes };
}

function report(worker: ModelPeer, { lease, job, runs }: Pick<Heard, 'lease' | 'job' | 'runs'>): void {
  const count = tasksIn({ kind: 'tasks', lease, job, runs }).length;
  worker.say({ kind: 'outcomes', lease, job, runs, micros: 1 }, columnOfValues(Array.from({ length: count }, () => 7)));
}

const verdicts = (worker: ModelPeer) => worker.of('ack').map(({ verdict }) => verdict);

async function ended({ core }: ModelServer, job: JobId) {
  const progress = (await core.readJob(job))?.progress;
  return [progress?.state, progress?.done, progress?.segments, progress?.lost, progress?.retried];
}

function check(...servers: readonly ModelServer[]): void {
  for (const { core } of servers) core.loop.scheduler?.checkInvariants();
}

test('R39 D26: a worker that is cut from a server which lives keeps what it runs at another one, and its outcome is recorded once', async () => {
  const { a, b, worker, job, held, comes } = await begun();
  const idle = await a.joined({ slots: 1 });
  worker.connection.closed?.('the line was cut');
  const there = await comes(b);
  report(there, held[0]!);
  await b.clock.advance(SOON);
  assert.deepEqual([verdicts(there), there.of('tasks'), there.of('revoke')], [['recorded'], [], []]);
  await b.clock.advance(SERVER_LEASE);
  assert.deepEqual(idle.of('tasks'), [], 'nobody else was given it');
  for (const server of [a, b]) assert.deepEqual(await ended(server, job), ['done', 1, 1, 0, 0]);
  check(a, b);
});

test('R39 P13: so does one whose server has not noticed, and what that sent into the dead line is handed out again', async () => {
  const { a, b, worker, job, held, comes } = await begun(3, 3);
  assert.equal(held.length, 3);
  const got = held.slice(0, 1);
  const there = await comes(b, got);
  await b.clock.advance(SOON);
  assert.equal(worker.closed(), 1013, 'if it were there after all it would come back');
  report(there, got[0]!);
  await b.clock.advance(HANDOVER_GRACE + 3 * PULSE_INTERVAL);
  const again = there.of('tasks');
  assert.deepEqual(again.flatMap(tasksIn).length, 2);
  for (const message of again) report(there, message as never);
  await b.clock.advance(SOON);
  assert.deepEqual(new Set(verdicts(there)), new Set(['recorded']));
  assert.deepEqual((await ended(b, job)).slice(0, 2), ['done', 3]);
  check(a, b);
});

test('R39: a worker that has come back has its tasks where it is, whatever order comes late', async () => {
  const { a, b, job, held, comes } = await begun();
  await comes(b);
  // It is here again before the other server is heard.
  const back = await comes(a);
  await a.clock.advance(SOON);
  assert.equal(back.closed(), 1013);
  const again = await comes(a);
  await a.clock.advance(SOON);
  report(again, held[0]!);
  await a.clock.advance(SOON);
  assert.deepEqual([verdicts(again), again.of('tasks'), again.of('revoke')], [['recorded'], [], []]);
  assert.deepEqual(await ended(a, job), ['done', 1, 1, 0, 0]);
  check(a, b);
});

test('R39: what others were given meanwhile stays with them, and the worker is told when patience ends', async () => {
  const { a, b, worker, job, held, comes } = await begun();
  const other = await a.joined({ slots: 1 });
  worker.connection.closed?.('the line was cut');
  await a.clock.advance(HANDOVER_GRACE + 1);
  assert.equal(other.of('tasks').length, 1, 'it was awaited for long enough');
  const there = await comes(b);
  await b.clock.advance(TAKEOVER_PATIENCE + SOON);
  assert.deepEqual(
    there.of('revoke').map(({ lease }) => lease),
    [held[0]?.lease],
  );
  report(there, held[0]!);
  report(other, other.of('tasks')[0] as never);
  await b.clock.advance(SOON);
  assert.deepEqual([verdicts(there), verdicts(other)], [['superseded'], ['recorded']]);
  assert.deepEqual((await ended(b, job)).slice(0, 3), ['done', 1, 1]);
  check(a, b);
});

test('R39: of several that move at once each keeps its own, and a server that dies meanwhile is taken over as ever', async () => {
  const { a, b, worker, job, held, comes } = await begun(2, 2);
  worker.connection.closed?.('the line was cut');
  a.gate.hold();
  const there = await comes(b);
  await b.clock.advance(TAKEOVER_RETRY);
  a.kill();
  await b.clock.advance(SERVER_LEASE + 2 * PULSE_INTERVAL);
  for (const each of held) report(there, each);
  await b.clock.advance(SOON);
  assert.deepEqual(new Set(verdicts(there)), new Set(['recorded']));
  assert.deepEqual((await ended(b, job)).slice(0, 2), ['done', 2]);
  check(b);
});

test('R39: a worker gets nothing of another one by naming its leases', async () => {
  const { a, b, worker, job, held } = await begun();
  const liar = await b.joined({ slots: 1, held });
  await b.clock.advance(TAKEOVER_PATIENCE + SOON);
  assert.deepEqual([worker.closed(), liar.of('tasks')], [undefined, []]);
  assert.equal(liar.of('revoke').length, 1);
  report(worker, held[0]!);
  await a.clock.advance(SOON);
  assert.deepEqual(await ended(a, job), ['done', 1, 1, 0, 0]);
  check(a, b);
});
