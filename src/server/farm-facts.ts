import type { ServerFacts, ServerView, WorkerView } from '../model/feed.ts';
import type { Epoch, JobId, WorkerId } from '../model/ids.ts';
import { SERVERS } from '../model/move-limits.ts';
import { SERVER_FACTS_BYTES } from '../model/server-limits.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import type { Feed } from './feed.ts';
import { RequestError } from './requests.ts';
import type { Siblings } from './siblings.ts';
import { Spread } from './spread.ts';

type WorkerAction = 'drain' | 'undrain' | 'stop';

interface Order {
  readonly kind: 'worker';
  readonly worker: WorkerId;
  readonly action: WorkerAction;
}

/** What the servers of a farm say of themselves to each other, so that any of them can show and steer all. */
export class FarmFacts {
  readonly #core: Core;
  readonly #siblings: Siblings;
  readonly #feed: Feed;
  readonly #url: string;
  readonly #others = new Map<Epoch, ServerFacts>();
  readonly #spread: Spread;
  #rewoundAt: number | undefined;

  constructor(parts: { core: Core; siblings: Siblings; feed: Feed; clock: Clock; url: string }) {
    this.#core = parts.core;
    this.#siblings = parts.siblings;
    this.#feed = parts.feed;
    this.#url = parts.url;
    this.#spread = new Spread(parts);
    this.#siblings.facts = () => this.#write();
    const { elsewhere } = this.#core;
    elsewhere.serversChanged = () => this.#read();
    elsewhere.ordered = (order) => this.#obey(order);
    elsewhere.act = (worker, action) => this.#act(worker, action);
    elsewhere.oldestGrant = () => {
      const grants = [...this.#others.values()].flatMap(({ oldestGrant }) => oldestGrant ?? []);
      return grants.length === 0 ? undefined : Math.min(...grants);
    };
    this.#core.onRewound.push(() => {
      this.#rewoundAt = Math.round(parts.clock.wall());
    });
    elsewhere.leave = () => {
      this.#spread.leaving = true;
      // Where nobody can be told now, its workers go all the same when they are cut off.
      this.#siblings.tell().catch(() => undefined);
    };
    elsewhere.addresses = () => this.#places.map(({ url }) => url).slice(0, SERVERS);
    elsewhere.betterPlaces = (worker) => this.#spread.betterPlaces(worker).slice(0, SERVERS);
  }

  /** Other servers that take workers. */
  get #places(): ServerFacts[] {
    return [...this.#others.values()].filter(({ leaving }) => leaving !== true);
  }

  #write(): string {
    const oldestGrant = this.#core.loop.scheduler?.oldestGrant();
    const facts: ServerFacts = {
      url: this.#url,
      workers: [],
      connected: this.#core.workerGateway.connected,
      running: this.#feed.ownRunning,
      ...(oldestGrant !== undefined && { oldestGrant }),
      ...(this.#spread.leaving && { leaving: true }),
      ...(this.#rewoundAt !== undefined && { rewoundAt: this.#rewoundAt }),
    };
    const workers: WorkerView[] = [];
    let left = SERVER_FACTS_BYTES - Buffer.byteLength(JSON.stringify(facts));
    for (const worker of this.#feed.ownWorkers) {
      left -= Buffer.byteLength(JSON.stringify(worker)) + 1;
      if (left < 0) break;
      workers.push(worker);
    }
    return JSON.stringify({ ...facts, workers });
  }

  #read(): void {
    this.#others.clear();
    const workers: (WorkerView & { server: string })[] = [];
    const running = new Map<JobId, number>();
    const servers: ServerView[] = [];
    for (const { epoch, facts, since } of this.#siblings.servers) {
      // One that has just begun has said nothing yet.
      if (facts === '') continue;
      const told = JSON.parse(facts) as ServerFacts;
      servers.push(viewOf(told, since, epoch === this.#siblings.epoch));
      if (epoch === this.#siblings.epoch) continue;
      this.#others.set(epoch, told);
      for (const worker of told.workers) workers.push({ ...worker, server: told.url });
      for (const [job, tasks] of told.running) running.set(job, (running.get(job) ?? 0) + tasks);
    }
    this.#feed.hearSiblings(servers, workers, running);
    this.#core.loop.post({ kind: 'workersElsewhere', workers: workers.map(({ id }) => id) });
    this.#spread.heard(this.#places);
  }

  /** Whoever has the worker is asked to do it; false: nobody does. */
  async #act(worker: WorkerId, action: WorkerAction): Promise<boolean> {
    for (const [epoch, { workers }] of this.#others) {
      if (!workers.some(({ id }) => id === worker)) continue;
      const order: Order = { kind: 'worker', worker, action };
      return this.#siblings.order(epoch, JSON.stringify(order));
    }
    return false;
  }

  #obey(text: string): void {
    const { worker, action } = JSON.parse(text) as Order;
    this.#core.actOnWorker(worker, action).catch((error: unknown) => {
      // It left meanwhile, or the store takes nothing now: whoever asked sees that it did not come about.
      if (!(error instanceof RequestError)) throw error;
    });
  }
}

function viewOf(
  { url, connected, running, leaving, rewoundAt }: ServerFacts,
  since: number,
  here: boolean,
): ServerView {
  return {
    url,
    ...(here && { here }),
    workers: connected,
    running: running.reduce((sum, [, each]) => sum + each, 0),
    since,
    ...(leaving === true && { leaving }),
    ...(rewoundAt !== undefined && { rewoundAt }),
  };
}
