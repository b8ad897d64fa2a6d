import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { WHOLE_CHECK_BYTES } from '../../model/limits.ts';
import type { Write } from '../../model/records.ts';
import { aJob, aLease, aSegment, progressOf } from '../../testing/store-records.ts';
import { StoreError } from '../store.ts';
import { DATABASE_FILE, openDatabase } from './database.ts';
import { Reader } from './reader.ts';
import { openSqliteStore } from './sqlite-store.ts';

const JOBS = 4;
const BLOCKS = 6;
const FILLER = 0x5a;
/** The whole thousand takes a while. */
const PLACES = process.env['CI'] === 'true' ? 1_000 : 200;

/** Something of everything that is kept, in an own directory. */
async function fill(dir: string, fillerBytes = 0): Promise<void> {
  const store = await openSqliteStore(dir);
  const epoch = await store.start();
  for (let job = 1; job <= JOBS; job++) {
    const id = await store.nextJobId();
    await store.commit([aJob(id, { name: `job ${id}` }), ...writesOf(id)], epoch);
  }
  for (let left = fillerBytes, seq = BLOCKS + 1; left > 0; seq++, left -= 500_000) {
    await store.commit([{ ...aSegment(1, seq, 900, 1), column: new Uint8Array(500_000).fill(FILLER) }], epoch);
  }
  const [ended] = await store.listJobs({ limit: 1 });
  await store.commit([{ kind: 'progress', job: ended?.id as number, progress: progressOf({ state: 'done' }) }], epoch);
  await store.forget(ended?.id as number);
  await store.close();
}

function writesOf(job: number): Write[] {
  const attempt = { job, index: 1, lease: 1, worker: 'w', outcome: 'lost', endedAt: 1, message: 'gone' } as const;
  const writes: Write[] = [
    { kind: 'attempt', attempt },
    { kind: 'log', log: { job, index: 1, lease: 1, stream: 'log', at: 1, text: `a line of ${job}` } },
    { kind: 'blobRef', job, sha256: `${job}`.repeat(64) },
    { kind: 'idempotency', owner: 'o', key: `key ${job}`, digest: `${job}`.repeat(20), job },
    {
      kind: 'token',
      token: { id: `t${job}`, hash: `${job}`.repeat(64), role: 'read', name: 'a name', createdAt: job },
    },
  ];
  for (let block = 0; block < BLOCKS; block++) {
    const first = block * 100;
    const column = new Uint8Array(700).map((_, at) => (at * job + block) % 251);
    const record = { job, first, count: 100, generation: 0, exceptions: [], epoch: 1, ended: Uint8Array.of(7, block) };
    writes.push(
      { kind: 'inputs', job, first, count: 100, column },
      { kind: 'block', block: record },
      aLease(job, first, 100, job * 100 + block),
      { ...aSegment(job, block + 1, first, 3), column },
    );
  }
  return writes;
}

/** Everything that can be asked, by the question. A refusal is an answer too. */
function askAll(reader: Reader): Map<string, unknown> {
  const answers = new Map<string, unknown>();
  const ask = (question: string, answer: () => unknown): void => void answers.set(question, answered(answer));
  ask('farm', () => reader.farm());
  ask('tokens', () => reader.tokens());
  ask('leases', () => reader.leases());
  ask('open jobs', () => reader.openJobs());
  ask('forgetting', () => reader.forgetting());
  ask('jobs', () => reader.listJobs({ limit: 99, states: ['active'] }));
  for (let job = 1; job <= JOBS; job++) {
    ask(`job ${job}`, () => reader.job(job));
    ask(`blocks ${job}`, () => reader.blocks(job));
    ask(`idempotent ${job}`, () => reader.idempotent('o', `key ${job}`));
    ask(`unreferenced ${job}`, () => reader.unreferenced([`${job}`.repeat(64)]));
    ask(`logs ${job}`, () => reader.logs(job, { after: 0, limit: 99 }));
    ask(`segments ${job}`, () => reader.segments(job, { after: 0 }, 20_000));
    for (let block = 0; block < BLOCKS; block++) {
      ask(`inputs ${job}/${block}`, () => reader.inputs(job, block * 100));
      ask(`task ${job}/${block}`, () => reader.task(job, block * 100 + 1));
    }
  }
  return answers;
}

class Refusal {
  readonly code: StoreError['code'];

  constructor(error: unknown) {
    assert.ok(error instanceof StoreError || isOfSqlite(error), `a refusal that is understood, not ${String(error)}`);
    this.code = error instanceof StoreError ? error.code : 'damaged';
  }
}

/** What the store's thread turns into a StoreError. */
function isOfSqlite(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'ERR_SQLITE_ERROR' || code === 'ERR_OUT_OF_RANGE' || error instanceof SyntaxError;
}

function answered(ask: () => unknown): unknown {
  try {
    return ask();
  } catch (error) {
    return new Refusal(error);
  }
}

/** All answers of the data as it lies there; a single refusal if it cannot even be opened. */
function answersOf(dir: string): Map<string, unknown> | Refusal {
  const db = answered(() => openDatabase(dir));
  if (db instanceof Refusal) return db;
  const open = db as ReturnType<typeof openDatabase>;
  try {
    const reader = answered(() => new Reader(open));
    return reader instanceof Refusal ? reader : askAll(reader as Reader);
  } finally {
    open.close();
    for (const left of ['-wal', '-shm']) rmSync(path.join(dir, DATABASE_FILE + left), { force: true });
  }
}

/** Other values of a byte: one bit, all bits, none. */
const flips = [(byte: number) => byte ^ 1, (byte: number) => byte ^ 0x80, (byte: number) => byte ^ 0xff, () => 0];

/** Changes one byte at each of many places in turn, and gives what is answered then to `judge`. */
function damageAt(dir: string, places: number[], judge: (place: number, found: ReturnType<typeof answersOf>) => void) {
  const file = path.join(dir, DATABASE_FILE);
  const whole = readFileSync(file);
  for (const [turn, place] of places.entries()) {
    const before = whole[place] as number;
    const after = (flips[turn % flips.length] as (byte: number) => number)(before);
    if (after === before) continue;
    put(file, place, after);
    judge(place, answersOf(dir));
    // Opening damaged data may change other bytes of it.
    writeWhole(file, whole, place);
  }
}

function put(file: string, place: number, byte: number): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Uint8Array.of(byte), 0, 1, place);
  closeSync(descriptor);
}

/** The page that was damaged and the first one, which holds what SQLite counts. */
function writeWhole(file: string, whole: Buffer, place: number): void {
  const descriptor = openSync(file, 'r+');
  for (const page of [0, place - (place % 4096)]) writeSync(descriptor, whole, page, 4096, page);
  closeSync(descriptor);
}

/** Places spread over the file with a stride that meets no page twice at the same offset. */
function spread(size: number, count: number, keep: (place: number) => boolean = () => true): number[] {
  const places: number[] = [];
  for (let at = 17; places.length < count; at = (at + 1_234_567) % size) if (keep(at)) places.push(at);
  return places;
}

describe('damage in the database', () => {
  const owner = { after: (clean: () => void | Promise<void>) => after(clean) };
  const dir = temporaryDirectory(owner, 'damage');

  test('D16 a changed byte anywhere is refused or changes nothing (F-25)', async () => {
    await fill(dir);
    const whole = answersOf(dir) as Map<string, unknown>;
    assert.ok(![...whole.values()].some((answer) => answer instanceof Refusal), 'whole data is answered');
    const size = readFileSync(path.join(dir, DATABASE_FILE)).length;
    const tally = { refused: 0, unaffected: 0 };
    damageAt(dir, spread(size, PLACES), (place, found) => {
      if (found instanceof Refusal) tally.refused += 1;
      else {
        assert.deepEqual(found, whole, `byte ${place} was changed, and other answers were given`);
        tally.unaffected += 1;
      }
    });
    assert.ok(tally.refused > PLACES / 4, `most of what is written is guarded: ${JSON.stringify(tally)}`);
  });

  test('D16 of data too large to be checked at a start no record or value is served that was not written', async (t) => {
    const large = temporaryDirectory(t, 'damage');
    await fill(large, WHOLE_CHECK_BYTES + 1);
    const whole = answersOf(large) as Map<string, unknown>;
    const bytes = readFileSync(path.join(large, DATABASE_FILE));
    assert.ok(bytes.length > WHOLE_CHECK_BYTES);
    let refused = 0;
    const places = spread(bytes.length, PLACES / 2, (place) => bytes[place] !== FILLER);
    damageAt(large, places, (place, found) => {
      if (found instanceof Refusal) return void (refused += 1);
      for (const [question, answer] of found) {
        if (answer instanceof Refusal) refused += 1;
        else
          assert.ok(
            isPartOf(answer, whole.get(question)),
            `byte ${place} was changed, ${question} is answered wrongly`,
          );
      }
    });
    assert.ok(refused > PLACES / 20, `${refused} refused`);
  });
});

/** Equal, or some of it and nothing else: a key that was damaged is not found. */
function isPartOf(answer: unknown, whole: unknown): boolean {
  if (answer === undefined || isDeepStrictEqual(answer, whole)) return true;
  if (Array.isArray(answer) && Array.isArray(whole)) {
    return answer.every((each) => whole.some((known) => isDeepStrictEqual(each, known)));
  }
  const { attempts, segment } = answer as { attempts?: unknown; segment?: unknown };
  const known = whole as { attempts?: unknown; segment?: unknown };
  return attempts !== undefined && isPartOf(attempts, known.attempts) && isPartOf(segment, known.segment);
}
