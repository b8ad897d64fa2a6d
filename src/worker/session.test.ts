import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isFailure, ValueStatus } from '../model/envelope.ts';
import { KEPT_OUTCOME_BYTES, RECONNECT_BASE, RECONNECT_CAP, REVOKE_GRACE } from '../model/limits.ts';
import type { Run } from '../model/runs.ts';
import { indexesOf } from '../model/runs.ts';
import { packColumn, readColumn, statusOf } from '../protocol/column.ts';
import { fromWireRuns } from '../protocol/shapes.ts';
import { encodeColumn } from '../protocol/values/column.ts';
import type { ServerToWorker } from '../protocol/worker-messages.ts';
import type { Chunk, SlotEvent } from './runner.ts';
import { Session } from './session.ts';
import type { SessionEffect, SessionInput, SessionOptions } from './session-io.ts';

type Effect<Kind extends SessionEffect['kind']> = SessionEffect & { kind: Kind };

/** A session with a clock in the hand of the test; it collects what the session wants. */
class Bench {
  now = 1_000;
  chance = 0.5;
  readonly session: Session;
  effects: SessionEffect[] = [];

  constructor(options: Partial<SessionOptions> = {}) {
    const own = { key: 'a'.repeat(32), name: 'n', device: 'node', slots: 2, runners: ['js'], labels: {}, resources: {} } as const;
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

  open(): void {
    this.handle({ kind: 'connected' });
    this.say({ kind: 'welcome', protocol: 1, worker: 'w', farm: 'f', pingEvery: 10_000, silence: 25_000 });
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

const sizeOf = (runs: readonly Run[]): number => [...indexesOf(runs)].length;

function columnOf(count: number): Uint8Array {
  const { lengths, status, bytes } = encodeColumn(Array.from({ length: count }, (_, i) => i));
  return packColumn(lengths, status, bytes);
}

const outcomesOf = (bench: Bench) =>
  bench.take('send').flatMap(({ message, column }) => {
    if (message.kind !== 'outcomes') return [];
    const read = readColumn(column as Uint8Array);
    return [...indexesOf(fromWireRuns(message.runs) ?? [])].map((index, i) => ({ index, status: statusOf(read, i) }));
  });

describe('connections', () => {
  test('P13: the delay before a reconnect is drawn from a bound that doubles up to its cap', () => {
    const bench = new Bench().join();
    bench.chance = 0.999_999;
    const delays: number[] = [];
    for (let i = 0; i < 10; i++) {
      bench.handle({ kind: 'disconnected', reason: 'cut' });
      const [status] = bench.take('status');
      delays.push(status?.status.state === 'waiting' ? status.status.retryIn : -1);
      bench.pass(delays.at(-1) as number);
      assert.equal(bench.take('connect').length, 1);
    }
    assert.deepEqual(delays.slice(0, 3), [RECONNECT_BASE, 2 * RECONNECT_BASE, 4 * RECONNECT_BASE]);
    assert.equal(delays.at(-1), RECONNECT_CAP);
    bench.open();
    bench.chance = 0;
    bench.handle({ kind: 'disconnected', reason: 'cut', retryAfter: 700 });
    assert.deepEqual(bench.take('status').at(-1)?.status, { state: 'waiting', reason: 'cut', retryIn: 700 });
  });

  test('P13: silence closes the connection, and anything heard renews it', () => {
    const bench = new Bench().join();
    bench.pass(24_000);
    bench.handle({ kind: 'heard' });
    bench.pass(24_000);
    assert.deepEqual(bench.take('disconnect'), []);
    bench.pass(1_000);
    assert.equal(bench.take('disconnect')[0]?.code, 4408);
  });

  test('P13: who cannot see pings says beat', () => {
    const bench = new Bench({ beats: true }).join();
    bench.pass(20_000);
    assert.deepEqual(bench.sent(), [{ kind: 'beat' }, { kind: 'beat' }]);
  });

  test('P7: a server that says anything but welcome first is left', () => {
    const bench = new Bench();
    bench.handle({ kind: 'start' });
    bench.handle({ kind: 'connected' });
    bench.say({ kind: 'recall', lease: 1, runs: [[0, 1]] });
    assert.match(bench.take('disconnect')[0]?.reason ?? '', /recall came before welcome/);
  });

  const broken: [string, (bench: Bench) => void, RegExp][] = [
    ['P8: tasks of an unknown job', (bench) => bench.tasks(1, 9, 0, 1), /came before its facts/],
    ['P6: runs that overlap', (bench) => bench.say({ kind: 'recall', lease: 1, runs: [[0, 2], [1, 1]] }), /sorted/],
    ['P5: fewer inputs than tasks', (bench) => bench.say({ kind: 'tasks', lease: 1, job: 1, runs: [[0, 3]] }, columnOf(2)), /3 tasks/],
    ['P5: no inputs', (bench) => bench.say({ kind: 'tasks', lease: 1, job: 1, runs: [[0, 3]] }), /no inputs/],
    ['P5: a damaged column', (bench) => bench.say({ kind: 'tasks', lease: 1, job: 1, runs: [[0, 1]] }, new Uint8Array(9)), /column/],
  ];
  for (const [what, act, says] of broken) {
    test(`T-25 ${what} break the connection, nothing else`, () => {
      const bench = new Bench().join();
      bench.job(1);
      act(bench);
      const [closed] = bench.take('disconnect');
      assert.equal(closed?.code, 4400);
      assert.match(closed?.reason ?? '', says);
      assert.equal(bench.session.ended, false);
    });
  }

  test('P11: a hello lists what is queued, what runs and what is kept', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 1);
    const [first] = bench.take('runChunk');
    bench.done(0, first?.chunk as Chunk);
    bench.tasks(2, 1, 10, 1);
    bench.tasks(3, 1, 20, 5);
    bench.handle({ kind: 'disconnected', reason: 'cut' });
    bench.pass(1_000);
    bench.effects = [];
    bench.handle({ kind: 'connected' });
    const [hello] = bench.sent() as [{ held: { lease: number; runs: number[][] }[] }];
    const held = hello.held.sort((a, b) => a.lease - b.lease);
    assert.deepEqual(held, [{ lease: 1, runs: [[0, 1]] }, { lease: 2, runs: [[10, 1]] }, { lease: 3, runs: [[20, 5]] }]);
  });
});

describe('chunks', () => {
  test('the first task of a job goes alone, then as many as fill the time', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 4_000);
    const [first] = bench.take('runChunk') as [Effect<'runChunk'>];
    assert.deepEqual(first.chunk.runs, [{ start: 0, count: 1 }]);
    bench.done(0, first.chunk, 1, 10);
    const [second] = bench.take('runChunk') as [Effect<'runChunk'>];
    assert.deepEqual(second.chunk.runs, [{ start: 1, count: 1_000 }]);
  });

  test('P9: what waits is shared out among the slots that idle', () => {
    const bench = new Bench({ slots: 2 }).join();
    bench.job(1);
    bench.warm(1, 2_000);
    bench.tasks(1, 1, 0, 4);
    const runs = bench.take('runChunk').map(({ slot, chunk }) => [slot, chunk.runs]);
    assert.deepEqual(runs.slice(0, 2), [[0, [{ start: 0, count: 2 }]], [1, [{ start: 2, count: 2 }]]]);
  });

  test('short tasks are handed over ahead, long ones never', () => {
    for (const [micros, chunks] of [[10, 2], [20_000, 1]] as const) {
      const bench = new Bench({ slots: 1 }).join();
      bench.job(1);
      bench.warm(1, micros);
      bench.tasks(1, 1, 0, 4_000);
      assert.equal(bench.take('runChunk').length, chunks, `${micros} µs`);
    }
  });

  test('tasks that a chunk had no time for are queued again, first', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.warm(1, 1_000);
    bench.tasks(1, 1, 0, 8);
    const [{ chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
    bench.tasks(2, 1, 50, 1);
    bench.take('runChunk');
    bench.done(0, chunk, 1, 50_000);
    bench.effects = [];
    bench.say({ kind: 'recall', lease: 1, runs: [[0, 100]] });
    assert.deepEqual(bench.sent(), [{ kind: 'released', lease: 1, runs: [[1, 7]] }]);
  });

  test('R18: CPUs, resources and memory are never exceeded side by side', () => {
    const cases = [{ cpus: 2 }, { resources: { gpu: 1 } }, { memory: 600 }];
    for (const needs of cases) {
      const bench = new Bench({ slots: 2, resources: { gpu: 1 }, memory: 1_000 }).join();
      bench.job(1, needs);
      bench.tasks(1, 1, 0, 4);
      assert.equal(bench.take('runChunk').length, 1, JSON.stringify(needs));
    }
  });

  test('P10: above a bound of kept outcomes nothing is started until acks come', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 3);
    const [{ chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
    const lengths = Uint32Array.of(KEPT_OUTCOME_BYTES);
    const column = packColumn(lengths, 0, new Uint8Array(KEPT_OUTCOME_BYTES));
    bench.handle({ kind: 'chunkDone', slot: 0, chunk: chunk.id, done: 1, micros: 1, column });
    assert.equal(bench.take('runChunk').length, 0);
    bench.say({ kind: 'ack', lease: 1, verdict: 'recorded', runs: [[0, 1]] });
    assert.equal(bench.take('runChunk').length, 1);
  });

  test('a task that is granted again is not run again', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 3);
    bench.tasks(1, 1, 1, 4);
    bench.say({ kind: 'recall', lease: 1, runs: [[0, 100]] });
    assert.deepEqual(bench.sent(), [{ kind: 'released', lease: 1, runs: [[1, 4]] }]);
  });
});

describe('deaths', () => {
  /** A slot that runs one chunk of these tasks, with the next waiting behind it in the process. */
  function twoChunks() {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1, { timeout: 1_000 });
    bench.warm(1, 1_000);
    bench.tasks(1, 1, 0, 14);
    const chunks = bench.take('runChunk').map(({ chunk }) => chunk);
    assert.deepEqual(chunks.map(({ runs }) => runs), [[{ start: 0, count: 10 }], [{ start: 10, count: 4 }]]);
    return bench;
  }

  test('F-14: tasks of a batch that died rerun one by one, and only the guilty one is charged', () => {
    const bench = twoChunks();
    bench.died(0, { signal: 'SIGSEGV' });
    assert.deepEqual(outcomesOf(bench), [], 'nobody is charged yet');
    const order: number[] = [];
    for (let i = 0; i < 12; i++) {
      const handed = bench.take('runChunk');
      const [{ chunk }] = handed as [Effect<'runChunk'>];
      if (i < 10) assert.deepEqual([handed.length, sizeOf(chunk.runs)], [1, 1], 'one at a time, none behind it');
      order.push(...indexesOf(chunk.runs));
      if (chunk.runs[0]?.start === 3) bench.died(0);
      else bench.done(0, chunk);
      if (order.length >= 14) break;
    }
    const outcomes = outcomesOf(bench);
    assert.deepEqual(outcomes.filter(({ status }) => isFailure(status)), [{ index: 3, status: ValueStatus.crash }]);
    assert.equal(new Set(outcomes.map(({ index }) => index)).size, outcomes.length);
    assert.equal(outcomes.length, 14);
  });

  test('F-2: time is up for a chunk of several, then for the one that is guilty', () => {
    const bench = twoChunks();
    bench.pass(1_005);
    assert.deepEqual(bench.take('killSlot'), []);
    bench.pass(10);
    assert.equal(bench.take('killSlot').length, 1);
    bench.died(0, { signal: 'SIGKILL' });
    assert.deepEqual(outcomesOf(bench), []);
    bench.take('runChunk');
    bench.pass(1_000);
    assert.equal(bench.take('killSlot').length, 1);
    bench.died(0, { signal: 'SIGKILL' });
    assert.deepEqual(outcomesOf(bench), [{ index: 0, status: ValueStatus.timeout }]);
  });

  test('a chunk that ends just before its process is killed for it does not charge the next', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1, { timeout: 1_000 });
    bench.warm(1, 9_000);
    bench.tasks(1, 1, 0, 2);
    const [first, second] = bench.take('runChunk').map(({ chunk }) => chunk) as [Chunk, Chunk];
    bench.pass(1_001);
    assert.equal(bench.take('killSlot').length, 1);
    bench.done(0, first);
    bench.died(0, { signal: 'SIGKILL' });
    assert.deepEqual(outcomesOf(bench), [{ index: 0, status: 0 }]);
    assert.deepEqual(bench.take('runChunk').map(({ chunk }) => chunk.runs), [second.runs]);
  });

  test('the time limit does not count while a chunk waits for blobs', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1, { timeout: 100 });
    bench.tasks(1, 1, 0, 1);
    const [{ chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
    bench.handle({ kind: 'chunkWaiting', slot: 0, chunk: chunk.id });
    bench.pass(5_000);
    assert.deepEqual(bench.take('killSlot'), []);
    bench.handle({ kind: 'chunkStarted', slot: 0, chunk: chunk.id });
    bench.pass(100);
    assert.equal(bench.take('killSlot').length, 1);
  });

  test('P12: a chunk of which all is revoked is told so, then killed; the rest is not charged', () => {
    const bench = twoChunks();
    bench.say({ kind: 'revoke', lease: 1, runs: [[0, 12]] });
    assert.equal(bench.take('abortChunk').length, 1);
    bench.pass(REVOKE_GRACE);
    assert.equal(bench.take('killSlot').length, 1);
    bench.died(0, { signal: 'SIGKILL' });
    assert.deepEqual(outcomesOf(bench), []);
    assert.deepEqual(bench.take('runChunk')[0]?.chunk.runs, [{ start: 12, count: 2 }]);
  });

  test('P12: outcomes of revoked tasks are not sent, those beside them are', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.warm(1, 1_000);
    bench.tasks(1, 1, 0, 10);
    const [{ chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
    bench.say({ kind: 'revoke', lease: 1, runs: [[2, 3]] });
    bench.done(0, chunk);
    assert.deepEqual(outcomesOf(bench).map(({ index }) => index), [0, 1, 5, 6, 7, 8, 9]);
  });

  test('a process that keeps dying without a task is started later and later', () => {
    const bench = new Bench({ slots: 1 }).join();
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      bench.handle({ kind: 'slotDied', slot: 0, cause: 'exit', exitCode: 1, lastWords: '' });
      const begun = bench.now;
      while (bench.take('startSlot').length === 0) {
        bench.handle({ kind: 'heard' });
        bench.pass(50);
      }
      waits.push(bench.now - begun);
    }
    assert.deepEqual(waits, [100, 200, 400, 800]);
  });
});
