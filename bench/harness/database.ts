import { TestPostgres } from '../../test/support/postgres.ts';
import { cpuOfFamily } from './processes.ts';

/** What a PostgreSQL has done since it was reset. */
export interface DatabaseWork {
  readonly statements: number;
  /** Seconds of CPU of all its processes. */
  readonly cpu: number;
  /** Bytes of its log, which go to the disk, and to each standby. */
  readonly wal: number;
  /** Rows of `segments` that are new. */
  readonly segments: number;
}

/** As a small one would be set: its data fits in memory, and each commit is synced. */
const SETTINGS = {
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '1000',
};

/** A real PostgreSQL that is measured. It counts its own statements, which costs it a few hundredths. */
export class MeasuredDatabase implements AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly url: string;
  readonly #name: string;
  #cpu = 0;
  #wal = 0;
  #segments = 0;

  private constructor(postgres: TestPostgres, { url, name }: { url: string; name: string }) {
    this.postgres = postgres;
    this.url = url;
    this.#name = name;
  }

  static async start(): Promise<MeasuredDatabase> {
    const postgres = await TestPostgres.start(SETTINGS);
    const database = new MeasuredDatabase(postgres, await postgres.database());
    await database.query('CREATE EXTENSION pg_stat_statements');
    return database;
  }

  async query<Row = Record<string, unknown>>(text: string): Promise<Row[]> {
    return (await this.postgres.query(text, this.#name)) as Row[];
  }

  async reset(): Promise<void> {
    ({ wal: this.#wal, segments: this.#segments } = await this.#written());
    await this.query('SELECT pg_stat_statements_reset()');
    this.#cpu = cpuOfFamily(this.postgres.pid);
  }

  async work(): Promise<DatabaseWork> {
    const cpu = cpuOfFamily(this.postgres.pid) - this.#cpu;
    const [row] = await this.query<{ calls: string }>(
      "SELECT coalesce(sum(calls), 0) AS calls FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'",
    );
    const { wal, segments } = await this.#written();
    return { statements: Number(row?.calls), cpu, wal: wal - this.#wal, segments: segments - this.#segments };
  }

  async #written(): Promise<{ wal: number; segments: number }> {
    const [row] = await this.query<{ wal: string; segments: string }>(
      "SELECT pg_current_wal_insert_lsn() - '0/0' AS wal, (SELECT coalesce(sum(last_segment), 0) FROM progress) AS segments",
    );
    return { wal: Number(row?.wal), segments: Number(row?.segments) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.postgres.remove();
  }
}
