import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { connect, type Farm } from '../../src/index.ts';
import type { WorkerView } from '../../src/model/feed.ts';
import { cleanUp } from '../support/cleanup.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { TestPostgres } from '../support/postgres.ts';
import { manyhands, type Running } from '../support/processes.ts';
import { type Place, Star } from './star.ts';

const PORT = 7070;
/** Milliseconds between the end of a server and its new beginning, if these are one thing. */
const SAME_MOMENT = 500;

/** A server on a machine of its own. */
export interface FarServer {
  readonly place: Place;
  readonly url: string;
  readonly dataDir: string;
  readonly process: Running;
}

/** A worker on a machine of its own. */
export interface FarWorker {
  readonly name: string;
  readonly place: Place;
  readonly process: Running;
}

interface Member {
  readonly facts: string;
  readonly since: Date;
  readonly over_at: Date | null;
  readonly silent: boolean | null;
}

/** PostgreSQL, servers over it and workers that know all of them: each on a machine of its own, with lines that can be cut. */
export class PartitionedFarm {
  readonly star: Star;
  readonly store: Place;
  readonly postgres: TestPostgres;
  readonly database: { readonly url: string; readonly name: string };
  readonly servers: FarServer[] = [];
  readonly workers: FarWorker[] = [];
  readonly #t: TestContext;

  private constructor(
    t: TestContext,
    parts: { star: Star; store: Place; postgres: TestPostgres; database: PartitionedFarm['database'] },
  ) {
    this.#t = t;
    this.star = parts.star;
    this.store = parts.store;
    this.postgres = parts.postgres;
    this.database = parts.database;
  }

  static async start(t: TestContext): Promise<PartitionedFarm> {
    const star = new Star(t);
    const store = star.place();
    const postgres = await TestPostgres.start({}, { ...store, trusted: star.addresses });
    cleanUp(t, () => postgres.remove());
    return new PartitionedFarm(t, { star, store, postgres, database: await postgres.database() });
  }

  async addServer(): Promise<void> {
    const place = this.star.place();
    const dataDir = temporaryDirectory(this.#t, 'far');
    const at = ['--host', place.address, '--port', `${PORT}`, '--data', dataDir, '--store', this.database.url];
    const running = this.star.start(place, [...manyhands, 'serve', '--json', ...at]);
    await running.output(/"dataDir"/, { stream: 'stdout', timeout: 60_000 });
    this.servers.push({ place, url: `http://${place.address}:${PORT}`, dataDir, process: running });
  }

  /** It tries the server with the same number first. */
  async addWorker(...options: string[]): Promise<void> {
    const at = this.workers.length;
    const place = this.star.place();
    const name = `worker ${at}`;
    const links = this.#urls(at).map((url) => `${url}/join#${this.#token('join.token')}`);
    const words = ['join', links.join(','), '--json', '--name', name, ...options];
    const running = this.star.start(place, [...manyhands, ...words]);
    await running.output(/"joined"/, { stream: 'stdout', timeout: 60_000 });
    this.workers.push({ name, place, process: running });
  }

  /** A client on this machine, which tries the server with this number first. */
  async connect(first: number): Promise<Farm> {
    const farm = await connect({ url: this.#urls(first).join(','), token: this.#token('admin.token') });
    cleanUp(this.#t, () => farm.close().catch(() => {}));
    return farm;
  }

  async get<Body>(server: number, address: string): Promise<Body> {
    const headers = { authorization: `Bearer ${this.#token('admin.token')}` };
    const answer = await fetch(`${this.servers[server]?.url}${address}`, { headers });
    if (!answer.ok) throw new Error(`GET ${address}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Body;
  }

  /** Workers that are connected to this server. */
  async workersOf(server: number): Promise<FarWorker[]> {
    const { workers } = await this.get<{ workers: WorkerView[] }>(server, '/v1/workers');
    const names = workers.filter((each) => each.server === undefined && each.state === 'ready').map(({ name }) => name);
    return this.workers.filter(({ name }) => names.includes(name));
  }

  /**
   * What the database has of the servers: where those are whose time is not over, and where those were that others took for
   * dead. One that begins again by itself is none of these: it came back in the same moment.
   */
  async members(): Promise<{ alive: string[]; blamed: string[]; begun: number }> {
    const text = `SELECT epoch, facts, since, over_at, over_at >= alive_until AS silent FROM members JOIN beats USING (epoch) ORDER BY epoch`;
    const rows = (await this.postgres.query(text, this.database.name)) as unknown as Member[];
    const members = rows.map((row) => ({ ...row, url: this.servers.find(({ url }) => row.facts.includes(url))?.url }));
    const cameBack = (gone: (typeof members)[number]) =>
      members.some(({ url, since }) => {
        const ago = (gone.over_at?.getTime() ?? 0) - since.getTime();
        return (url === gone.url || url === undefined) && ago >= 0 && ago < SAME_MOMENT;
      });
    const urls = (some: typeof members) => some.map(({ url }) => url ?? 'a server that has just come');
    return {
      alive: urls(members.filter(({ over_at }) => over_at === null)),
      blamed: urls(members.filter((each) => each.silent === true && !cameBack(each))),
      begun: members.length,
    };
  }

  #urls(first: number): string[] {
    const urls = this.servers.map(({ url }) => url);
    return [...urls.slice(first), ...urls.slice(0, first)];
  }

  #token(file: string): string {
    return readFileSync(path.join((this.servers[0] as FarServer).dataDir, file), 'utf8').split('\n', 1)[0] as string;
  }
}
