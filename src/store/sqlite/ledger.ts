import { renameSync, rmSync } from 'node:fs';
import { backup, type DatabaseSync } from 'node:sqlite';
import { endedExcept } from '../../model/bitmaps.ts';
import type { Epoch, JobId } from '../../model/ids.ts';
import { type BlockRecord, hasEnded } from '../../model/job.ts';
import { BACKUP_STEP_PAGES, CHECKPOINT_PAGES, JOB_NUMBERS_AHEAD } from '../../model/limits.ts';
import { failuresByBlock, rangeBlockCount, reopened } from '../reopen.ts';
import { type ClaimedBlock, type Recovered, StoreError } from '../store.ts';
import { openDatabase, PAGE_BYTES } from './database.ts';
import { digest } from './digest.ts';
import { toStoreError } from './failure.ts';
import { Forgetter } from './forget.ts';
import { type PackedWrites, unpackWrites } from './message.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** Pages that a small group changes, in tables and their indexes. */
const SMALL_COMMIT_PAGES = 8;

/** The store as it is inside its thread: synchronous, and the only one that has the database open. */
export class Ledger {
  readonly reader: Reader;
  readonly #db: DatabaseSync;
  readonly #writer: Writer;
  readonly #forgetter: Forgetter;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #backups = new Set<Promise<void>>();
  readonly #farm: string;
  #epoch: Epoch;
  #nextJob: JobId;
  /** Numbers below this are reserved on disk. */
  #reservedTo: JobId;
  #broken: StoreError | undefined;
  /** About how many pages the log has: asking for it costs as much as a commit. `wal_autocheckpoint` makes up for errors. */
  #logPages = 0;

  constructor(dir: string) {
    this.#db = openDatabase(dir);
    this.reader = new Reader(this.#db);
    this.#writer = new Writer(this.#db);
    this.#forgetter = new Forgetter(this.#db);
    this.#sql = prepare(this.#db);
    const { name, epoch, nextJob } = this.reader.farm();
    this.#farm = name;
    this.#epoch = epoch;
    this.#nextJob = nextJob;
    this.#reservedTo = nextJob;
  }

  start(): Epoch {
    const next = this.#epoch + 1;
    this.#transaction(() => this.#writeFarm(next, this.#reservedTo));
    this.#epoch = next;
    return next;
  }

  recover(epoch: Epoch): Recovered {
    this.#fence(epoch);
    const jobs = this.reader.openJobs();
    const held = jobs.flatMap(({ id }) => this.reader.blocks(id).filter((block) => block.epoch !== 0));
    const blocks = held.map((block) => ({ ...block, epoch }));
    this.#transaction(() => {
      for (const [at, block] of blocks.entries()) if (held[at]?.epoch !== epoch) this.#writer.block(block);
    });
    const ids = new Set(jobs.map(({ id }) => id));
    return {
      jobs,
      blocks,
      leases: this.reader.leases().filter(({ job }) => ids.has(job)),
      forgetting: this.reader.forgetting(),
    };
  }

  nextJobId(): JobId {
    if (this.#nextJob === this.#reservedTo) {
      const to = this.#reservedTo + JOB_NUMBERS_AHEAD;
      this.#transaction(() => this.#writeFarm(this.#epoch, to));
      this.#reservedTo = to;
    }
    return this.#nextJob++;
  }

  commit(packed: PackedWrites, epoch: Epoch): void {
    this.#fence(epoch);
    const writes = unpackWrites(packed);
    this.#logPages += packed.bytes.byteLength / PAGE_BYTES;
    this.#transaction(() => this.#writer.write(writes));
    // This thread makes so little garbage that it would keep the bytes of many groups before it collected any.
    packed.bytes.transfer(0);
  }

  claim(id: JobId, max: number, epoch: Epoch): ClaimedBlock[] {
    this.#fence(epoch);
    const job = this.reader.job(id);
    if (job === undefined || hasEnded(job.progress.state) || max <= 0) return [];
    const claimed: BlockRecord[] = this.reader.freeBlocks(id, max).map((block) => ({ ...block, epoch }));
    const missing = max - claimed.length;
    const fresh = missing === 0 ? [] : this.reader.listBlocks(id, job.claimedTo, missing);
    for (const { first, count } of fresh) {
      claimed.push({ job: id, first, count, generation: job.progress.generation, exceptions: [], epoch });
    }
    if (claimed.length === 0) return [];
    this.#transaction(() => {
      for (const block of claimed) this.#writer.block(block);
    });
    return claimed.map((block) => {
      const inputs = job.spec.range === undefined ? this.reader.inputs(id, block.first) : undefined;
      return inputs === undefined ? { block } : { block, inputs };
    });
  }

  reopen(id: JobId): number {
    const job = this.reader.job(id);
    if (job === undefined || !hasEnded(job.progress.state)) return 0;
    const open = failuresByBlock(this.reader.failedSegments(id, job.progress.generation), job.progress.generation);
    if (open.size === 0) return 0;
    const { range } = job.spec;
    const progress = reopened(job.progress);
    let tasks = 0;
    this.#transaction(() => {
      this.#sql.clearLeases.run(id);
      this.#sql.clearBlocks.run(id);
      this.#writer.write([{ kind: 'progress', job: id, progress }]);
      this.#writer.claimedTo(id, range?.count ?? this.reader.inputsEnd(id));
      for (const [first, runs] of open) {
        const count = range
          ? rangeBlockCount(range, first)
          : (this.reader.inputBlocks(id, first, 1)[0] as { count: number }).count;
        const ended = endedExcept(first, count, runs);
        const { generation } = progress;
        this.#writer.block({ job: id, first, count, generation, ended, exceptions: [], epoch: 0 });
        for (const run of runs) tasks += run.count;
      }
    });
    return tasks;
  }

  forget(id: JobId): boolean {
    const job = this.reader.job(id);
    if (job !== undefined && !hasEnded(job.progress.state)) {
      throw new StoreError('conflict', `job ${id} has not ended; cancel it first`);
    }
    return this.#transaction(() => {
      if (job === undefined) return this.#forgetter.step(id);
      this.#forgetter.begin(id);
      return false;
    });
  }

  /** The copy grows under another name, so that a file of that name is always whole. */
  backup(path: string): Promise<void> {
    const partial = `${path}.partial`;
    rmSync(partial, { force: true });
    const copied = backup(this.#db, partial, { rate: BACKUP_STEP_PAGES })
      .then(() => renameSync(partial, path))
      .catch((error: unknown) => {
        rmSync(partial, { force: true });
        throw toStoreError(error);
      });
    this.#backups.add(copied);
    const forget = (): boolean => this.#backups.delete(copied);
    copied.then(forget, forget);
    return copied;
  }

  /** Copies the log into the database once it is long; called between commits, when nobody waits for this one. */
  checkpoint(): void {
    if (this.#broken !== undefined || this.#logPages < CHECKPOINT_PAGES) return;
    this.#logPages = 0;
    this.#quietly(() => this.#sql.checkpoint.get());
  }

  /** Nothing has happened for a while, or nothing will any more: the log is emptied, so that the next start reads none. */
  rest(): void {
    if (this.#broken === undefined) this.#quietly(() => this.#sql.checkpoint.get());
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#backups);
    // A full disk costs the reserved job numbers, no more.
    if (this.#broken === undefined)
      this.#quietly(() => this.#transaction(() => this.#writeFarm(this.#epoch, this.#nextJob)));
    this.rest();
    this.#db.close();
  }

  /** What is committed is safe in the log, so a full disk only puts this off; any other failure is the end. */
  #quietly(act: () => void): void {
    try {
      act();
    } catch (error) {
      const failure = toStoreError(error);
      if (failure.code !== 'full' && failure.code !== 'busy') this.#broken = failure;
    }
  }

  #writeFarm(epoch: Epoch, nextJob: JobId): void {
    this.#sql.farm.run(epoch, nextJob, digest([this.#farm, epoch, nextJob]));
  }

  #fence(epoch: Epoch): void {
    if (epoch === this.#epoch) return;
    throw new StoreError('fenced', `epoch ${epoch} is over, the current one is ${this.#epoch}`);
  }

  #transaction<Value>(act: () => Value): Value {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      this.#sql.begin.run();
      const value = act();
      this.#sql.commit.run();
      this.#logPages += SMALL_COMMIT_PAGES;
      return value;
    } catch (error) {
      throw this.#undo(error);
    }
  }

  #undo(error: unknown): StoreError {
    const failure = toStoreError(error);
    if (failure.code === 'broken' || failure.code === 'damaged') this.#broken = failure;
    if (!this.#db.isTransaction) return failure;
    try {
      this.#sql.rollback.run();
      return failure;
    } catch (second) {
      this.#broken = new StoreError('broken', `a failed group could not be undone: ${toStoreError(second).message}`);
      return this.#broken;
    }
  }
}

function prepare(db: DatabaseSync) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    checkpoint: db.prepare('PRAGMA wal_checkpoint(PASSIVE)'),
    farm: db.prepare('UPDATE farm SET epoch = ?, next_job = ?, crc = ?'),
    clearLeases: db.prepare('DELETE FROM leases WHERE job = ?'),
    clearBlocks: db.prepare('DELETE FROM blocks WHERE job = ?'),
  };
}
