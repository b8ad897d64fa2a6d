import { setTimeout as sleep } from 'node:timers/promises';
import { type LeaseId, leaseId } from '../../src/model/ids.ts';
import type { Write } from '../../src/model/records.ts';
import { SERVER_FACTS_BYTES } from '../../src/model/server-limits.ts';
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { aJob, aLease, aSegment, progressOf } from '../../src/testing/store-records.ts';
import { MeasuredDatabase } from '../harness/database.ts';
import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';
import { childrenOf, cpuOf, memoryOf, ownMemoryOf, script } from '../harness/processes.ts';

const TASKS = 1_000;
/** Bytes of a value. */
const VALUE = 8;
const SIBLINGS = 8;
const WORKERS = 1_000;
const IDLE = 20_000;
const MB = 1_000_000;

/** S3: the parts of which docs/scale.md makes its model. CPU of the database, unless it says otherwise. */
export const serverCosts: Question = {
  id: 'S3',
  asks: 'what a commit, a segment, a block, a pulse, a connection and an idle worker cost the database and a server',
  async measure(): Promise<Sample[]> {
    await using database = await MeasuredDatabase.start();
    return [...(await storeCosts(database)), ...(await pulseCosts(database)), ...(await idleCosts(database))];
  },
};

/** Milliseconds of the database's CPU for one of so many. */
async function each(database: MeasuredDatabase, times: number, act: (at: number) => Promise<unknown>): Promise<number> {
  await act(0);
  await database.reset();
  for (let at = 1; at <= times; at++) await act(at);
  return ((await database.work()).cpu * 1_000) / times;
}

/** A member of a farm, and what it commits. */
class Member {
  readonly store: PostgresStore;
  readonly epoch: number;
  #done = 0;
  #leases: LeaseId[] = [];

  private constructor(store: PostgresStore, epoch: number) {
    this.store = store;
    this.epoch = epoch;
  }

  static async join(url: string): Promise<Member> {
    const store = await openPostgresStore(url);
    return new Member(store, await store.start());
  }

  async job(count?: number): Promise<number> {
    const id = await this.store.nextJobId();
    await this.store.commit([aJob(id, count === undefined ? {} : { range: { start: 0, step: 1, count } })], this.epoch);
    return id;
  }

  /** What so many batches leave in one group: a lease and its end, a segment, and the job's counters. */
  async segments(job: number, count: number, tasks = TASKS): Promise<void> {
    const ended = this.#leases.map((lease): Write => ({ kind: 'leaseEnded', lease }));
    this.#leases = [];
    const writes = Array.from({ length: count }, () => {
      const first = TASKS * this.#done++;
      // They end with the next group: within this one nothing would be written of them.
      this.#leases.push(leaseId(this.epoch, this.#done));
      return [
        aLease(job, first, tasks, this.#done, this.epoch),
        { ...aSegment(job, this.#done, first, tasks), column: new Uint8Array(VALUE * tasks) },
      ];
    });
    const change = { counted: { done: count * tasks, segments: count }, set: {} };
    await this.store.commit(
      [...writes.flat(), ...ended, { kind: 'progress', job, progress: progressOf({}), change }],
      this.epoch,
    );
  }
}

async function storeCosts(database: MeasuredDatabase): Promise<Sample[]> {
  const member = await Member.join(database.url);
  const job = await member.job(10 ** 9);
  const one = await each(database, 1_500, () => member.segments(job, 1));
  const sixteen = await each(database, 150, () => member.segments(job, 16));
  const segment = (sixteen - one) / 15;
  const singles = await each(database, 150, () => member.segments(job, 256, 1));
  const { wal } = await database.work();
  const claim = await each(database, 1_500, () => member.store.claim(job, 1, member.epoch));
  const eight = await each(database, 300, () => member.store.claim(job, 8, member.epoch));
  const memory = Math.max(...childrenOf(database.postgres.pid).map(ownMemoryOf));
  await member.store.close();
  return [
    { name: 'S3 a commit, without its segments', value: one - segment, unit: 'ms' },
    { name: 'S3 a segment of 1,000 tasks in a commit', value: segment, unit: 'ms' },
    { name: 'S3 a segment of one task in a commit', value: (singles - (one - segment)) / 256, unit: 'ms' },
    { name: 'S3 log of a segment of one task', value: wal / (150 * 256), unit: 'bytes' },
    { name: 'S3 a claim of one block', value: claim, unit: 'ms' },
    { name: 'S3 a further block in a claim', value: (eight - claim) / 7, unit: 'ms' },
    { name: 'S3 memory of the largest process of the database', value: memory / MB, unit: 'MB' },
  ];
}

async function pulseCosts(database: MeasuredDatabase): Promise<Sample[]> {
  const member = await Member.join(database.url);
  const pulse = () => member.store.pulse(member.epoch, 'alone');
  const alone = await each(database, 1_000, pulse);
  for (let at = 0; at < 200; at++) await member.job(10);
  const busy = await each(database, 300, pulse);
  const siblings: Member[] = [];
  for (let at = 0; at < SIBLINGS; at++) {
    const sibling = await Member.join(database.url);
    await sibling.store.pulse(sibling.epoch, `"${'x'.repeat(SERVER_FACTS_BYTES - 2)}"`);
    siblings.push(sibling);
  }
  const among = await each(database, 300, pulse);
  await Promise.all([member, ...siblings].map(({ store }) => store.close()));
  return [
    { name: 'S3 a pulse, one server, one open job', value: alone, unit: 'ms' },
    { name: 'S3 an open job in a pulse', value: (busy - alone) / 200, unit: 'ms' },
    { name: 'S3 a server that says 64 KiB of itself, in a pulse', value: (among - busy) / SIBLINGS, unit: 'ms' },
  ];
}

async function idleCosts(database: MeasuredDatabase): Promise<Sample[]> {
  const { url } = await database.postgres.database();
  await using farm = await MeasuredFarm.over(url);
  await sleep(3_000);
  const watch = async (): Promise<{ server: number; database: number }> => {
    const before = cpuOf(farm.server.pid);
    await database.reset();
    await sleep(IDLE);
    const share = 100_000 / IDLE;
    return { server: (cpuOf(farm.server.pid) - before) * share, database: (await database.work()).cpu * share };
  };
  const alone = await watch();
  const memory = memoryOf(farm.server.pid).now;
  const token = new URL(farm.joinUrl).hash.slice(1);
  const entry = new URL('../limits/entry/idle-workers.ts', import.meta.url);
  const workers = script(entry, farm.url, token, String(WORKERS));
  await workers.line();
  await sleep(5_000);
  const full = await watch();
  const grown = memoryOf(farm.server.pid).now - memory;
  await workers.stop();
  const [connections] = await database.query<{ count: string }>(
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'manyhands'",
  );
  return [
    { name: 'S3 an idle server: its CPU', value: alone.server, unit: '% of a core' },
    { name: 'S3 an idle server: CPU of the database', value: alone.database, unit: '% of a core' },
    { name: 'S3 1,000 idle workers: CPU of their server', value: full.server - alone.server, unit: '% of a core' },
    { name: 'S3 1,000 idle workers: CPU of the database', value: full.database - alone.database, unit: '% of a core' },
    { name: 'S3 1,000 idle workers: memory of their server', value: grown / MB, unit: 'MB' },
    { name: 'S3 connections of a server', value: Number(connections?.count), unit: '' },
  ];
}
