import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { type ScriptedSurroundings, scriptedFarm } from '../../test/support/scripted-farm.ts';
import { ScriptedServer } from '../../test/support/scripted-server.ts';
import type { Farm } from './farm.ts';

type Reading = 'values' | 'ordered' | 'unordered' | 'inPieces' | 'run';

/** What chance does between two turns of the program. */
const action = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('hear' as const), times: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('deliver' as const), times: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('work' as const), times: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), times: fc.constantFrom(1, 300, 5_000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cut' as const), times: fc.constant(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sleep' as const), times: fc.constant(30_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('busy' as const), times: fc.integer({ min: 1, max: 3 }) }) },
);
type Action = typeof action extends fc.Arbitrary<infer Chosen> ? Chosen : never;

const value = fc.oneof(fc.integer(), fc.constant(undefined), fc.string(), fc.constant(Uint8Array.of(1, 2, 3)));

const plan = fc.record({
  inputs: fc.array(value, { maxLength: 60, size: 'max' }),
  reading: fc.constantFrom<Reading>('values', 'ordered', 'unordered', 'inPieces', 'run'),
  lazily: fc.boolean(),
  actions: fc.array(action, { maxLength: 120, size: 'max' }),
  seed: fc.integer({ min: 1, max: 0x7fffffff }),
});

function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 48_271) >>> 0) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}

/** The world between two turns of the program. */
class World {
  readonly server = new ScriptedServer();
  readonly time: ScriptedSurroundings;
  readonly farm: Farm;
  readonly started: Promise<string>;
  readonly #chance: () => number;

  constructor(seed: number) {
    this.#chance = chanceOf(seed);
    const { farm, wire, time } = scriptedFarm(this.server, this.#chance);
    this.farm = farm;
    this.time = time;
    this.started = wire.start();
    // A first attempt that fails would end the farm, which is not what is looked at here.
    this.server.accept();
    while (this.server.deliver());
  }

  async act({ kind, times }: Action): Promise<void> {
    this.server.accept();
    if (kind === 'cut') this.server.cut();
    else if (kind === 'pass' || kind === 'sleep') this.time.pass(times);
    else if (kind === 'busy') this.server.busy = times;
    else if (kind === 'work') this.server.work(times, this.#chance);
    else for (let i = 0; i < times; i++) kind === 'hear' ? this.server.hear() : this.server.deliver();
    await turn();
  }

  /** No more faults: everything must come to its end, soon. */
  async heal(work: Promise<unknown>): Promise<void> {
    let over = false;
    const settle = (): void => {
      over = true;
    };
    work.then(settle, settle);
    for (let round = 0; !over; round++) {
      assert.ok(round < 2_000, 'the program waits for ever');
      this.server.accept();
      while (this.server.hear());
      this.server.work(4, this.#chance);
      while (this.server.deliver());
      this.server.ping();
      await turn();
      this.time.pass(100);
    }
  }
}

async function* oneByOne<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) {
    if (typeof item === 'string') await turn();
    yield item;
  }
}

/** What a program does: all values by index, or a failure of the test. */
async function program(farm: Farm, inputs: readonly unknown[], reading: Reading, lazily: boolean): Promise<unknown[]> {
  const echo = (input: unknown): unknown => input;
  if (reading === 'run') return Promise.all(inputs.map((input) => farm.run(echo, input)));
  const job = await farm.map(echo, lazily ? oneByOne(inputs) : inputs);
  if (reading === 'values') return job.values();
  const got = new Map<number, unknown>();
  const ordered = reading !== 'unordered';
  let cursor: string | undefined;
  for (let more = true; more; ) {
    more = false;
    let taken = 0;
    const stream = job.results({ ordered, ...(cursor !== undefined && { after: cursor }) });
    for await (const record of stream) {
      assert.equal(record.status, 'done');
      assert.ok(!got.has(record.index), `task ${record.index} came twice`);
      if (ordered) assert.equal(record.index, got.size);
      got.set(record.index, record.status === 'done' ? record.value : undefined);
      cursor = stream.cursor;
      taken += 1;
      if (reading === 'inPieces' && taken === 7) {
        more = true;
        break;
      }
    }
  }
  return Array.from({ length: got.size }, (_, index) => got.get(index));
}

test('P16, P17, P18, S7, F-17: whatever is cut, delayed or refused, each input is stored once and each outcome comes once', async () => {
  const property = fc.asyncProperty(plan, async ({ inputs, reading, lazily, actions, seed }) => {
    const world = new World(seed);
    await world.started;
    const work = program(world.farm, inputs, reading, lazily);
    work.catch(() => {});
    for (const each of actions) await world.act(each);
    await world.heal(work);
    assert.deepEqual(await work, inputs);
    const { jobs } = world.server;
    assert.ok(jobs.length <= 1, `${jobs.length} jobs were made of one`);
    assert.equal(jobs[0]?.total ?? 0, inputs.length);
    const closing = world.farm.close();
    await world.heal(closing);
    await closing;
    assert.equal(jobs[0]?.open ?? false, false);
  });
  await fc.assert(property, { numRuns: 150 });
});
