import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModelPeer, ModelServer } from '../../test/support/model-server.ts';
import type { Heard } from '../../test/support/raw-socket.ts';
import { codeOf, SQUARE } from '../../test/support/raw-worker.ts';
import { JOB_LOG_BYTES, LOG_MESSAGE_BYTES } from '../model/limits.ts';
import { leftIn } from '../testing/simulation/drained.ts';

/** A worker with a task of a job. */
async function begun(server: ModelServer, worker: ModelPeer): Promise<{ job: number; lease: number }> {
  const spec = { name: 'job', code: codeOf(SQUARE), range: { start: 0, step: 1, count: 1 } };
  const { job } = await server.clock.outcome(server.core.submit(spec, 'me', false, SQUARE));
  const task = worker.of('tasks').find((message) => message.job === job) as Heard;
  return { job, lease: task.lease as number };
}

test('what a job prints is kept up to its bound, what is over it is dropped, and that is said once', async () => {
  const server = await ModelServer.start();
  const worker = await server.joined({ slots: 2 });
  const [loud, quiet] = [await begun(server, worker), await begun(server, worker)];
  const say = ({ job, lease }: { job: number; lease: number }, text: string) =>
    worker.say({ kind: 'log', job, lease, index: 0, stream: 'stdout', text });
  const text = 'ü'.repeat(LOG_MESSAGE_BYTES / 2);
  for (let bytes = 0; bytes < 2 * JOB_LOG_BYTES; bytes += LOG_MESSAGE_BYTES) say(loud, text);
  say(quiet, 'still heard');
  await server.clock.settle();
  const logs = server.disk.jobs.get(loud.job)?.logs.map(({ log }) => log) ?? [];
  const notes = logs.filter((log) => log.text.includes('the rest of its output is not kept'));
  assert.equal(notes.length, 1);
  assert.equal(notes[0], logs.at(-1));
  assert.ok(logs.reduce((bytes, log) => bytes + Buffer.byteLength(log.text), 0) <= JOB_LOG_BYTES + 200);
  assert.deepEqual(
    server.disk.jobs.get(quiet.job)?.logs.map(({ log }) => log.text),
    ['still heard'],
  );
});

test('F-34: nothing is remembered of the output of jobs that are over, also if more of it comes', async () => {
  const server = await ModelServer.start();
  const worker = await server.joined();
  for (let i = 0; i < 20; i++) {
    const { job, lease } = await begun(server, worker);
    worker.say({ kind: 'log', job, lease, index: 0, stream: 'log', text: 'before' });
    await server.clock.outcome(server.core.act(job, 'cancel'));
    worker.say({ kind: 'log', job, lease, index: 0, stream: 'log', text: 'after' });
    await server.clock.settle();
  }
  assert.deepEqual([...leftIn(server.core.logs, 'logs', new Set([server.core.loop, server.clock]))], []);
});
