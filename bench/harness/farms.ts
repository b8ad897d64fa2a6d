import type { DatabaseWork, MeasuredDatabase } from './database.ts';
import { MeasuredFarm } from './farm.ts';
import { cpuOf } from './processes.ts';

/** What tasks cost: all of these for each 1,000 of them. */
export interface Costs {
  /** Tasks a second. */
  readonly rate: number;
  readonly statements: number;
  /** Milliseconds. */
  readonly databaseCpu: number;
  readonly serverCpu: number;
  readonly segments: number;
  /** Bytes. */
  readonly wal: number;
}

/** Several servers, each with a client, and with workers that join it: of one farm, or each of a farm of its own. */
export class MeasuredFarms implements AsyncDisposable {
  readonly list: readonly MeasuredFarm[];
  readonly #database: MeasuredDatabase;

  private constructor(database: MeasuredDatabase, list: readonly MeasuredFarm[]) {
    this.#database = database;
    this.list = list;
  }

  static async start(database: MeasuredDatabase, count: number, ...slots: readonly number[]): Promise<MeasuredFarms> {
    const list: MeasuredFarm[] = [];
    for (let i = 0; i < count; i++) list.push(await MeasuredFarm.over(database.url, ...slots));
    return new MeasuredFarms(database, list);
  }

  /** As many servers that have nothing in common but the machine and PostgreSQL: what these cost is the machine's part. */
  static async apart(database: MeasuredDatabase, count: number, ...slots: readonly number[]): Promise<MeasuredFarms> {
    const list: MeasuredFarm[] = [];
    for (let i = 0; i < count; i++) {
      const { url } = i === 0 ? database : await database.postgres.database();
      list.push(await MeasuredFarm.over(url, ...slots));
    }
    return new MeasuredFarms(database, list);
  }

  /** What it costs to run so many tasks. */
  async measure(tasks: number, run: () => Promise<unknown>): Promise<Costs> {
    await this.#database.reset();
    const before = this.#serverSeconds();
    const began = performance.now();
    await run();
    const seconds = (performance.now() - began) / 1_000;
    const serverCpu = this.#serverSeconds() - before;
    return { rate: tasks / seconds, ...perThousand(tasks, await this.#database.work(), serverCpu) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.list.map((farm) => farm[Symbol.asyncDispose]()));
  }

  #serverSeconds(): number {
    return this.list.reduce((sum, { server }) => sum + cpuOf(server.pid), 0);
  }
}

function perThousand(tasks: number, work: DatabaseWork, serverCpu: number): Omit<Costs, 'rate'> {
  const of = (value: number): number => (value * 1_000) / tasks;
  return {
    statements: of(work.statements),
    databaseCpu: of(work.cpu * 1_000),
    serverCpu: of(serverCpu * 1_000),
    segments: of(work.segments),
    wal: of(work.wal),
  };
}
