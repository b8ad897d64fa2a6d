import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Farm } from '../../src/index.ts';
import { cleanUp } from '../support/cleanup.ts';
import { TestPostgres } from '../support/postgres.ts';
import { type Running, startManyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { Journal } from './journal.ts';
import { LONG_LANE, Load } from './load.ts';
import { Served } from './served.ts';

/** A farm of several servers over one PostgreSQL, and workers that know all of them. */
export class SeveralServers {
  readonly postgres: TestPostgres;
  readonly database: { readonly url: string; readonly name: string };
  readonly servers: Served[];
  readonly #t: TestContext;
  readonly #options: readonly string[];

  private constructor(
    t: TestContext,
    postgres: TestPostgres,
    database: SeveralServers['database'],
    servers: Served[],
    options: readonly string[],
  ) {
    this.#t = t;
    this.#options = options;
    this.postgres = postgres;
    this.database = database;
    this.servers = servers;
  }

  /** All servers have the same options. */
  static async start(t: TestContext, count: number, options: readonly string[] = []): Promise<SeveralServers> {
    const postgres = await TestPostgres.start();
    cleanUp(t, () => postgres.remove());
    const database = await postgres.database();
    const several = new SeveralServers(t, postgres, database, [], options);
    for (let at = 0; at < count; at++) await several.add();
    return several;
  }

  /** One more server. */
  async add(): Promise<Served> {
    const served = await Served.start(this.#t, { options: ['--store', this.database.url, ...this.#options] });
    this.servers.push(served);
    return served;
  }

  get first(): Served {
    return this.servers[0] as Served;
  }

  /** All servers, the one that is tried first in front. */
  urls(first = 0): string[] {
    return this.servers.map((_, at) => (this.servers[(first + at) % this.servers.length] as Served).url);
  }

  async connect(first = 0): Promise<Farm> {
    const farm = await connect({ url: this.urls(first).join(','), token: this.first.admin });
    cleanUp(this.#t, () => farm.close().catch(() => {}));
    return farm;
  }

  /** Starts a worker, which may not have joined yet. */
  worker(first: number, ...options: string[]): Running {
    const token = new URL(this.first.joinUrl).hash;
    const links = this.urls(first).map((each) => `${each}/join${token}`);
    return startManyhands(this.#t, ['join', links.join(','), '--json', ...options]);
  }
}

export interface SeveralKillsReport {
  readonly rounds: number;
  readonly seconds: number;
  readonly acked: number;
  readonly tasks: number;
  readonly done: Readonly<Record<string, number>>;
}

/** So long a pause that a server's time is over when it goes on. */
const LONG_PAUSE = 9_000;

/**
 * Kills or pauses a random server, worker or the database itself, round after round, while clients use the farm. Then all
 * comes to its end, and what the clients were told is compared with what the farm says and with what lies in the database.
 */
export async function killSeveral(
  t: TestContext,
  { rounds, time = Number.POSITIVE_INFINITY }: { rounds: number; time?: number },
): Promise<SeveralKillsReport> {
  const several = await SeveralServers.start(t, 3);
  const workers = Array.from({ length: 6 }, (_, at) => several.worker(at, ...workerOptions(at)));
  await Promise.all(workers.map((worker) => worker.output(/"joined"/, { stream: 'stdout', timeout: 60_000 })));
  const farms = await Promise.all([0, 1, 2].map((first) => several.connect(first)));
  const journal = new Journal();
  const counter = await Counter.start(t);
  const loads = farms.map((each) => new Load(each, journal, counter));
  const done: Record<string, number> = {};
  const began = performance.now();
  let round = 0;
  const breaking = (async () => {
    for (; round < rounds && performance.now() < began + time; round++) {
      const what = await breakSomething(several, workers);
      done[what] = (done[what] ?? 0) + 1;
      await sleep(200 + Math.random() * 800);
    }
  })();
  await Promise.race([breaking, ...loads.map((load) => load.failed)]);
  const seconds = (performance.now() - began) / 1_000;
  await Promise.all(loads.map((load) => load.stop()));
  await Promise.all(farms.map((each) => each.close()));
  const again = await several.connect();
  await waitFor(async () => (await several.first.get<{ jobs: unknown[] }>('/v1/jobs?state=active')).jobs.length === 0, {
    what: 'the end of all jobs',
    timeout: 60_000,
  });
  const tasks = await journal.compare(again);
  await again.close();
  await checkDatabase(several);
  return { rounds: round, seconds, acked: journal.acked, tasks, done };
}

function workerOptions(at: number): string[] {
  const label = at === 0 ? ['--label', `lane=${LONG_LANE.lane}`] : [];
  return ['--slots', at === 0 ? '8' : '1', '--name', `worker ${at}`, ...label];
}

/** One thing at a time, whole again at its end; says what it was. */
async function breakSomething(several: SeveralServers, workers: Running[]): Promise<string> {
  const dice = Math.random();
  if (dice < 0.3) {
    const server = pick(several.servers);
    await server.kill();
    await sleep(Math.random() * 2_000);
    await server.start();
    return 'server killed';
  }
  if (dice < 0.5) {
    const server = pick(several.servers);
    const isLong = Math.random() < 0.4;
    server.process.signal('SIGSTOP');
    await sleep(isLong ? LONG_PAUSE : Math.random() * 3_000);
    server.process.signal('SIGCONT');
    return isLong ? 'server paused for longer than its lease' : 'server paused';
  }
  if (dice < 0.7) {
    const at = Math.floor(Math.random() * workers.length);
    (workers[at] as Running).signal('SIGKILL');
    await (workers[at] as Running).exited;
    workers[at] = several.worker(Math.floor(Math.random() * 3), ...workerOptions(at));
    return 'worker killed';
  }
  if (dice < 0.85) {
    const worker = pick(workers);
    worker.signal('SIGSTOP');
    await sleep(Math.random() * 2_000);
    worker.signal('SIGCONT');
    return 'worker paused';
  }
  if (dice < 0.95) {
    await several.postgres.kill();
    await sleep(Math.random() * 1_000);
    await several.postgres.run();
    return 'database killed';
  }
  several.postgres.pause(true);
  await sleep(Math.random() * 2_000);
  several.postgres.pause(false);
  return 'database paused';
}

function pick<Thing>(things: readonly Thing[]): Thing {
  return things[Math.floor(Math.random() * things.length)] as Thing;
}

interface Run {
  readonly start: number;
  readonly count: number;
}

/** Without a line of the server's code: of each job no task is recorded twice in one generation, and the counts are those of the records. */
export async function checkDatabase({
  postgres,
  database,
}: Pick<SeveralServers, 'postgres' | 'database'>): Promise<void> {
  const { name } = database;
  const jobs = await postgres.query('SELECT job, done, failed FROM progress', name);
  for (const { job, done, failed } of jobs) {
    const rows = await postgres.query(`SELECT record FROM segments WHERE job = ${job} ORDER BY seq`, name);
    const recorded = new Set<string>();
    for (const { record } of rows) {
      const { generation, runs } = (typeof record === 'string' ? JSON.parse(record) : record) as {
        generation: number;
        runs: Run[];
      };
      for (const { start, count } of runs) {
        for (let index = start; index < start + count; index++) {
          const key = `${generation}/${index}`;
          assert.ok(!recorded.has(key), `task ${index} of job ${job} was recorded twice`);
          recorded.add(key);
        }
      }
    }
    assert.equal(Number(done) + Number(failed), recorded.size, `the outcomes of job ${job}`);
  }
}

export function describeSeveral({ rounds, seconds, acked, tasks, done }: SeveralKillsReport): string {
  const what = Object.entries(done).map(([name, times]) => `${name} ${times}`);
  return `${rounds} rounds in ${seconds.toFixed(0)} s (${what.join(', ')}); ${acked} things acknowledged, ${tasks} tasks, nothing lost or doubled`;
}
