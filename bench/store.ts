// What the store costs: groups and tasks a second, small commits, claims. Median of 3 runs, with minimum and maximum.
// Run it on a real disk: the data goes to MANYHANDS_BENCH_DIR or the current directory.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import path from 'node:path';
import { BLOCK_TASKS } from '../src/model/limits.ts';
import type { Write } from '../src/model/records.ts';
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts';
import type { Store } from '../src/store/store.ts';
import { aJob, aLease, aSegment, progressOf } from '../src/testing/store-records.ts';

const RUNS = 3;
const home = process.env['MANYHANDS_BENCH_DIR'] ?? process.cwd();
const TMPFS = 0x01021994;

/** One line of the report. */
interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
}

async function withStore<Value>(act: (store: Store, epoch: number) => Promise<Value>): Promise<Value> {
  const dir = mkdtempSync(path.join(home, '.bench-store-'));
  if (statfsSync(dir).type === TMPFS) throw new Error(`${dir} is in memory; set MANYHANDS_BENCH_DIR to a real disk`);
  const store = await openSqliteStore(dir);
  try {
    return await act(store, await store.start());
  } finally {
    await store.close();
    rmSync(dir, { recursive: true });
  }
}

/** Bytes of a column of small ints, in a view of a pool as the wire gives them. */
function columnOf(count: number): Uint8Array {
  const pool = Buffer.alloc(1 << 20);
  const text = Array.from({ length: count }, (_, at) => `${at * 7},`).join('');
  return pool.subarray(100, 100 + pool.write(text, 100));
}

/** Everything that a block costs from its arrival to its end: as the loop commits it, two groups in flight. */
async function tasks(count: number): Promise<Figure[]> {
  return await withStore(async (store, epoch) => {
    const id = await store.nextJobId();
    await store.commit([aJob(id)], epoch);
    const column = columnOf(count);
    const groups = Math.ceil(2_000_000 / count);
    const began = performance.now();
    const cpu = process.cpuUsage();
    let before: Promise<unknown> = Promise.resolve();
    for (let group = 0; group < groups; group++) {
      const first = group * count;
      const block = { job: id, first, count, generation: 0, exceptions: [], epoch };
      const now = store.commit(
        [
          { kind: 'inputs', job: id, first, count, column },
          { kind: 'block', block },
          aLease(id, first, count, group, epoch),
          { ...aSegment(id, group + 1, first, count), column },
          { kind: 'leaseEnded', lease: epoch * 2 ** 32 + group - 1 },
          { kind: 'blockEnded', job: id, first: first - count },
          { kind: 'progress', job: id, progress: progressOf({ total: first + count, done: first }) },
        ],
        epoch,
      );
      await before;
      before = now;
    }
    await before;
    const seconds = (performance.now() - began) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    return [
      { name: `groups of ${count} tasks`, unit: 'groups/s', value: groups / seconds },
      { name: `tasks in groups of ${count}`, unit: 'tasks/s', value: (groups * count) / seconds },
      { name: `CPU of both threads, groups of ${count}`, unit: 'us/task', value: (user + system) / (groups * count) },
    ];
  });
}

/** One after another: what a single `run` waits for. */
async function smallCommits(): Promise<Figure[]> {
  return await withStore(async (store, epoch) => {
    const id = await store.nextJobId();
    await store.commit([aJob(id)], epoch);
    const column = columnOf(1);
    const times: number[] = [];
    for (let at = 0; at < 5_000; at++) {
      const writes: Write[] = [
        { kind: 'block', block: { job: id, first: at, count: 1, generation: 0, exceptions: [], epoch } },
        aLease(id, at, 1, at, epoch),
        { ...aSegment(id, at + 1, at, 1), column },
        { kind: 'progress', job: id, progress: progressOf({ total: at, done: at }) },
        { kind: 'leaseEnded', lease: epoch * 2 ** 32 + at - 1 },
        { kind: 'blockEnded', job: id, first: at - 1 },
      ];
      const began = performance.now();
      await store.commit(writes, epoch);
      times.push((performance.now() - began) * 1_000);
    }
    times.sort((a, b) => a - b);
    const at = (share: number): number => times[Math.floor(times.length * share)] as number;
    return [
      { name: 'small commit, p50', unit: 'us', value: at(0.5) },
      { name: 'small commit, p99', unit: 'us', value: at(0.99) },
      { name: 'small commit, worst', unit: 'us', value: at(0.9999) },
    ];
  });
}

/** What the disk alone takes for as much as a small commit writes: the floor under it. */
function rawSync(): Figure {
  const dir = mkdtempSync(path.join(home, '.bench-store-'));
  const file = openSync(path.join(dir, 'raw'), 'w');
  const pages = Buffer.alloc(5 * 4096);
  const times: number[] = [];
  for (let at = 0; at < 2_000; at++) {
    const began = performance.now();
    writeSync(file, pages, 0, pages.length, (at % 200) * pages.length);
    fsyncSync(file);
    times.push((performance.now() - began) * 1_000);
  }
  closeSync(file);
  rmSync(dir, { recursive: true });
  times.sort((a, b) => a - b);
  return { name: 'write and fsync of 20 KiB alone, p50', unit: 'us', value: times[1_000] as number };
}

async function claims(): Promise<Figure[]> {
  return await withStore(async (store, epoch) => {
    const id = await store.nextJobId();
    await store.commit([aJob(id, { range: { start: 0, step: 1, count: 1e9 } })], epoch);
    const rounds = 1_000;
    const began = performance.now();
    for (let round = 0; round < rounds; round++) await store.claim(id, 4, epoch);
    const seconds = (performance.now() - began) / 1_000;
    return [
      { name: 'claims of 4 blocks of a range', unit: 'claims/s', value: rounds / seconds },
      { name: 'tasks claimed', unit: 'tasks/s', value: (rounds * 4 * BLOCK_TASKS) / seconds },
    ];
  });
}

async function reads(): Promise<Figure[]> {
  return await withStore(async (store, epoch) => {
    const id = await store.nextJobId();
    const count = 1_000;
    const column = columnOf(count);
    await store.commit([aJob(id)], epoch);
    for (let at = 0; at < 1_000; at++) {
      await store.commit([{ ...aSegment(id, at + 1, at * count, count), column }], epoch);
    }
    const began = performance.now();
    let after = 0;
    for (;;) {
      const found = await store.readSegments(id, { after }, 1 << 20);
      if (found.length === 0) break;
      after = found.at(-1)?.segment.seq as number;
    }
    const seconds = (performance.now() - began) / 1_000;
    return [{ name: 'segments of 1000 tasks read', unit: 'tasks/s', value: (after * count) / seconds }];
  });
}

const runs: Figure[][] = [];
for (let run = 0; run < RUNS; run++) {
  runs.push([
    ...(await tasks(1_000)),
    ...(await tasks(4_000)),
    ...(await smallCommits()),
    rawSync(),
    ...(await claims()),
    ...(await reads()),
  ]);
}
for (const [row, { name, unit }] of (runs[0] as Figure[]).entries()) {
  const values = runs.map((figures) => (figures[row] as Figure).value).sort((a, b) => a - b);
  const [min, median, max] = values.map((value) => value.toLocaleString('en', { maximumSignificantDigits: 3 }));
  console.log(`${name.padEnd(44)} ${median?.padStart(12)} ${unit.padEnd(9)} (${min} to ${max})`);
}
