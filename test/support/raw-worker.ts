import { createHash, randomBytes } from 'node:crypto';
import type { ValueStatus } from '../../src/model/envelope.ts';
import { hasEnded, type JobProgress } from '../../src/model/job.ts';
import { indexesOf, runsOf } from '../../src/model/runs.ts';
import { packColumn, readColumn } from '../../src/protocol/column.ts';
import { fromWireRuns, toWireRuns, type WireRuns } from '../../src/protocol/shapes.ts';
import { decodeColumn, encodeColumn } from '../../src/protocol/values/column.ts';
import type { SubmitSpec } from '../../src/server/core.ts';
import type { Cleanup } from './cleanup.ts';
import type { LiveServer } from './live-server.ts';
import { type Heard, RawSocket } from './raw-socket.ts';
import { waitFor } from './wait.ts';

export const SQUARE = 'export default (x) => x * x;';

/** The code of a job, as a submit names it. */
export function codeOf(text: string): SubmitSpec['code'] {
  const sha256 = createHash('sha256').update(text).digest('hex');
  return { runner: 'js', sha256, size: Buffer.byteLength(text), sourceName: 'task.js' };
}

/** What a worker says of itself, with a key of its own. */
export function helloOf(more: Record<string, unknown> = {}) {
  const key = randomBytes(16).toString('hex');
  const facts = { name: 'raw', device: 'other', slots: 1, runners: ['js'], labels: {}, resources: {} };
  return { kind: 'hello', protocol: 1, key, ...facts, held: [], ...more };
}

/** A worker whose every word is the test's. */
export class RawWorker {
  readonly wire: RawSocket;
  readonly hello: ReturnType<typeof helloOf>;

  private constructor(wire: RawSocket, hello: ReturnType<typeof helloOf>) {
    this.wire = wire;
    this.hello = hello;
  }

  /** Connects, says hello and waits for the welcome. */
  static async join(
    t: Cleanup,
    server: LiveServer,
    options: { protocol?: string; token?: string; hello?: Record<string, unknown> } = {},
  ): Promise<RawWorker> {
    const { protocol = 'manyhands.v1', token = server.work } = options;
    const wire = await RawSocket.open(t, server, '/v1/worker', protocol, token);
    const worker = new RawWorker(wire, helloOf(options.hello));
    wire.say(worker.hello);
    await wire.hears('welcome');
    return worker;
  }

  get id(): string {
    return this.wire.of('welcome')[0]?.worker as string;
  }

  /** Every granted task so far: [lease, index]. */
  get granted(): [number, number][] {
    return this.wire.of('tasks').flatMap((message) => tasksIn(message));
  }

  /** Reports these tasks of a lease as done. */
  report(job: number, lease: number, indexes: readonly number[], values: readonly unknown[]): void {
    const { lengths, status, bytes } = encodeColumn(values);
    const runs = toWireRuns(runsOf(indexes));
    this.wire.say({ kind: 'outcomes', lease, job, runs, micros: 10 }, packColumn(lengths, status, bytes));
  }

  /** Reports them as failed, with this record, or with bytes that are none. */
  fail(job: number, lease: number, indexes: readonly number[], status: ValueStatus, record: string): void {
    const text = new TextEncoder().encode(record);
    const bytes = Buffer.concat(indexes.map(() => text));
    const column = packColumn(new Uint32Array(indexes.length).fill(text.length), status, bytes);
    this.wire.say({ kind: 'outcomes', lease, job, runs: toWireRuns(runsOf(indexes)), micros: 10 }, column);
  }

  /** Answers every grant there was and will be with this function of the index. */
  work(job: number, result: (index: number) => unknown): void {
    const answer = (message: Heard) => {
      if (message.kind !== 'tasks' || message.job !== job) return;
      const indexes = tasksIn(message).map(([, index]) => index);
      this.report(job, message.lease as number, indexes, indexes.map(result));
    };
    for (const message of this.wire.heard) answer(message);
    this.wire.socket.on('message', () => answer(this.wire.heard.at(-1) as Heard));
  }
}

export function tasksIn(message: Heard): [number, number][] {
  const runs = fromWireRuns(message.runs as WireRuns) ?? [];
  return [...indexesOf(runs)].map((index) => [message.lease as number, index]);
}

/** A job of a range, submitted past every gateway. */
export async function submitRange(server: LiveServer, count: number, more: Partial<SubmitSpec> = {}): Promise<number> {
  const spec = { name: 'job', code: codeOf(SQUARE), range: { start: 0, step: 1, count }, ...more };
  return (await server.core.submit(spec, 'tester', false, SQUARE)).job;
}

/** A job with these inputs, in one block. */
export async function submitInputs(
  server: LiveServer,
  inputs: readonly unknown[],
  more: Partial<SubmitSpec> = {},
): Promise<number> {
  const { lengths, status, bytes } = encodeColumn(inputs);
  const { job } = await server.core.submit({ name: 'job', code: codeOf(SQUARE), ...more }, 'tester', true, SQUARE);
  await server.core.addInputs(job, 0, inputs.length, packColumn(lengths, status, bytes));
  await server.core.closeJob(job, inputs.length);
  return job;
}

/** What is durable of a job once it has ended. */
export async function ended(server: LiveServer, job: number): Promise<JobProgress> {
  return await waitFor(
    async () => {
      const known = await server.core.readJob(job);
      return known !== undefined && hasEnded(known.progress.state) ? known.progress : undefined;
    },
    { what: `job ${job} to end`, timeout: 30_000 },
  );
}

/** Every recorded value of a job by index, the newest where there are several; of failures and blobs the record. */
export async function recorded(server: LiveServer, job: number): Promise<unknown[]> {
  const values: unknown[] = [];
  for (const { segment, column } of await server.core.store.readSegments(job, { after: 0 }, 1 << 30)) {
    const { lengths, statuses, allStatus, count, bytes } = readColumn(column);
    const decoded = decodeColumn(lengths, statuses ?? new Uint8Array(count).fill(allStatus), bytes);
    let at = 0;
    for (const index of indexesOf(segment.runs)) values[index] = decoded[at++];
  }
  return values;
}
