import { TestPostgres } from '../../test/support/postgres.ts';
import { cpuOfFamily } from './processes.ts';

/** What a PostgreSQL has done since it was reset. */
export interface DatabaseWork {
  readonly statements: number;
  /** Seconds of CPU of all its processes. */
  readonly cpu: number;
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
    await this.query('SELECT pg_stat_statements_reset()');
    this.#cpu = cpuOfFamily(this.postgres.pid);
  }

  async work(): Promise<DatabaseWork> {
    const cpu = cpuOfFamily(this.postgres.pid) - this.#cpu;
    const [row] = await this.query<{ calls: string }>(
      "SELECT coalesce(sum(calls), 0) AS calls FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'",
    );
    return { statements: Number(row?.calls), cpu };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.postgres.remove();
  }
}
