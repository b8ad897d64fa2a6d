import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ModelServer } from '../../test/support/model-server.ts';
import { submitOf } from '../../test/support/raw-client.ts';
import { helloOf, tasksIn } from '../../test/support/raw-worker.ts';
import { packColumn } from '../protocol/column.ts';
import { encodeFrame, type Frame } from '../protocol/frames.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 400);

// Small numbers, so that what is made up often names what exists.
const small = fc.integer({ min: -1, max: 6 });
const big = fc.constantFrom(0, 1, 4_096, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 1e300);
const number = fc.oneof(small, small, small, big);
const runs = fc.array(fc.tuple(number, number), { maxLength: 3 });
const text = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('stdout', 'cancel', 'retry', 'index', '__proto__'));
const column = fc
  .array(fc.tuple(fc.constantFrom(0, 0, 1, 2, 4, 8, 99), fc.oneof(fc.constant('1,'), fc.constant(''), fc.string())), {
    maxLength: 4,
  })
  .map((values) =>
    packColumn(
      Uint32Array.from(values, ([, value]) => Buffer.byteLength(value)),
      Uint8Array.from(values, ([status]) => status),
      Buffer.from(values.map(([, value]) => value).join('')),
    ),
  );

function message(kinds: readonly string[]): fc.Arbitrary<Frame> {
  const fields = fc.record(
    {
      lease: number,
      job: number,
      index: number,
      runs,
      micros: number,
      request: number,
      stream: fc.oneof(number, text),
      bytes: number,
      credit: number,
      total: number,
      after: number,
      order: fc.constantFrom('index', 'completion', 'none'),
      action: fc.constantFrom('cancel', 'pause', 'resume', 'retry', 'forget', 'none'),
      follow: fc.boolean(),
      defined: fc.boolean(),
      text,
      fraction: number,
      reason: text,
      range: fc.record({ start: number, step: number, count: number }),
      idempotencyKey: text,
    },
    { requiredKeys: ['lease', 'job', 'index', 'runs', 'micros', 'request', 'order', 'action', 'credit', 'total'] },
  );
  return fc
    .tuple(fc.constantFrom(...kinds), fields, fc.option(column, { nil: undefined }))
    .map(([kind, more, values]) => {
      if (kind === 'hello') return encodeFrame({ ...helloOf(), held: [{ lease: more.lease, runs: more.runs }] });
      if (kind === 'submit') return encodeFrame({ ...submitOf(), ...more, kind });
      return encodeFrame({ ...more, kind }, values);
    });
}

const workerFrames = message([
  'hello',
  'outcomes',
  'outcomes',
  'released',
  'log',
  'progress',
  'beat',
  'leaving',
  'bye',
]);
const clientFrames = message(['submit', 'inputs', 'close', 'results', 'credit', 'unsubscribe', 'act', 'status']);

/** A job among what is left of the others, and a worker that does whatever it is given. */
async function honestJob(server: ModelServer): Promise<string> {
  const client = server.client({ token: 'honest' });
  client.say({ kind: 'submit', request: 1, ...submitOf({ range: { start: 0, step: 1, count: 3 }, priority: 1_000 }) });
  await server.clock.settle();
  const { job } = (client.of('answer')[0] as unknown as { value: { job: number } }).value;
  const state = () => server.disk.jobs.get(job)?.progress.state ?? 'gone';
  const worker = await server.joined({ slots: 3 });
  let reported = 0;
  for (let round = 0; round < 20 && state() !== 'done'; round++) {
    for (const message of worker.of('tasks').slice(reported)) {
      reported++;
      const { lease, job: of, runs } = message;
      const { length } = tasksIn(message);
      const values = packColumn(new Uint32Array(length).fill(2), 0, Buffer.from('1,'.repeat(length)));
      worker.say({ kind: 'outcomes', lease, job: of, runs, micros: 1 }, values);
    }
    await server.clock.settle();
  }
  return state();
}

test('F-5 F-8 S11: whatever workers and clients make up, the server goes on and honest work is done', async () => {
  const step = fc.oneof(
    fc.tuple(fc.constant('worker' as const), workerFrames),
    fc.tuple(fc.constant('client' as const), clientFrames),
  );
  let refused = 0;
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const server = await ModelServer.start();
      server.core.onFault = (error) => assert.fail(`${(error as Error).stack}`);
      server.core.onBroken = (error) => assert.fail(`${error.stack}`);
      let worker = await server.joined({ slots: 2 });
      let client = server.client();
      for (const [who, frame] of steps) {
        const peer = who === 'worker' ? worker : client;
        void peer.connection.receive(frame);
        await server.clock.settle();
        server.core.loop.scheduler?.checkInvariants();
        if (peer.closed() === undefined) {
          taken++;
          continue;
        }
        refused++;
        assert.ok([1001, 1009, 1012, 4400].includes(peer.closed() ?? 0), `${peer.closed()}`);
        if (who === 'worker') worker = await server.joined({ slots: 2 });
        else client = server.client();
      }
      // Who only sits on tasks is another matter (R3).
      worker.connection.closed('cut');
      assert.equal(await honestJob(server), 'done');
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    }),
    { numRuns: RUNS },
  );
  assert.ok(refused > RUNS && taken > RUNS, `${refused} refused, ${taken} taken: the fuzz looks at one side only`);
});
