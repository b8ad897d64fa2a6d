import type { Run } from '../../src/model/runs.ts';
import { indexesOf } from '../../src/model/runs.ts';
import { packColumn, readColumn, statusOf } from '../../src/protocol/column.ts';
import { fromWireRuns } from '../../src/protocol/shapes.ts';
import { encodeColumn } from '../../src/protocol/values/column.ts';
import type { ServerToWorker } from '../../src/protocol/worker-messages.ts';
import type { Chunk, SlotEvent } from '../../src/worker/runner.ts';
import { Session } from '../../src/worker/session.ts';
import type { SessionEffect, SessionInput, SessionOptions } from '../../src/worker/session-io.ts';

export type Effect<Kind extends SessionEffect['kind']> = SessionEffect & { kind: Kind };

/** A session with a clock in the hand of the test; it collects what the session wants. */
export class Bench {
  now = 1_000;
  chance = 0.5;
  readonly session: Session;
  effects: SessionEffect[] = [];

  constructor(options: Partial<SessionOptions> = {}) {
    const own = {
      key: 'a'.repeat(32),
      servers: ['http://a/'],
      name: 'n',
      device: 'node',
      slots: 2,
      runners: ['js'],
      labels: {},
      resources: {},
    } as const;
    this.session = new Session({ ...own, beats: false, ...options });
  }

  handle(input: SessionInput): void {
    this.effects.push(...this.session.handle(input, this.now, this.chance));
  }

  say(message: ServerToWorker, column?: Uint8Array): void {
    this.handle({ kind: 'message', message, ...(column && { column }) });
  }

  /** What came out of this kind since the last look at it. */
  take<Kind extends SessionEffect['kind']>(kind: Kind): Effect<Kind>[] {
    const taken = this.effects.filter((effect): effect is Effect<Kind> => effect.kind === kind);
    this.effects = this.effects.filter((effect) => effect.kind !== kind);
    return taken;
  }

  sent(): unknown[] {
    return this.take('send').map(({ message }) => message);
  }

  /** Time passes, with a tick whenever the session asked for one. */
  pass(millis: number): void {
    const end = this.now + millis;
    for (let wake = this.session.wakeAt; wake !== undefined && wake <= end; wake = this.session.wakeAt) {
      this.now = Math.max(this.now, wake);
      this.handle({ kind: 'tick' });
    }
    this.now = end;
  }

  join(): this {
    this.handle({ kind: 'start' });
    this.open();
    for (const { slot } of this.take('startSlot')) this.handle({ kind: 'slotReady', slot });
    this.effects = [];
    return this;
  }

  open(more: { farm?: string; servers?: string[]; pingEvery?: number } = {}): void {
    this.handle({ kind: 'connected' });
    this.say({ kind: 'welcome', protocol: 1, worker: 'w', farm: 'f', pingEvery: 10_000, silence: 25_000, ...more });
  }

  job(job: number, more: object = {}): void {
    const code = { runner: 'js', sha256: `${job}`.padStart(64, '0'), size: 1, sourceName: 's' } as const;
    this.say({ kind: 'job', job, name: 'j', code, ...more });
    this.handle({ kind: 'codeReady', sha256: code.sha256 });
    this.take('fetchCode');
  }

  tasks(lease: number, job: number, start: number, count: number, more: object = {}): void {
    this.say({ kind: 'tasks', lease, job, runs: [[start, count]], ...more }, columnOf(count));
  }

  /** The slot's chunk is over: so many of its tasks are done, each after so many microseconds. */
  done(slot: number, chunk: Chunk, done = sizeOf(chunk.runs), each = 1_000): void {
    this.handle({ kind: 'chunkDone', slot, chunk: chunk.id, done, micros: done * each, column: columnOf(done) });
  }

  died(slot: number, more: Partial<SlotEvent & { kind: 'slotDied' }> = {}): void {
    this.handle({ kind: 'slotDied', slot, cause: 'exit', exitCode: 1, lastWords: '', ...more });
    for (const start of this.take('startSlot')) this.handle({ kind: 'slotReady', slot: start.slot });
  }

  /** Teaches the session that this job's tasks take so long, with a batch of its own. */
  warm(job: number, micros: number): void {
    for (let i = 0; i < 8; i++) {
      this.tasks(900 + i, job, 100_000 + i, 1);
      const [{ slot, chunk }] = this.take('runChunk') as [Effect<'runChunk'>];
      this.done(slot, chunk, 1, micros);
    }
    this.effects = [];
  }
}

export const sizeOf = (runs: readonly Run[]): number => [...indexesOf(runs)].length;

export function columnOf(count: number): Uint8Array {
  const { lengths, status, bytes } = encodeColumn(Array.from({ length: count }, (_, i) => i));
  return packColumn(lengths, status, bytes);
}

export const outcomesOf = (bench: Bench) =>
  bench.take('send').flatMap(({ message, column }) => {
    if (message.kind !== 'outcomes') return [];
    const read = readColumn(column as Uint8Array);
    return [...indexesOf(fromWireRuns(message.runs) ?? [])].map((index, i) => ({ index, status: statusOf(read, i) }));
  });
