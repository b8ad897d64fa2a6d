import { connect, type Farm } from 'manyhands';
import { realDirectory, removeDirectory } from './disk.ts';
import { type Measured, manyhands } from './processes.ts';

interface ServeLine {
  readonly url: string;
  readonly joinUrl: string;
  readonly dashboardUrl: string;
}

/** A farm as a user starts it: a server in a process of its own, its data on a disk and synced, workers in theirs. */
export class MeasuredFarm implements AsyncDisposable {
  readonly server: Measured;
  readonly workers: Measured[] = [];
  readonly url: string;
  readonly token: string;
  readonly joinUrl: string;
  readonly client: Farm;
  readonly #directory: string;

  private constructor(server: Measured, line: ServeLine, client: Farm, directory: string) {
    this.server = server;
    this.url = line.url;
    this.token = new URL(line.dashboardUrl).hash.slice(1);
    this.joinUrl = line.joinUrl;
    this.client = client;
    this.#directory = directory;
  }

  /** One worker for each number, with that many slots. */
  static async start(...slots: readonly number[]): Promise<MeasuredFarm> {
    return await MeasuredFarm.#begin([], slots);
  }

  /** One of several servers of a farm, whose jobs are in this database; with workers that join this one. */
  static async over(database: string, ...slots: readonly number[]): Promise<MeasuredFarm> {
    return await MeasuredFarm.#begin(['--store', database], slots);
  }

  static async #begin(options: readonly string[], slots: readonly number[]): Promise<MeasuredFarm> {
    const directory = realDirectory();
    const server = manyhands('serve', '--port', '0', '--data', directory, '--json', ...options);
    const line = await server.line<ServeLine>();
    server.ignoreLines();
    const token = new URL(line.dashboardUrl).hash.slice(1);
    const client = await connect({ url: line.url, token });
    const farm = new MeasuredFarm(server, line, client, directory);
    for (const each of slots) await farm.join(each);
    return farm;
  }

  /** Starts a worker, with further options of `join`; resolves when it has joined. */
  async join(slots: number, ...options: readonly string[]): Promise<Measured> {
    const worker = manyhands('join', this.joinUrl, '--slots', String(slots), '--json', ...options);
    this.workers.push(worker);
    await worker.line();
    worker.ignoreLines();
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.server.stop();
    removeDirectory(this.#directory);
  }
}
