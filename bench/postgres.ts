// What PostgreSQL costs as a store: groups and tasks a second from one to four servers, statements and CPU of the database for
// 1,000 tasks. It runs beside them on this machine, with every commit synced.
import { readdirSync, readFileSync } from 'node:fs';
import { Connection } from '../src/store/postgres/connection.ts';
import { openPostgresStore, type PostgresStore } from '../src/store/postgres/postgres-store.ts';
import { aJob, aLease, aSegment, progressOf } from '../src/testing/store-records.ts';
import { TestPostgres } from '../test/support/postgres.ts';

const TASKS = 1_000_000;
/** Of /proc: hundredths of a second. */
const TICKS = 100;

let statements = 0;
for (const verb of ['query', 'plain'] as const) {
  const real = Connection.prototype[verb];
  Connection.prototype[verb] = function (this: Connection, ...values: never[]) {
    statements += 1;
    return (real as (...values: never[]) => ReturnType<typeof real>).apply(this, values);
  } as never;
}

/** Seconds of CPU of all its processes that live. */
function cpuOf(postmaster: number): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      if (Number(pid) === postmaster || Number(fields[1]) === postmaster)
        ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has just ended.
    }
  }
  return ticks / TICKS;
}

function columnOf(count: number): Uint8Array {
  return Buffer.from(Array.from({ length: count }, (_, at) => `${at * 7},`).join(''));
}

/** Blocks of a range, from the claim to the end, in groups of so many tasks; two groups in flight, as the loop has them. */
async function work(store: PostgresStore, epoch: number, job: number, count: number, groups: number): Promise<void> {
  const column = columnOf(count);
  let before: Promise<unknown> = Promise.resolve();
  for (let group = 0; group < groups; group++) {
    const first = (epoch * 1e6 + group) * count;
    const block = { job, first, count, generation: 0, exceptions: [], epoch };
    const counted = { done: count, segments: 1 };
    const now = store.commit(
      [
        { kind: 'block', block },
        aLease(job, first, count, group, epoch),
        { ...aSegment(job, 1, first, count), column },
        { kind: 'leaseEnded', lease: epoch * 2 ** 32 + group - 1 },
        { kind: 'blockEnded', job, first: first - count },
        { kind: 'progress', job, progress: progressOf(), change: { counted, set: {} } },
      ],
      epoch,
    );
    await before;
    before = now;
  }
  await before;
}

async function measure(server: TestPostgres, servers: number, count: number): Promise<void> {
  const { url } = await server.database();
  const stores = await Promise.all(Array.from({ length: servers }, () => openPostgresStore(url)));
  const [first] = stores as [PostgresStore];
  const epochs: number[] = [];
  for (const store of stores) epochs.push(await store.start());
  await first.commit([aJob(1)], epochs[0] as number);
  const groups = Math.ceil(TASKS / count / servers);
  const tasks = groups * count * servers;
  statements = 0;
  const [cpu, own, began] = [cpuOf(server.pid), process.cpuUsage(), performance.now()];
  await Promise.all(stores.map((store, at) => work(store, epochs[at] as number, 1, count, groups)));
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(own);
  const figures = [
    `${servers} server(s), groups of ${count}`.padEnd(32),
    `${Math.round(tasks / seconds).toLocaleString('en')} tasks/s`,
    `${Math.round((groups * servers) / seconds)} groups/s`,
    `${((statements / tasks) * 1_000).toFixed(1)} statements`,
    `${(((cpuOf(server.pid) - cpu) / tasks) * 1e6).toFixed(2)} ms of the database's CPU`,
    `${((user + system) / tasks).toFixed(2)} ms of ours, for 1,000 tasks`,
  ];
  console.log(figures.join('  '));
  for (const store of stores) await store.close();
}

const server = await TestPostgres.start();
try {
  for (const count of [1_000, 4_000]) for (const servers of [1, 2, 4]) await measure(server, servers, count);
} finally {
  await server.remove();
}
