import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import { type BlockRecord, codesOf, type LeaseRecord } from '../../model/job.ts';
import type { AttemptRecord, LogRecord, Write } from '../../model/records.ts';
import { checkSegment } from '../reopen.ts';
import { StoreError } from '../store.ts';
import { digest } from './digest.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;

const SEQUENCES = 2n ** 32n;

/** The row of a segment. A 64-bit number, so that neither jobs nor segments run out. */
export function segmentRow(job: JobId, seq: number): bigint {
  return BigInt(job) * SEQUENCES + BigInt(seq);
}

/** Turns writes into rows, inside a transaction that the caller holds. */
export class Writer {
  readonly #sql: Statements;
  /** Jobs of this group that are known to be there. */
  readonly #seen = new Set<JobId>();

  constructor(db: DatabaseSync) {
    this.#sql = prepare(db);
  }

  write(writes: readonly Write[]): void {
    this.#seen.clear();
    for (const write of writes) this.#apply(write);
  }

  block(block: BlockRecord): void {
    const { job, first, count, generation, epoch, ended, exceptions } = block;
    const others = exceptions.length === 0 ? null : JSON.stringify(exceptions);
    const crc = digest([job, first, count, generation, epoch, others], ended);
    this.#sql.block.run(job, first, count, generation, epoch, ended ?? null, others, crc);
    this.claimedTo(job, first + count);
  }

  /** It is never lowered. */
  claimedTo(job: JobId, index: TaskIndex): void {
    this.#sql.claimedTo.run(index, digest([job, index]), job, index);
  }

  #apply(write: Write): void {
    const sql = this.#sql;
    switch (write.kind) {
      case 'job':
        this.#job(write);
        break;
      case 'progress':
        this.#progress(write);
        break;
      case 'inputs':
        this.#inputs(write);
        break;
      case 'block':
        this.#known(write.block.job, 'a block');
        this.block(write.block);
        break;
      case 'blockEnded':
        this.#known(write.job, 'the end of a block');
        sql.blockEnded.run(write.job, write.first);
        break;
      case 'blockFreed':
      case 'handedOver':
        throw new StoreError('conflict', 'there is no other server that could take what was given back');
      case 'lease':
        this.#known(write.lease.job, 'a lease');
        this.#lease(write.lease);
        break;
      case 'leaseEnded':
        sql.leaseEnded.run(write.lease);
        break;
      case 'segment':
        this.#segment(write);
        break;
      default:
        this.#applyRare(write);
    }
  }

  #applyRare(write: WriteOf<'attempt' | 'log' | 'token' | 'blobRef' | 'idempotency'>): void {
    const sql = this.#sql;
    switch (write.kind) {
      case 'attempt': {
        const { attempt } = write;
        this.#known(attempt.job, 'an attempt');
        sql.attempt.run(...ofTask(attempt));
        break;
      }
      case 'log':
        if (this.#isKnown(write.log.job)) sql.log.run(...ofTask(write.log));
        break;
      case 'token': {
        const { id } = write.token;
        const record = JSON.stringify(write.token);
        sql.token.run(id, record, digest([id, record]));
        break;
      }
      case 'blobRef':
        this.#known(write.job, 'a blob');
        this.#blobRef(write.sha256, write.job);
        break;
      case 'idempotency':
        this.#idempotency(write);
    }
  }

  #isKnown(job: JobId): boolean {
    if (this.#seen.has(job)) return true;
    if (this.#sql.known.get(job) === undefined) return false;
    this.#seen.add(job);
    return true;
  }

  #known(job: JobId, what: string): void {
    if (!this.#isKnown(job)) throw new StoreError('conflict', `${what} for job ${job}, which is not there`);
  }

  #job({ job, spec, progress }: WriteOf<'job'>): void {
    if (this.#isKnown(job) || this.#sql.forgetting.get(job) !== undefined) {
      throw new StoreError('conflict', `job ${job} is there already`);
    }
    const text = JSON.stringify(spec);
    this.#sql.job.run(job, text, digest([job, text]));
    const record = JSON.stringify(progress);
    const { state } = progress;
    this.#sql.newProgress.run(job, state, record, digest([job, state, record]), digest([job, 0]));
    for (const { sha256 } of codesOf(spec)) this.#blobRef(sha256, job);
    this.#seen.add(job);
  }

  #lease(lease: LeaseRecord): void {
    const record = JSON.stringify(lease);
    this.#sql.lease.run(lease.lease, lease.job, record, digest([lease.lease, lease.job, record]));
  }

  #blobRef(sha256: string, job: JobId): void {
    this.#sql.blobRef.run(sha256, job, digest([sha256, job]));
  }

  /** The state seldom changes; where it stays, the index of open jobs is not touched. */
  #progress({ job, progress }: WriteOf<'progress'>): void {
    const record = JSON.stringify(progress);
    const crc = digest([job, progress.state, record]);
    if (this.#sql.progress.run(record, crc, job, progress.state).changes === 1) return;
    if (this.#sql.stateAndProgress.run(progress.state, record, crc, job).changes === 1) return;
    throw new StoreError('conflict', `progress for job ${job}, which is not there`);
  }

  #inputs({ job, first, count, column }: WriteOf<'inputs'>): void {
    this.#known(job, 'inputs');
    const last = this.#sql.lastInputs.get(job) as unknown as [number, number] | undefined;
    const end = last === undefined ? 0 : last[0] + last[1];
    if (first === end) {
      this.#sql.inputs.run(job, first, count, digest([job, first, count], column), column);
      return;
    }
    const stored = this.#sql.storedInputs.get(job, first) as unknown as [number, Uint8Array] | undefined;
    if (stored === undefined) {
      throw new StoreError('conflict', `inputs of job ${job} at ${first}, but those that are stored end at ${end}`);
    }
    if (stored[0] !== count || Buffer.compare(stored[1], column) !== 0) {
      throw new StoreError('conflict', `other inputs for block ${first} of job ${job} than those that are stored`);
    }
  }

  #segment({ segment, column }: WriteOf<'segment'>): void {
    const { job, seq, block, generation, failed } = segment;
    this.#known(job, 'a segment');
    checkSegment(segment);
    const row = this.#sql.lastSegment.get(segmentRow(job, 0), segmentRow(job + 1, 0)) as unknown as
      | [number]
      | undefined;
    const last = row?.[0] ?? 0;
    if (seq !== last + 1) {
      throw new StoreError('conflict', `segment ${seq} of job ${job}, but the next one is ${last + 1}`);
    }
    const record = JSON.stringify(segment);
    const crc = digest([job, seq, block, generation, failed, record], column);
    this.#sql.segment.run(segmentRow(job, seq), job, block, generation, failed, crc, record, column);
  }

  #idempotency({ owner, key, digest: meaning, job }: WriteOf<'idempotency'>): void {
    this.#known(job, 'an idempotency key');
    const stored = this.#sql.storedIdempotency.get(owner, key) as unknown as [number, string] | undefined;
    if (stored === undefined) {
      this.#sql.idempotency.run(owner, key, meaning, job, digest([owner, key, meaning, job]));
    } else if (stored[0] !== job || stored[1] !== meaning) {
      throw new StoreError('conflict', `idempotency key '${key}' already stands for job ${stored[0]}`);
    }
  }
}

/** The columns of a record that belongs to one task. */
function ofTask(of: AttemptRecord | LogRecord): [JobId, TaskIndex, string, number] {
  const record = JSON.stringify(of);
  return [of.job, of.index, record, digest([of.job, of.index, record])];
}

type Statements = ReturnType<typeof prepare>;

function prepare(db: DatabaseSync) {
  const rows = (sql: string): StatementSync => {
    const statement = db.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  return {
    known: rows('SELECT 1 FROM progress WHERE job = ?'),
    forgetting: rows('SELECT 1 FROM forgetting WHERE job = ?'),
    job: db.prepare('INSERT INTO jobs (id, spec, crc) VALUES (?, ?, ?)'),
    newProgress: db.prepare(
      'INSERT INTO progress (job, state, record, crc, claimed_to, claimed_crc) VALUES (?, ?, ?, ?, 0, ?)',
    ),
    progress: db.prepare('UPDATE progress SET record = ?, crc = ? WHERE job = ? AND state = ?'),
    stateAndProgress: db.prepare('UPDATE progress SET state = ?, record = ?, crc = ? WHERE job = ?'),
    claimedTo: db.prepare('UPDATE progress SET claimed_to = ?, claimed_crc = ? WHERE job = ? AND claimed_to < ?'),
    lastInputs: rows('SELECT first, count FROM inputs WHERE job = ? ORDER BY first DESC LIMIT 1'),
    storedInputs: rows('SELECT count, packed FROM inputs WHERE job = ? AND first = ?'),
    inputs: db.prepare('INSERT INTO inputs (job, first, count, crc, packed) VALUES (?, ?, ?, ?, ?)'),
    block: db.prepare(`
      INSERT INTO blocks (job, first, count, generation, epoch, ended, exceptions, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET count = excluded.count, generation = excluded.generation, epoch = excluded.epoch,
        ended = excluded.ended, exceptions = excluded.exceptions, crc = excluded.crc`),
    blockEnded: db.prepare('DELETE FROM blocks WHERE job = ? AND first = ?'),
    lease: db.prepare(`
      INSERT INTO leases (lease, job, record, crc) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET job = excluded.job, record = excluded.record, crc = excluded.crc`),
    leaseEnded: db.prepare('DELETE FROM leases WHERE lease = ?'),
    lastSegment: rows('SELECT id & 4294967295 FROM segments WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1'),
    segment: db.prepare(`
      INSERT INTO segments (id, job, block, generation, failed, crc, record, packed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`),
    attempt: db.prepare('INSERT INTO attempts (job, task, record, crc) VALUES (?, ?, ?, ?)'),
    log: db.prepare('INSERT INTO logs (job, task, record, crc) VALUES (?, ?, ?, ?)'),
    token: db.prepare(`
      INSERT INTO tokens (id, record, crc) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET record = excluded.record, crc = excluded.crc`),
    blobRef: db.prepare('INSERT INTO blob_refs (sha256, job, crc) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
    storedIdempotency: rows('SELECT job, digest FROM idempotency WHERE owner = ? AND key = ?'),
    idempotency: db.prepare('INSERT INTO idempotency (owner, key, digest, job, crc) VALUES (?, ?, ?, ?, ?)'),
  };
}
