import type { Epoch, JobId, LeaseId, Millis, TaskIndex } from '../../model/ids.ts';
import type { JobState } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { DB_PATIENCE, HUNGER_TIME, SERVER_LEASE, TAKEOVER_GRACE } from '../../model/server-limits.ts';
import type { BlobStore } from '../blobs.ts';
import { copyWrite } from '../copies.ts';
import type { Bucket } from '../s3/bucket.ts';
import {
  type BatchQuery,
  type Recovered,
  type SegmentQuery,
  type SharedStore,
  type Store,
  StoreError,
} from '../store.ts';
import { agreeOnBucket, refuseBucketOfOthers, refuseOtherPlace } from './blob-place.ts';
import { claim } from './claim.ts';
import { commitOf } from './commit.ts';
import { Connection, type ConnectionSettings, type Statement, together } from './connection.ts';
import { forgetStep } from './forget.ts';
import { Hints } from './hints.ts';
import { Line } from './line.ts';
import { checkHistory, Members, rewound, type SharedTimes } from './members.ts';
import { migrate } from './migrate.ts';
import { refusal } from './open.ts';
import { PostgresBlobs } from './postgres-blobs.ts';
import { Pulses } from './pulse.ts';
import { read } from './reader.ts';
import { recoveryOf } from './recovery.ts';
import { Reopening } from './reopen.ts';
import { takeOverOf } from './takeover.ts';

export interface PostgresOptions {
  /** Milliseconds for which a verb waits for a database that does not answer. */
  readonly patience?: Millis;
  readonly times?: Partial<SharedTimes>;
  /** Where the bytes of blobs lie, if not in the database; it is closed with the store. */
  readonly bucket?: Bucket | undefined;
}

/** Opens or makes the data in a database. Rejects with a {@link StoreError}: `refused`, `newer`. */
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<PostgresStore> {
  const settings = { url, prepares: true };
  const { bucket } = options;
  try {
    const connection = await Connection.open(settings);
    try {
      await refuseBucketOfOthers(connection, bucket);
      const farm = await migrate(connection);
      await agreeOnBucket(connection, farm, bucket);
      return new PostgresStore(farm, settings, options);
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw refusal(error, url);
  }
}

/** None in a history of which no server knows yet: it might have been given out in what was lost (D25). */
const nextJob: Statement = {
  name: 'manyhands_next_job',
  text: `SELECT nextval('job_numbers') AS job FROM farm WHERE timeline = manyhands_timeline()`,
};

/** The same data may be open in many processes: PostgreSQL is the arbiter between them. */
export class PostgresStore implements Store, SharedStore {
  readonly farm: string;
  /** In the same database. */
  readonly blobs: BlobStore;
  readonly shared: SharedStore = this;
  onHint: () => void = () => {};
  /** What changes something, and what has to be as new as these changes. */
  readonly #line: Line;
  /** What may be large: it is appended only, so that nothing is missed if a change overtakes it. */
  readonly #streams: Line;
  readonly #blobs: Line;
  readonly #members: Members;
  readonly #pulses: Pulses;
  readonly #hints: Hints;
  readonly #bucket: Bucket | undefined;
  #closing: Promise<void> | undefined;

  constructor(farm: string, settings: ConnectionSettings, { patience = DB_PATIENCE, times, bucket }: PostgresOptions) {
    const all = { lease: SERVER_LEASE, grace: TAKEOVER_GRACE, hunger: HUNGER_TIME, ...times };
    this.farm = farm;
    this.#line = new Line(settings, patience);
    this.#streams = new Line(settings, patience);
    this.#blobs = new Line(settings, patience);
    this.#bucket = bucket;
    this.blobs = new PostgresBlobs(this.#blobs, bucket);
    this.#members = new Members(this.#line, all);
    this.#pulses = new Pulses(this.#line, this.#members, all);
    this.#hints = new Hints(settings, () => this.onHint());
  }

  async start(): Promise<Epoch> {
    const epoch = await this.#members.start();
    await this.#line.run((connection) => refuseOtherPlace(connection, this.#bucket));
    return epoch;
  }

  recover(epoch: Epoch): Promise<Recovered> {
    return this.#members.change(epoch, recoveryOf(this.#members.epochs, epoch, this.#members.history));
  }

  async nextJobId(): Promise<JobId> {
    const { rows } = await this.#line.run((connection) => connection.query(nextJob, []));
    if (rows[0] === undefined) throw rewound();
    return rows[0]['job'] as JobId;
  }

  commit(writes: readonly Write[], epoch: Epoch): Promise<readonly Write[]> {
    return this.#members.change(epoch, commitOf(writes.map(copyWrite), epoch));
  }

  claim(job: JobId, max: number, epoch: Epoch) {
    return claim(this.#members, job, max, epoch);
  }

  readInputs(job: JobId, first: TaskIndex) {
    return this.#line.run((connection) => read.inputs(connection, job, first));
  }

  readSegments(job: JobId, query: SegmentQuery, maxBytes: number) {
    return this.#stream(async (connection) => {
      const found = read.segments(connection, job, query, maxBytes);
      if (query.history === undefined) return await found;
      return (await together([found, checkHistory(connection, query.history)]))[0];
    });
  }

  readBatches(job: JobId, query: BatchQuery, maxBytes: number) {
    return this.#stream((connection) => read.batches(connection, job, query, maxBytes));
  }

  readAttempts(job: JobId, query: { after: number; limit: number }) {
    return this.#stream((connection) => read.attempts(connection, job, query));
  }

  listBlocks(job: JobId, from: TaskIndex, limit: number) {
    return this.#line.run((connection) => read.listBlocks(connection, job, from, limit));
  }

  readJob(job: JobId) {
    return this.#line.run((connection) => read.job(connection, job));
  }

  listJobs(query: { before?: JobId; limit: number; states?: readonly JobState[] }) {
    return this.#line.run((connection) => read.listJobs(connection, query));
  }

  readTask(job: JobId, index: TaskIndex) {
    return this.#stream((connection) => read.task(connection, job, index));
  }

  readLogs(job: JobId, query: { index?: TaskIndex; after: number; limit: number }) {
    return this.#stream((connection) => read.logs(connection, job, query));
  }

  reopen(job: JobId): Promise<number> {
    const reopening = new Reopening(job);
    return this.#line.run((connection) => reopening.act(connection));
  }

  forget(job: JobId): Promise<boolean> {
    return this.#line.run((connection) => forgetStep(connection, job));
  }

  findIdempotent(owner: string, key: string) {
    return this.#line.run((connection) => read.idempotent(connection, owner, key));
  }

  listTokens() {
    return this.#line.run((connection) => read.tokens(connection));
  }

  unreferenced(sha256: readonly string[]) {
    return this.#line.run((connection) => read.unreferenced(connection, sha256));
  }

  async backup(): Promise<void> {
    throw new StoreError(
      'conflict',
      'this data lies in PostgreSQL: copy it with pg_dump, which works while servers run',
    );
  }

  pulse(epoch: Epoch, facts?: string) {
    return this.#pulses.pulse(epoch, facts);
  }

  takeOver(leases: readonly LeaseId[], epoch: Epoch) {
    return this.#members.change(epoch, takeOverOf(leases, epoch));
  }

  order(to: Epoch, text: string) {
    return this.#pulses.order(to, text);
  }

  hint(): void {
    this.#hints.hint();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The process dies: nothing is said any more, and nothing is answered. For tests. */
  crash(): void {
    this.#closing = Promise.resolve();
    this.#hints.cut();
    this.#line.cut();
    this.#streams.cut();
    this.#blobs.cut();
  }

  async #close(): Promise<void> {
    const goodbye = this.#members.close().catch(() => undefined);
    await Promise.all([this.#hints.close(), goodbye, this.#line.close(), this.#streams.close(), this.#blobs.close()]);
    this.#bucket?.close();
  }

  /** As new as every change that was asked for before. */
  async #stream<Value>(act: (connection: Connection) => Promise<Value>): Promise<Value> {
    await this.#line.served;
    return await this.#streams.run(act);
  }
}
