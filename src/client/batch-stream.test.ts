import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { scriptedFarm } from '../../test/support/scripted-farm.ts';
import { ScriptedServer } from '../../test/support/scripted-server.ts';
import { within } from '../../test/support/wait.ts';
import { BatchStream, type StreamItem, type StreamQuery } from './batch-stream.ts';
import { FarmError } from './farm-error.ts';
import { Pace } from './pace.ts';

/** A job whose tasks end when the test says so, and a stream of it. */
async function streamOf(_: TestContext, inputs: unknown[], query: Partial<StreamQuery> = {}, pace?: Pace) {
  const server = new ScriptedServer();
  const { farm, wire } = scriptedFarm(server);
  const talk = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      server.accept();
      while (server.hear());
      while (server.deliver());
      await turn();
    }
  };
  const started = wire.start();
  await talk();
  await started;
  const mapping = farm.map((input: unknown) => input, inputs);
  await talk();
  const job = await mapping;
  const stream = new BatchStream(wire, job.id, { order: 'completion', after: 0, defined: false, ...query }, pace);
  await talk();
  return { server, wire, stream, talk };
}

const kinds = (items: readonly (StreamItem | undefined)[]): unknown[] => items.map((item) => item?.kind);

test('P18: a stream gives batches and marks as they come, and its end once all of them were taken', async (t) => {
  const { server, stream, talk } = await streamOf(t, [1, 2, 3], { order: 'index' });
  assert.deepEqual(kinds([stream.take()]), [undefined]);
  const arrival = stream.arrival();
  server.work(9, () => 0);
  await talk();
  await within(arrival, 1_000, 'the arrival of what came');
  const early = stream.end;
  assert.equal(early, undefined);
  assert.deepEqual(kinds([stream.take(), stream.take(), stream.take()]), ['batch', 'mark', undefined]);
  assert.equal(stream.end?.progress?.state, 'done');
  await within(stream.arrival(), 1_000, 'the arrival at the end');
});

test('P18: what was not taken keeps its credit; taking gives it back', async (t) => {
  const big = 'x'.repeat(60_000);
  const { server, stream, talk } = await streamOf(
    t,
    Array.from({ length: 300 }, () => big),
  );
  for (let i = 0; i < 300; i++) server.work(1, () => 0);
  await talk();
  let taken = 0;
  while (stream.take() !== undefined) taken += 1;
  assert.ok(taken > 100 && taken < 200, `the window of 8 MiB holds about 140 of these, not ${taken}`);
  await talk();
  while (stream.take() !== undefined) taken += 1;
  await talk();
  while (stream.take() !== undefined) taken += 1;
  assert.equal(taken, 300);
});

test('a stream that was refused throws why, after what it gave', async (t) => {
  const { wire, stream, talk, server } = await streamOf(t, [1, 2]);
  server.work(1, () => 0);
  await talk();
  wire.stop('over');
  assert.deepEqual(kinds([stream.take()]), ['batch']);
  assert.throws(
    () => stream.end,
    (error) => error instanceof FarmError && error.code === 'closed' && error.message === 'over',
  );
});

test('a stream that is closed ends at once and forgets what it had', async (t) => {
  const { stream, server, talk } = await streamOf(t, [1, 2]);
  server.work(1, () => 0);
  await talk();
  const arrival = stream.arrival();
  stream.close();
  stream.close();
  await within(arrival, 1_000, 'the arrival at the end');
  assert.equal(stream.take(), undefined);
  assert.deepEqual(stream.end, { progress: undefined });
});

test('a stream tells the pace of its reader, but not where undefined values pass unheard or a cursor counts segments', async (t) => {
  const told = async (query: Partial<StreamQuery>): Promise<boolean> => {
    const pace = new Pace();
    const { stream } = await streamOf(t, [1], query, pace);
    const held = pace.room(1e6, 0) !== undefined;
    stream.close();
    assert.equal(pace.room(1e6, 0), undefined);
    return held;
  };
  assert.equal(await told({}), true);
  assert.equal(await told({ order: 'index', defined: true, after: 0 }), true);
  assert.equal(await told({ defined: true }), false);
  assert.equal(await told({ after: 1 }), false);
});
