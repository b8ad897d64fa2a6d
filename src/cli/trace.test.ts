import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import Type from 'typebox';
import Value from 'typebox/value';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { CommandLine } from '../../test/support/command-line.ts';
import { Trace } from './trace.ts';

const suite: Cleanup = { after };
const line = new CommandLine(suite);

before(async () => {
  await line.serve('--workers', '2');
});

/** The trace event format, as far as we write it: what Perfetto and about:tracing read. */
const closed = { additionalProperties: false };
const common = {
  name: Type.String({ minLength: 1 }),
  pid: Type.Integer({ minimum: 1 }),
  tid: Type.Integer({ minimum: 0 }),
  args: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
};
const moment = { ts: Type.Integer(), cat: Type.String({ minLength: 1 }) };
const TraceFile = Type.Object(
  {
    displayTimeUnit: Type.Union([Type.Literal('ms'), Type.Literal('ns')]),
    otherData: Type.Object({ job: Type.Integer(), name: Type.String(), state: Type.String() }),
    traceEvents: Type.Array(
      Type.Union([
        Type.Object({ ...common, ph: Type.Literal('M') }, closed),
        Type.Object({ ...common, ...moment, ph: Type.Literal('X'), dur: Type.Integer({ minimum: 0 }) }, closed),
        Type.Object({ ...common, ...moment, ph: Type.Literal('i'), s: Type.Literal('t') }, closed),
      ]),
    ),
  },
  closed,
);

function read(text: string): Type.Static<typeof TraceFile> {
  const trace = JSON.parse(text) as unknown;
  assert.deepEqual(Value.Errors(TraceFile, trace), []);
  return trace as Type.Static<typeof TraceFile>;
}

async function submit(...args: string[]): Promise<string> {
  const job = (await line.run(['run', ...args, '--detach'])).stdout.trim();
  await line.run(['wait', job, '--quiet']);
  return job;
}

describe('trace', () => {
  it('prints which slot of which worker ran what, and for how long', async () => {
    const job = await submit('slow.mjs', '--range', '1..6', '--name', 'six "slow" ones');
    const { code, stdout, stderr } = await line.run(['trace', job]);
    assert.deepEqual([code, stderr], [0, '']);
    const { traceEvents, otherData } = read(stdout);
    assert.deepEqual(otherData, { job: Number(job), name: 'six "slow" ones', state: 'done' });
    const names = traceEvents.filter(({ ph }) => ph === 'M');
    assert.equal(names.filter(({ name }) => name === 'process_name').length, 1);
    const slots = names.filter(({ name }) => name === 'thread_name').map(({ args }) => args['name']);
    assert.deepEqual(slots.sort(), ['slot 1', 'slot 2']);
    const tasks = traceEvents.flatMap((event) => (event.ph === 'X' ? [event] : []));
    assert.equal(
      tasks.reduce((sum, { args }) => sum + Number(args['tasks']), 0),
      6,
    );
    assert.deepEqual(tasks.map(({ args }) => args['first']).sort(), [0, 1, 2, 3, 4, 5]);
    for (const { dur, cat, args } of tasks) {
      assert.ok(Number(args['micros']) >= 290_000, 'what was measured, whatever is drawn');
      assert.ok(dur >= 200_000 && dur < 3_000_000, `${dur} µs`);
      assert.equal(cat, 'done');
    }
    // One slot runs one task at a time.
    for (const tid of [1, 2]) {
      const own = tasks.filter((each) => each.tid === tid).sort((a, b) => a.ts - b.ts);
      for (const [i, next] of own.entries()) {
        const before = own[i - 1];
        if (before !== undefined) assert.ok(next.ts >= before.ts + before.dur, JSON.stringify([before, next]));
      }
    }
  });

  it('tells failures apart, writes into a file, and takes the newest job', async () => {
    await submit('odd.ts', '1', '2', '3', '4', '--max-failures', '9');
    const file = path.join(line.directory, 'trace.json');
    const { code, stdout, stderr } = await line.run(['trace', 'last', '--out', file]);
    assert.deepEqual([code, stdout, stderr], [0, '', '']);
    const { traceEvents } = read(readFileSync(file, 'utf8'));
    const failed = traceEvents.reduce((sum, { args }) => sum + Number(args['failed'] ?? 0), 0);
    assert.equal(failed, 2);
    assert.ok(traceEvents.some((event) => event.ph === 'X' && event.cat === 'failed'));
  });

  it('refuses what is no job, and a file that cannot be written', async () => {
    for (const [args, says] of [
      [['trace', '999'], /there is no job 999/],
      [['trace', 'soon'], /"soon" is not a job/],
      [['trace', 'last', '--out', '/nowhere/at/all'], /can't be written/],
    ] as const) {
      const { code, stdout, stderr } = await line.run(args);
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
      assert.match(stderr, says);
    }
  });

  it('shows what was lost or too slow beside the slots, and what was tried again as a moment', () => {
    const view = { spec: { submittedAt: 0 }, progress: { startedAt: 1_000 } } as ConstructorParameters<typeof Trace>[0];
    const bar = { seq: 1, worker: 'b', lease: 2, from: 1_500, to: 2_500, micros: 1_000_000, first: 7, tasks: 1 };
    const attempt = { index: 7, worker: 'a', lease: 1, startedAt: 1_000, endedAt: 2_500, message: 'b was faster' };
    const events = [
      ...new Trace(view, new Map()).eventsOf({
        bars: [{ ...bar, failed: 0 }],
        attempts: [
          { ...attempt, outcome: 'superseded' },
          { ...attempt, outcome: 'failed' },
        ],
      }),
    ];
    const shown = events.map(({ name, ph, pid, tid, ts, dur }) => [name, ph, pid, tid, ts, dur]);
    assert.deepEqual(shown, [
      ['process_name', 'M', 1, 0, undefined, undefined],
      ['thread_name', 'M', 1, 1, undefined, undefined],
      ['task 7', 'X', 1, 1, 500_000, 1_000_000],
      ['process_name', 'M', 2, 0, undefined, undefined],
      ['thread_name', 'M', 2, 10_001, undefined, undefined],
      ['superseded: task 7', 'X', 2, 10_001, 0, 1_500_000],
      ['failed: task 7', 'i', 2, 10_001, 1_500_000, undefined],
    ]);
  });
});
