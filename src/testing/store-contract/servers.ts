import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTasks } from '../../model/bitmaps.ts';
import type { Epoch, JobId, Millis } from '../../model/ids.ts';
import type { BlockRecord, JobProgress, JobSpec } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { indexesOf } from '../../model/runs.ts';
import { SERVER_LEASE } from '../../model/server-limits.ts';
import type { FarmRecord, Pulse, Recovered, SharedStore, Store } from '../../store/store.ts';
import { aJob } from '../store-records.ts';
import type { StoreHome } from './home.ts';

/** A home whose data several stores may have open, and whose clock can be moved on. */
export interface SharedHome extends StoreHome {
  later(time: Millis): Promise<void>;
}

export type MakeSharedHome = () => Promise<SharedHome>;

/** One of several servers. */
export class Server {
  readonly store: Store;
  readonly shared: SharedStore;
  epoch: Epoch;

  constructor(store: Store, epoch: Epoch) {
    assert.ok(store.shared !== undefined, 'the store can be shared');
    this.store = store;
    this.shared = store.shared;
    this.epoch = epoch;
  }

  async job(spec: Partial<JobSpec> = {}, progress: Partial<JobProgress> = {}): Promise<JobId> {
    const id = await this.store.nextJobId();
    await this.commit(aJob(id, spec, progress));
    return id;
  }

  commit(...writes: Write[]): Promise<readonly Write[]> {
    return this.store.commit(writes, this.epoch);
  }

  async pulse(facts = ''): Promise<Pulse & FarmRecord> {
    const pulse = await this.shared.pulse(this.epoch, facts);
    assert.ok(pulse.farm !== undefined);
    return { ...pulse, ...pulse.farm };
  }

  /** The same process begins anew: a new epoch, and what it held. */
  async again(): Promise<Recovered> {
    this.epoch = await this.store.start();
    return await this.store.recover(this.epoch);
  }

  /** What everybody sees. */
  async everything(): Promise<unknown> {
    const { jobs, servers, tokens } = await this.pulse();
    return { jobs, servers, tokens, listed: await this.store.listJobs({ limit: 99 }) };
  }
}

/** All servers of a test. */
export class Farm {
  readonly #home: SharedHome;
  readonly #stores: Store[] = [];

  constructor(home: SharedHome) {
    this.#home = home;
  }

  async join(): Promise<Server> {
    const store = await this.#home.open();
    this.#stores.push(store);
    return new Server(store, await store.start());
  }

  /** Dies without a word. */
  async crash(server: Server): Promise<void> {
    this.#stores.splice(this.#stores.indexOf(server.store), 1);
    await this.#home.crash(server.store);
  }

  later(time: Millis): Promise<void> {
    return this.#home.later(time);
  }

  /** Time passes, in which these servers pulse as they should, and others do not. */
  async steady(first: Server, time: Millis, ...others: Server[]): Promise<void> {
    const step = SERVER_LEASE / 2;
    for (let passed = 0; passed < time; passed += step) {
      await this.later(step);
      for (const server of [...others, first]) await server.pulse();
    }
  }

  async leave(): Promise<void> {
    for (const store of this.#stores) await store.close();
  }
}

export function sharedRule(title: string, makeHome: MakeSharedHome, act: (farm: Farm) => Promise<void>): void {
  test(title, async () => {
    const home = await makeHome();
    const farm = new Farm(home);
    try {
      await act(farm);
    } finally {
      await farm.leave();
      await home.remove();
    }
  });
}

/** The open tasks of a row. */
export function tasksOf(block: BlockRecord): number[] {
  return [...indexesOf(openTasks(block))];
}
