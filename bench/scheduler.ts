// What the scheduler alone costs: nanoseconds a task and events a second, without wire, store or tasks.
// Usage: node bench/scheduler.ts [--json]

import type { JobSpec } from '../src/model/job.ts';
import { BLOCK_TASKS } from '../src/model/limits.ts';
import type { WorkerFacts } from '../src/model/worker.ts';
import type { Command } from '../src/scheduler/commands.ts';
import { Scheduler } from '../src/scheduler/scheduler.ts';

const SPEC: JobSpec = {
  name: 'bench',
  owner: 'owner',
  code: { runner: 'js', sha256: '0'.repeat(64), size: 1, sourceName: 'bench.ts' },
  priority: 0,
  weight: 1,
  retries: 0,
  requires: {},
  cpus: 1,
  resources: {},
  fenced: false,
  submittedAt: 0,
};

function facts(id: string, slots: number): WorkerFacts {
  return { id, name: id, kind: 'node', slots, runners: ['js'], labels: {}, resources: {}, token: 't' };
}

interface Figure {
  readonly name: string;
  readonly nanosPerTask: number;
  readonly nanosPerEvent: number;
  readonly eventsPerSecond: number;
}

/** Runs a closed job of `total` tasks to its end, with workers that take `micros` a task, and measures the scheduler alone. */
function drain(
  name: string,
  options: { total: number; workers: number; micros: number; single: boolean; idle?: number },
): Figure {
  const scheduler = new Scheduler({ epoch: 1, now: 0, wallOffset: 0 });
  let now = 1;
  let events = 0;
  let recorded = 0;
  const queue: Extract<Command, { kind: 'grant' }>[] = [];
  const claims: number[] = [];
  let next = 0;
  const post = (event: Parameters<Scheduler['handle']>[0]) => {
    events++;
    for (const command of scheduler.handle(event, now)) {
      if (command.kind === 'grant') queue.push(command);
      else if (command.kind === 'claimMore') claims.push(command.blocks);
      else if (command.kind === 'ack') for (const run of command.runs) recorded += run.count;
    }
  };
  for (let i = 0; i < (options.idle ?? 0); i++) {
    post({ kind: 'workerJoined', worker: { ...facts(`idle${i}`, 1), runners: ['python'] }, held: [] });
  }
  for (let i = 0; i < options.workers; i++) post({ kind: 'workerJoined', worker: facts(`w${i}`, 1), held: [] });
  const started = process.hrtime.bigint();
  const spec = { ...SPEC, range: { start: 0, step: 1, count: options.total } };
  post({ kind: 'jobSubmitted', request: 1, job: 1, spec, open: false });
  while (recorded < options.total) {
    now += 0.5;
    const blocks = claims.shift();
    if (blocks !== undefined) {
      const records = [];
      for (let i = 0; i < blocks && next < options.total; i++) {
        const count = Math.min(BLOCK_TASKS, options.total - next);
        records.push({ job: 1, first: next, count, generation: 0, exceptions: [], epoch: 1 });
        next += count;
      }
      post({ kind: 'blocksClaimed', job: 1, blocks: records, more: next < options.total });
    }
    const grant = queue.shift();
    if (grant === undefined) continue;
    const { worker, lease, job } = grant;
    const pieces = options.single
      ? grant.runs.flatMap((run) => Array.from({ length: run.count }, (_, i) => [{ start: run.start + i, count: 1 }]))
      : [grant.runs];
    for (const runs of pieces) {
      const tasks = runs.reduce((sum, run) => sum + run.count, 0);
      post({ kind: 'outcomes', worker, lease, job, runs, failures: [], elapsedMicros: tasks * options.micros });
    }
  }
  const nanos = Number(process.hrtime.bigint() - started);
  scheduler.checkInvariants();
  const perEvent = nanos / events;
  return { name, nanosPerTask: nanos / options.total, nanosPerEvent: perEvent, eventsPerSecond: 1e9 / perEvent };
}

function measure(name: string, options: Parameters<typeof drain>[1]): Figure {
  drain(name, options);
  const runs = Array.from({ length: 3 }, () => drain(name, options)).sort((a, b) => a.nanosPerTask - b.nanosPerTask);
  return runs[1] as Figure;
}

const figures = [
  measure('batches of 4,096, 2 workers', { total: 8_000_000, workers: 2, micros: 1, single: false }),
  measure('the same beside 1,000 other workers', {
    total: 8_000_000,
    workers: 2,
    micros: 1,
    single: false,
    idle: 1_000,
  }),
  measure('10 ms tasks reported one by one, 2 workers', { total: 100_000, workers: 2, micros: 10_000, single: true }),
  measure('1 s tasks, 1,000 workers', { total: 100_000, workers: 1_000, micros: 1_000_000, single: true }),
];

if (process.argv.includes('--json')) {
  console.log(JSON.stringify(figures));
} else {
  for (const { name, nanosPerTask, nanosPerEvent, eventsPerSecond } of figures) {
    const event = `${(nanosPerEvent / 1000).toFixed(1)} µs/event`;
    console.log(
      `${name.padEnd(46)} ${nanosPerTask.toFixed(1).padStart(9)} ns/task  ${event}  ${Math.round(eventsPerSecond)} events/s`,
    );
  }
}
