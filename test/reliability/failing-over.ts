import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Farm, FarmError } from '../../src/index.ts';
import { cleanUp } from '../support/cleanup.ts';
import { TestPostgres } from '../support/postgres.ts';
import { type Running, startManyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Line } from './line.ts';
import { Served } from './served.ts';

/** Servers and workers over a PostgreSQL that a standby follows, which can be cut off and promoted in its place. */
export class FailingOver {
  readonly servers: readonly Served[];
  readonly workers: readonly Running[];
  readonly standby: TestPostgres;
  readonly database: string;
  readonly #t: TestContext;
  readonly #primary: TestPostgres;
  readonly #toDatabase: Line;
  readonly #toStandby: Line;

  private constructor(
    t: TestContext,
    parts: Pick<FailingOver, 'servers' | 'workers' | 'standby' | 'database'> & {
      primary: TestPostgres;
      toDatabase: Line;
      toStandby: Line;
    },
  ) {
    this.#t = t;
    this.servers = parts.servers;
    this.workers = parts.workers;
    this.standby = parts.standby;
    this.database = parts.database;
    this.#primary = parts.primary;
    this.#toDatabase = parts.toDatabase;
    this.#toStandby = parts.toStandby;
  }

  static async start(t: TestContext): Promise<FailingOver> {
    const primary = await TestPostgres.start();
    cleanUp(t, () => primary.remove());
    const { name } = await primary.database();
    const toStandby = await Line.start(t, primary.port);
    const standby = await primary.standby(toStandby.port);
    cleanUp(t, () => standby.remove());
    const toDatabase = await Line.start(t, primary.port);
    const store = `postgres://postgres@127.0.0.1:${toDatabase.port}/${name}`;
    const servers = [
      await Served.start(t, { options: ['--store', store] }),
      await Served.start(t, { options: ['--store', store] }),
    ];
    const token = new URL((servers[0] as Served).joinUrl).hash;
    const links = servers.map(({ url }) => `${url}/join${token}`);
    const workers = [links, [...links].reverse(), links].map((order, at) =>
      startManyhands(t, ['join', order.join(','), '--json', '--slots', '2', '--name', `worker ${at}`]),
    );
    await Promise.all(workers.map((worker) => worker.output(/"joined"/, { stream: 'stdout', timeout: 60_000 })));
    return new FailingOver(t, { servers, workers, standby, database: name, primary, toDatabase, toStandby });
  }

  async connect(first = 0): Promise<Farm> {
    const urls = [...this.servers.slice(first), ...this.servers.slice(0, first)].map(({ url }) => url);
    const farm = await connect({ url: urls.join(','), token: (this.servers[0] as Served).admin });
    cleanUp(this.#t, () => farm.close().catch(() => {}));
    return farm;
  }

  /** Resolves once the standby has all that was acknowledged when it was called; from then on it hears nothing more. */
  async fallBehind(): Promise<void> {
    const [row] = await this.#primary.query('SELECT pg_current_wal_lsn()::text AS lsn');
    await waitFor(
      async () => {
        const asked = `SELECT pg_last_wal_replay_lsn() >= '${row?.['lsn']}'::pg_lsn AS there`;
        return (await this.standby.query(asked))[0]?.['there'] === true;
      },
      { what: 'a standby that has followed', timeout: 20_000 },
    );
    this.#toStandby.lead(undefined);
  }

  /** The primary dies, and a moment later the standby has its place. */
  async failOver(): Promise<void> {
    await this.#primary.kill();
    this.#toDatabase.lead(undefined);
    await sleep(500);
    assert.deepEqual(await this.standby.query('SELECT pg_promote(true, 20) AS done'), [{ done: true }]);
    this.#toDatabase.lead(this.standby.port);
  }
}

/** What a program was told of a job. */
export interface ToldJob {
  readonly job: number;
  readonly inputs: readonly number[];
  /** By index, with the attempt that it came from. */
  readonly values: Map<number, string>;
}

function square(input: number, { attempt }: { attempt: string }): { square: number; attempt: string } {
  return { square: input * input, attempt };
}

/** A program that submits one job after the other and reads what comes of it; what goes wrong is kept as it was told. */
export class Program {
  readonly jobs: ToldJob[] = [];
  readonly complaints: string[] = [];
  readonly #farm: Farm;
  readonly #over: Promise<void>;
  #stopping = false;

  constructor(farm: Farm) {
    this.#farm = farm;
    this.#over = this.#work();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#over;
  }

  async #work(): Promise<void> {
    for (let first = 0; !this.#stopping; first += 50) {
      try {
        await this.#one(Array.from({ length: 50 }, (_, at) => first + at));
      } catch (error) {
        if (!(error instanceof FarmError)) throw error;
        this.complaints.push(`${error.code}: ${error.message}`);
      }
    }
  }

  async #one(inputs: readonly number[]): Promise<void> {
    const job = await this.#farm.map(square, inputs, { name: 'told' });
    await job.submitted;
    const told: ToldJob = { job: job.id, inputs, values: new Map() };
    this.jobs.push(told);
    for await (const record of job.results({ ordered: false })) {
      assert.ok(record.status === 'done', `task ${job.id}/${record.index} is ${record.status}`);
      assert.equal(record.value.square, (inputs[record.index] as number) ** 2);
      told.values.set(record.index, record.value.attempt);
    }
  }
}
