import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countRuns, indexesOf } from '../model/runs.ts';
import { packColumn } from '../protocol/column.ts';
import { fromWireRuns } from '../protocol/shapes.ts';
import type { ServerToWorker } from '../protocol/worker-messages.ts';
import type { Chunk } from './runner.ts';
import { Session } from './session.ts';
import type { SessionInput } from './session-io.ts';

/** Small and seeded, so that a failure can be run again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const columnOf = (count: number): Uint8Array => packColumn(new Uint32Array(count), 0, new Uint8Array(0));

/** A server, a network and slots that do what chance says; it keeps account of every task. */
class Chaos {
  now = 0;
  readonly random: () => number;
  readonly session: Session;
  connected = false;
  lease = 0;
  /** What became of each task, as the server sees it: `lease/index`. */
  readonly fate = new Map<string, 'granted' | 'released' | 'revoked' | 'acked'>();
  readonly unacked = new Map<string, number>();
  readonly slots: ('starting' | 'ready')[] = ['starting', 'starting', 'starting'];
  readonly running: Chunk[][] = [[], [], []];

  constructor(seed: number) {
    this.random = randomOf(seed);
    const options = {
      key: 'b'.repeat(32),
      name: 'n',
      device: 'node',
      runners: ['js'],
      labels: {},
      resources: {},
    } as const;
    this.session = new Session({ ...options, servers: ['http://a/'], slots: 3, beats: false });
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  handle(input: SessionInput): void {
    for (const effect of this.session.handle(input, this.now, this.random())) {
      if (effect.kind === 'disconnect') this.connected = false;
      else if (effect.kind === 'startSlot') this.slots[effect.slot] = 'starting';
      else if (effect.kind === 'runChunk') this.running[effect.slot]?.push(effect.chunk);
      else if (effect.kind === 'killSlot') this.die(effect.slot);
      else if (effect.kind === 'send') this.hear(effect.message);
    }
  }

  /** Deaths come later, as they do. */
  readonly dying = new Set<number>();
  die(slot: number): void {
    this.dying.add(slot);
  }

  hear(message: { kind: string; lease?: number; runs?: [number, number][]; held?: unknown }): void {
    if (message.kind === 'hello') this.hello(message.held as { lease: number; runs: [number, number][] }[]);
    if (message.kind !== 'outcomes' && message.kind !== 'released') return;
    for (const index of indexesOf(fromWireRuns(message.runs ?? []) ?? [])) {
      const task = `${message.lease}/${index}`;
      const fate = this.fate.get(task);
      if (message.kind === 'released') {
        assert.equal(fate, 'granted', `${task} is given back, but was ${fate}`);
        assert.ok(!this.unacked.has(task), `${task} is given back after its outcome`);
        this.fate.set(task, 'released');
      } else {
        assert.equal(fate, 'granted', `an outcome of ${task}, which is ${fate}`);
        this.unacked.set(task, (this.unacked.get(task) ?? 0) + 1);
      }
    }
  }

  /** P11: a worker that comes back lists exactly what it has not delivered for good. */
  hello(held: { lease: number; runs: [number, number][] }[]): void {
    const listed = new Set(
      held.flatMap(({ lease, runs }) => [...indexesOf(fromWireRuns(runs) ?? [])].map((i) => `${lease}/${i}`)),
    );
    const open = new Set([...this.fate].filter(([, fate]) => fate === 'granted').map(([task]) => task));
    assert.deepEqual([...listed].sort(), [...open].sort());
  }

  say(message: ServerToWorker, column?: Uint8Array): void {
    if (this.connected) this.handle({ kind: 'message', message, ...(column && { column }) });
  }

  connect(): void {
    if (this.connected) return;
    for (let wake = this.session.wakeAt; wake !== undefined && wake <= this.now; wake = this.session.wakeAt)
      this.handle({ kind: 'tick' });
    this.handle({ kind: 'connected' });
    this.connected = true;
    this.say({ kind: 'welcome', protocol: 1, worker: 'w', farm: 'f', pingEvery: 1e9, silence: 1e9 });
  }

  grant(): void {
    if (!this.connected) return;
    this.lease += 1;
    const job = 1 + this.below(2);
    const code = { runner: 'js', sha256: `${job}`.padStart(64, '0'), size: 1, sourceName: 's' } as const;
    this.say({ kind: 'job', job, name: 'j', code, ...(job === 2 && { timeout: 500 }) });
    this.handle({ kind: 'codeReady', sha256: code.sha256 });
    const runs: [number, number][] = [];
    for (let at = this.below(5); runs.length < 1 + this.below(3); at += 2 + this.below(20)) {
      runs.push([at, 1 + this.below(2)]);
      at += 2;
    }
    for (const index of indexesOf(fromWireRuns(runs) ?? [])) this.fate.set(`${this.lease}/${index}`, 'granted');
    const alone = this.below(4) === 0;
    this.say({ kind: 'tasks', lease: this.lease, job, runs, alone }, columnOf(countRuns(fromWireRuns(runs) ?? [])));
  }

  ack(): void {
    if (!this.connected) return;
    for (const task of [...this.unacked.keys()]) {
      if (this.below(2) === 0) continue;
      const [lease, index] = task.split('/').map(Number) as [number, number];
      this.unacked.delete(task);
      this.fate.set(task, 'acked');
      this.say({ kind: 'ack', lease, verdict: 'recorded', runs: [[index, 1]] });
    }
  }

  takeAway(kind: 'recall' | 'revoke'): void {
    if (!this.connected || this.lease === 0) return;
    const lease = Math.max(1, this.lease - this.below(4));
    const start = this.below(30);
    const count = 1 + this.below(30);
    if (kind === 'revoke') {
      for (let index = start; index < start + count; index++) {
        const task = `${lease}/${index}`;
        if (this.fate.get(task) !== 'granted') continue;
        this.fate.set(task, 'revoked');
        this.unacked.delete(task);
      }
    }
    this.say({ kind, lease, runs: [[start, count]] });
  }

  /** Meanwhile its slots go on. */
  nap(): void {
    this.handle({ kind: 'sleep', reason: 'hidden' });
    this.now += 70_000;
    for (const slot of [0, 1, 2]) this.step(slot, true);
    this.handle({ kind: 'wake' });
  }

  /** A slot goes on by one step: it starts, finishes a chunk in whole or in part, or dies. */
  step(slot: number, mayDie: boolean): void {
    const chunks = this.running[slot] as Chunk[];
    if (this.slots[slot] === 'starting') {
      this.slots[slot] = 'ready';
      this.handle({ kind: 'slotReady', slot });
    } else if (this.dying.delete(slot) || (mayDie && this.below(8) === 0)) {
      chunks.length = 0;
      this.handle({ kind: 'slotDied', slot, cause: 'exit', exitCode: 1, lastWords: '' });
    } else {
      const chunk = chunks.shift();
      if (chunk === undefined) return;
      const size = countRuns(chunk.runs);
      const done = this.below(3) === 0 ? 1 + this.below(size) : size;
      const micros = done * [10, 1_000, 30_000][this.below(3) as 0 | 1 | 2]!;
      this.handle({ kind: 'chunkDone', slot, chunk: chunk.id, done, micros, column: columnOf(done) });
    }
  }

  live(steps: number): void {
    this.handle({ kind: 'start' });
    this.handle({ kind: 'connected' });
    this.connected = true;
    this.say({ kind: 'welcome', protocol: 1, worker: 'w', farm: 'f', pingEvery: 1e9, silence: 1e9 });
    for (let i = 0; i < steps; i++) {
      this.now += this.below(100);
      const what = this.below(20);
      if (what < 4) this.grant();
      else if (what < 6) this.ack();
      else if (what === 6) this.takeAway('recall');
      else if (what === 7) this.takeAway('revoke');
      else if (what === 8 && this.connected && this.below(3) === 0) {
        this.connected = false;
        this.handle({ kind: 'disconnected', reason: 'cut' });
        this.now += 70_000;
        this.connect();
      } else if (what < 17) this.step(this.below(3), true);
      else if (what === 17 && this.below(3) === 0) this.handle({ kind: 'resize', slots: 1 + this.below(3) });
      else if (what === 18 && this.below(3) === 0) this.nap();
      else this.handle({ kind: 'tick' });
      this.connect();
    }
  }

  /** Chance holds its breath: everything that was granted must come to an end. */
  heal(): void {
    for (let i = 0; i < 3_000; i++) {
      this.now += 200;
      this.handle({ kind: 'tick' });
      this.connect();
      for (const slot of [0, 1, 2]) this.step(slot, false);
      this.ack();
      if (this.session.idle && this.unacked.size === 0) break;
    }
    const open = [...this.fate].filter(([, fate]) => fate === 'granted');
    assert.deepEqual(open, [], 'every task has been reported, given back or revoked');
    assert.ok(this.session.idle, 'nothing is left in the session');
  }
}

test('P9 P10 P11 P12: whatever happens, every task has one fate and nothing is left (S1, L1)', () => {
  const only = process.env['SEED'];
  const seeds = only === undefined ? Array.from({ length: 300 }, (_, i) => i + 1) : [Number(only)];
  for (const seed of seeds) {
    const chaos = new Chaos(seed);
    try {
      chaos.live(400);
      chaos.heal();
    } catch (error) {
      throw new Error(`SEED=${seed} fails: ${(error as Error).message}`, { cause: error });
    }
  }
});
