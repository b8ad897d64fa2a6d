import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ModelServer } from '../../../test/support/model-server.ts';
import { codeOf, helloOf, SQUARE } from '../../../test/support/raw-worker.ts';
import { LEASE_TIME, PING_INTERVAL, POLL_CUT_TIME, POLL_LAST_WORDS_TIME, POLL_SESSIONS } from '../../model/limits.ts';
import { Problem } from '../problem.ts';
import { PollSessions } from './poll-sessions.ts';

const WORKER = { token: 'worker', role: 'work' } as const;

/** A farm whose clock stands still, with one job, and the polls of one worker. */
async function farmOf(tasks: number) {
  const server = await ModelServer.start();
  const { clock, core } = server;
  const polls = new PollSessions({ gateway: core.workerGateway, loop: core.loop, clock });
  const spec = { name: 'job', code: codeOf(SQUARE), range: { start: 0, step: 1, count: tasks } };
  const { job } = await clock.outcome(core.submit(spec, 'tester', false, SQUARE));
  const session = randomBytes(16).toString('hex');
  const poll = (sent: number, seen: number, lines: readonly object[] = [], gone = new AbortController().signal) => {
    const texts = lines.map((line) => JSON.stringify(line));
    const asked = polls.poll(WORKER, session, { sent, seen, lines: texts, gone });
    asked.catch(() => {});
    return asked;
  };
  return { ...server, server, clock, core, polls, job, poll };
}

const kindsOf = (lines: readonly string[]) => lines.map((line) => (JSON.parse(line) as { kind: string }).kind);
const refused = async (asked: Promise<unknown>) => {
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Problem, String(error));
  return error.status;
};

test('P26: what was not seen is said again, and what is said again is taken once', async () => {
  const { clock, core, job, poll } = await farmOf(1);
  const hello = helloOf();
  assert.deepEqual(kindsOf(await clock.outcome(poll(0, 0, [hello]))), ['welcome']);
  // Its answer was lost, or only a part of it came.
  const first = await clock.outcome(poll(0, 0, [hello]));
  assert.deepEqual(kindsOf(first), ['welcome', 'job', 'tasks']);
  assert.deepEqual(await clock.outcome(poll(1, 2)), first.slice(2));
  const { lease, runs } = JSON.parse(first[2] as string) as { lease: number; runs: unknown };
  const outcomes = { kind: 'outcomes', lease, job, runs, micros: 1, values: [{ value: 0 }] };
  const acks = await clock.outcome(poll(1, 3, [outcomes]));
  assert.deepEqual(kindsOf(acks).sort(), ['ack', 'jobOver']);
  assert.deepEqual(await clock.outcome(poll(1, 3, [outcomes])), acks);
  assert.deepEqual(core.workerGateway.verdicts, { recorded: 1, duplicate: 0, superseded: 0, unknown: 0 });
  // A gap on either side is refused, and nothing of it is taken.
  assert.equal(await clock.outcome(refused(poll(7, 5, [{ kind: 'bye' }]))), 409);
  assert.equal(await clock.outcome(refused(poll(2, 99, [{ kind: 'bye' }]))), 409);
  assert.equal(core.workerGateway.connected, 1);
});

test('P26: a poll waits for something to say, but not longer than for a ping', async () => {
  const { clock, poll, core } = await farmOf(0);
  assert.deepEqual(kindsOf(await clock.outcome(poll(0, 0, [helloOf()]))), ['welcome']);
  const waiting = poll(1, 1);
  let said: readonly string[] | undefined;
  void waiting.then((lines) => (said = lines));
  await clock.advance(PING_INTERVAL - 1);
  assert.equal(said, undefined);
  await clock.advance(1);
  assert.deepEqual(said, []);
  const next = poll(1, 1);
  await clock.settle();
  const spec = { name: 'job', code: codeOf(SQUARE), range: { start: 0, step: 1, count: 1 } };
  await clock.outcome(core.submit(spec, 'tester', false, SQUARE));
  assert.deepEqual(kindsOf(await clock.outcome(next)), ['job', 'tasks']);
});

test('P26: of two polls at once the older is answered at once, and nothing is lost by it', async () => {
  const { clock, poll } = await farmOf(0);
  await clock.outcome(poll(0, 0, [helloOf()]));
  const older = poll(1, 1);
  await clock.settle();
  const newer = poll(1, 1, [{ kind: 'beat' }]);
  assert.deepEqual(kindsOf(await clock.outcome(newer)), ['beat']);
  assert.ok(kindsOf(await clock.outcome(older)).length <= 1);
  assert.deepEqual(kindsOf(await clock.outcome(poll(1, 1, [{ kind: 'beat' }]))), ['beat']);
});

test('P26 P13: a worker is there while it polls, and is lost when it is silent', async () => {
  const { clock, poll, core } = await farmOf(1);
  await clock.outcome(poll(0, 0, [helloOf()]));
  for (let i = 0; i < 6; i++) {
    const waiting = poll(1, 3);
    await clock.advance(PING_INTERVAL);
    assert.deepEqual(await clock.outcome(waiting), []);
    await clock.advance(LEASE_TIME - PING_INTERVAL);
  }
  assert.equal(core.workerGateway.connected, 1);
  await clock.advance(PING_INTERVAL);
  assert.equal(core.workerGateway.connected, 0);
  assert.equal(await clock.outcome(refused(poll(1, 3))), 404);
});

test('P26: a worker that cuts its poll is lost soon, unless it polls again', async () => {
  const { clock, poll, core } = await farmOf(0);
  await clock.outcome(poll(0, 0, [helloOf()]));
  const cut = async () => {
    const client = new AbortController();
    const waiting = poll(1, 1, [], client.signal);
    await clock.settle();
    client.abort();
    await clock.outcome(waiting);
  };
  await cut();
  await clock.advance(POLL_CUT_TIME - 1);
  const again = poll(1, 1);
  await clock.advance(PING_INTERVAL);
  assert.deepEqual(await clock.outcome(again), []);
  assert.equal(core.workerGateway.connected, 1);
  await cut();
  await clock.advance(POLL_CUT_TIME);
  assert.equal(core.workerGateway.connected, 0);
});

test('P26 P14: what ends a session is said, and then 404', async () => {
  const { clock, poll, core, polls } = await farmOf(0);
  const hello = helloOf();
  const [welcome = ''] = await clock.outcome(poll(0, 0, [hello]));
  const { worker } = JSON.parse(welcome) as { worker: string };
  const waiting = poll(1, 1);
  await clock.settle();
  await clock.outcome(core.actOnWorker(worker, 'stop'));
  assert.deepEqual(kindsOf(await clock.outcome(waiting)), ['dismiss']);
  assert.deepEqual(kindsOf(await clock.outcome(poll(1, 1))), ['dismiss']);
  assert.equal(await clock.outcome(refused(poll(1, 2, [{ kind: 'bye' }]))), 404);
  await clock.advance(POLL_LAST_WORDS_TIME);
  assert.equal(polls.open, 0);
});

test('P26 P7: a session without a hello is refused as a socket is', async () => {
  const { clock, poll, polls } = await farmOf(0);
  assert.deepEqual(kindsOf(await clock.outcome(poll(0, 0, [{ kind: 'beat' }, helloOf()]))), ['refused']);
  await clock.advance(POLL_LAST_WORDS_TIME);
  const silent = poll(0, 0);
  await clock.advance(PING_INTERVAL);
  assert.deepEqual(kindsOf(await clock.outcome(silent)), ['refused']);
  await clock.advance(POLL_LAST_WORDS_TIME);
  assert.equal(polls.open, 0);
});

test('P26 P3: a session of the same worker replaces the one before', async () => {
  const { clock, poll, core, polls } = await farmOf(1);
  const hello = helloOf();
  await clock.outcome(poll(0, 0, [hello]));
  const lines = [JSON.stringify(hello)];
  const gone = new AbortController().signal;
  const other = () => polls.poll(WORKER, 'b'.repeat(32), { sent: 0, seen: 0, lines, gone });
  await clock.outcome(other());
  assert.deepEqual(kindsOf(await clock.outcome(other())), ['welcome', 'job', 'tasks']);
  assert.equal(core.workerGateway.connected, 1);
  // What was said before is said to the end; then it is over.
  assert.equal(await clock.outcome(refused(poll(1, 3))), 404);
});

test('P26: a name is good for one token, and there is an end to their number', async () => {
  const { clock, poll, polls } = await farmOf(0);
  await clock.outcome(poll(0, 0, [helloOf()]));
  const gone = new AbortController().signal;
  const asked = (name: string, sent: number) =>
    polls.poll({ token: 'other', role: 'work' }, name, { sent, seen: 0, lines: [], gone });
  assert.equal(await clock.outcome(refused(asked('a'.repeat(32), 1))), 404);
  for (let i = polls.open; i < POLL_SESSIONS; i++) asked(String(i), 0).catch(() => {});
  await clock.settle();
  assert.equal(polls.open, POLL_SESSIONS);
  assert.equal(await clock.outcome(refused(asked('more', 0))), 503);
  polls.close();
});
