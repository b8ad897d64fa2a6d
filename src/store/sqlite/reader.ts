import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { PackedColumn } from '../../model/envelope.ts';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import type { BlockRecord, Job, JobState, LeaseRecord } from '../../model/job.ts';
import type { AttemptRecord, LogRecord, SegmentRecord, TokenRecord } from '../../model/records.ts';
import { rangeBlocks } from '../reopen.ts';
import { type SegmentQuery, type StoredSegment, StoreError, type TaskHistory } from '../store.ts';
import { digest, segmentRow } from './writer.ts';

/** What is stored, as records. */
export class Reader {
  readonly #sql: Statements;

  constructor(db: DatabaseSync) {
    this.#sql = prepare(db);
  }

  farm(): { name: string; epoch: number; nextJob: number } {
    return this.#sql.farm.get() as { name: string; epoch: number; nextJob: number };
  }

  job(id: JobId): Job | undefined {
    const row = this.#sql.job.get(id);
    return row && toJob(row as unknown as JobRow);
  }

  openJobs(): Job[] {
    return (this.#sql.openJobs.all() as unknown as JobRow[]).map(toJob);
  }

  listJobs(query: { before?: JobId; limit: number; states?: readonly JobState[] }): Job[] {
    const { before = Number.MAX_SAFE_INTEGER, limit, states } = query;
    const wanted = states === undefined ? null : JSON.stringify(states);
    return (this.#sql.listJobs.all(before, wanted, wanted, limit) as unknown as JobRow[]).map(toJob);
  }

  blocks(job: JobId): BlockRecord[] {
    return (this.#sql.blocks.all(job) as unknown as BlockRow[]).map(toBlock);
  }

  freeBlocks(job: JobId, max: number): BlockRecord[] {
    return (this.#sql.freeBlocks.all(job, max) as unknown as BlockRow[]).map(toBlock);
  }

  leases(): LeaseRecord[] {
    return (this.#sql.leases.all() as { record: string }[]).map(({ record }) => JSON.parse(record) as LeaseRecord);
  }

  forgetting(): JobId[] {
    return (this.#sql.forgetting.all() as { job: JobId }[]).map(({ job }) => job);
  }

  /** Stored input blocks, from an index on. */
  inputBlocks(job: JobId, from: TaskIndex, limit: number): { first: TaskIndex; count: number }[] {
    return this.#sql.inputBlocks.all(job, from, limit) as { first: TaskIndex; count: number }[];
  }

  inputsEnd(job: JobId): TaskIndex {
    const last = this.#sql.lastInputs.get(job) as { first: number; count: number } | undefined;
    return last === undefined ? 0 : last.first + last.count;
  }

  listBlocks(job: JobId, from: TaskIndex, limit: number): { first: TaskIndex; count: number }[] {
    const range = this.job(job)?.spec.range;
    return range ? rangeBlocks(range, from, limit) : this.inputBlocks(job, from, limit);
  }

  inputs(job: JobId, first: TaskIndex): PackedColumn | undefined {
    const row = this.#sql.inputs.get(job, first) as { crc: number; packed: Uint8Array } | undefined;
    if (row === undefined) return undefined;
    if (row.crc !== digest('', row.packed)) throw damaged(`the inputs of block ${first} of job ${job}`);
    return row.packed;
  }

  segments(job: JobId, query: SegmentQuery, maxBytes: number): StoredSegment[] {
    const found: StoredSegment[] = [];
    const from = segmentRow(job, query.after);
    const to = segmentRow(job + 1, 0);
    const bounds: SQLInputValue[] = query.block === undefined ? [from, to] : [job, query.block, from, to];
    const statement = query.block === undefined ? this.#sql.segments : this.#sql.segmentsOfBlock;
    let bytes = 0;
    for (const row of statement.iterate(...bounds) as Iterable<unknown> as Iterable<SegmentRow>) {
      if (found.length > 0 && bytes + row.packed.length > maxBytes) break;
      found.push(toSegment(row));
      bytes += row.packed.length;
    }
    return found;
  }

  /** Records alone, of segments in which tasks failed. */
  *failedSegments(job: JobId, generation: number): Generator<{ segment: SegmentRecord }> {
    for (const row of this.#sql.failedSegments.iterate(job, generation)) {
      yield { segment: JSON.parse((row as { record: string }).record) as SegmentRecord };
    }
  }

  task(job: JobId, index: TaskIndex): TaskHistory {
    const attempts = (this.#sql.attempts.all(job, index) as { record: string }[]).map(
      ({ record }) => JSON.parse(record) as AttemptRecord,
    );
    const segment = this.#lastSegment(job, index);
    return segment === undefined ? { attempts } : { segment, attempts };
  }

  logs(job: JobId, query: { index?: TaskIndex; after: number; limit: number }): { cursor: number; log: LogRecord }[] {
    const { index, after, limit } = query;
    const rows =
      index === undefined ? this.#sql.logs.all(job, after, limit) : this.#sql.logsOfTask.all(job, index, after, limit);
    return (rows as { id: number; record: string }[]).map(({ id, record }) => ({
      cursor: id,
      log: JSON.parse(record) as LogRecord,
    }));
  }

  tokens(): TokenRecord[] {
    return (this.#sql.tokens.all() as { record: string }[]).map(({ record }) => JSON.parse(record) as TokenRecord);
  }

  idempotent(owner: string, key: string): { job: JobId; digest: string } | undefined {
    const row = this.#sql.idempotent.get(owner, key) as { job: JobId; digest: string } | undefined;
    return row && { job: row.job, digest: row.digest };
  }

  unreferenced(sha256: readonly string[]): string[] {
    return sha256.filter((name) => this.#sql.referenced.get(name) === undefined);
  }

  /** Blocks do not overlap, so the last one that starts at or before the task is the one that holds it. */
  #lastSegment(job: JobId, index: TaskIndex): StoredSegment | undefined {
    const found = this.#sql.blockOf.get(job, index) as { block: number } | undefined;
    if (found === undefined) return undefined;
    for (const row of this.#sql.recordsOfBlock.iterate(job, found.block)) {
      const { runs, seq } = JSON.parse((row as { record: string }).record) as SegmentRecord;
      if (!runs.some((run) => index >= run.start && index < run.start + run.count)) continue;
      return this.segments(job, { after: seq - 1 }, 1)[0];
    }
    return undefined;
  }
}

interface JobRow {
  id: JobId;
  spec: string;
  claimed_to: number;
  record: string;
}

function toJob(row: JobRow): Job {
  return { id: row.id, spec: JSON.parse(row.spec), progress: JSON.parse(row.record), claimedTo: row.claimed_to };
}

interface BlockRow extends Omit<BlockRecord, 'ended' | 'exceptions'> {
  ended: Uint8Array | null;
  exceptions: string | null;
}

function toBlock(row: BlockRow): BlockRecord {
  const { job, first, count, generation, epoch, ended } = row;
  const exceptions = row.exceptions === null ? [] : JSON.parse(row.exceptions);
  const block = { job, first, count, generation, exceptions, epoch };
  return ended === null ? block : { ...block, ended };
}

interface SegmentRow {
  crc: number;
  record: string;
  packed: Uint8Array;
}

function toSegment({ crc, record, packed }: SegmentRow): StoredSegment {
  if (crc !== digest(record, packed)) throw damaged(`a segment (${record.slice(0, 60)}…)`);
  return { segment: JSON.parse(record) as SegmentRecord, column: packed };
}

function damaged(what: string): StoreError {
  return new StoreError('damaged', `${what} is not what was written; restore the data from a backup`);
}

type Statements = ReturnType<typeof prepare>;

function prepare(db: DatabaseSync) {
  const job = 'SELECT jobs.id, spec, claimed_to, record FROM progress JOIN jobs ON jobs.id = progress.job';
  const segment = 'SELECT crc, record, packed FROM segments';
  return {
    farm: db.prepare('SELECT name, epoch, next_job AS nextJob FROM farm'),
    job: db.prepare(`${job} WHERE progress.job = ?`),
    openJobs: db.prepare(`${job} WHERE state IN ('active', 'paused') ORDER BY progress.job`),
    listJobs: db.prepare(
      `${job} WHERE progress.job < ? AND (? IS NULL OR state IN (SELECT value FROM json_each(?)))
       ORDER BY progress.job DESC LIMIT ?`,
    ),
    blocks: db.prepare('SELECT * FROM blocks WHERE job = ? ORDER BY first'),
    freeBlocks: db.prepare('SELECT * FROM blocks WHERE job = ? AND epoch = 0 ORDER BY first LIMIT ?'),
    leases: db.prepare('SELECT record FROM leases ORDER BY lease'),
    forgetting: db.prepare('SELECT job FROM forgetting ORDER BY job'),
    inputBlocks: db.prepare('SELECT first, count FROM inputs WHERE job = ? AND first >= ? ORDER BY first LIMIT ?'),
    lastInputs: db.prepare('SELECT first, count FROM inputs WHERE job = ? ORDER BY first DESC LIMIT 1'),
    inputs: db.prepare('SELECT crc, packed FROM inputs WHERE job = ? AND first = ?'),
    segments: db.prepare(`${segment} WHERE id > ? AND id < ? ORDER BY id`),
    segmentsOfBlock: db.prepare(`${segment} WHERE job = ? AND block = ? AND id > ? AND id < ? ORDER BY id`),
    failedSegments: db.prepare(
      'SELECT record FROM segments WHERE job = ? AND generation = ? AND failed > 0 ORDER BY id',
    ),
    blockOf: db.prepare('SELECT block FROM segments WHERE job = ? AND block <= ? ORDER BY block DESC LIMIT 1'),
    recordsOfBlock: db.prepare('SELECT record FROM segments WHERE job = ? AND block = ? ORDER BY id DESC'),
    attempts: db.prepare('SELECT record FROM attempts WHERE job = ? AND task = ? ORDER BY id'),
    logs: db.prepare('SELECT id, record FROM logs WHERE job = ? AND id > ? ORDER BY id LIMIT ?'),
    logsOfTask: db.prepare('SELECT id, record FROM logs WHERE job = ? AND task = ? AND id > ? ORDER BY id LIMIT ?'),
    tokens: db.prepare('SELECT record FROM tokens ORDER BY id'),
    idempotent: db.prepare('SELECT job, digest FROM idempotency WHERE owner = ? AND key = ?'),
    referenced: db.prepare('SELECT 1 FROM blob_refs WHERE sha256 = ? LIMIT 1'),
  };
}
