import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Epoch, JobId, TaskIndex } from '../../model/ids.ts';
import type { BlockRecord, JobProgress, JobSpec } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { type Store, StoreError } from '../../store/store.ts';
import { aJob, bytesOf, progressOf } from '../store-records.ts';

/** Where the data of a store lies. */
export interface StoreHome {
  /** Opens the data, the same each time; rejects with `locked` while it is open, unless several may share it. */
  open(): Promise<Store>;
  /** Ends a store as the death of its process would. */
  crash(store: Store): Promise<void>;
  /** Lets every commit find the disk full, or have room again. Absent: tested elsewhere. */
  full?(full: boolean): void;
  remove(): Promise<void>;
}

export type MakeHome = () => Promise<StoreHome>;

/** A started store and the shortest way to say things to it. */
export class Subject {
  readonly home: StoreHome;
  store: Store;
  epoch: Epoch;

  constructor(home: StoreHome, store: Store, epoch: Epoch) {
    this.home = home;
    this.store = store;
    this.epoch = epoch;
  }

  async commit(...writes: Write[]): Promise<void> {
    await this.store.commit(writes, this.epoch);
  }

  async job(spec: Partial<JobSpec> = {}, progress: Partial<JobProgress> = {}): Promise<JobId> {
    const id = await this.store.nextJobId();
    await this.commit(aJob(id, spec, progress));
    return id;
  }

  async progress(job: JobId, part: Partial<JobProgress>): Promise<void> {
    await this.commit({ kind: 'progress', job, progress: progressOf(part) });
  }

  /** Dies and comes back; a new epoch, nothing recovered yet. */
  async crash(): Promise<void> {
    await this.home.crash(this.store);
    await this.#open();
  }

  /** Comes back so that it is known to be the same server: of those that share their data only its own process can be (D21). */
  async comeBack(): Promise<void> {
    if (this.store.shared === undefined) await this.crash();
    else this.epoch = await this.store.start();
  }

  async restart(): Promise<void> {
    await this.store.close();
    await this.#open();
  }

  async #open(): Promise<void> {
    this.store = await this.home.open();
    this.epoch = await this.store.start();
  }
}

/** One test with a fresh, started store. */
export function rule(title: string, makeHome: MakeHome, act: (subject: Subject) => Promise<void>): void {
  test(title, async () => {
    const home = await makeHome();
    try {
      const store = await home.open();
      const subject = new Subject(home, store, await store.start());
      await act(subject);
      await subject.store.close();
    } finally {
      await home.remove();
    }
  });
}

export function inputsOf(job: JobId, first: TaskIndex, count: number, text = `inputs ${first}`): Write {
  return { kind: 'inputs', job, first, count, column: bytesOf(text) };
}

export function blockOf(job: JobId, first: TaskIndex, count: number, part: Partial<BlockRecord> = {}): BlockRecord {
  return { job, first, count, generation: 0, exceptions: [], epoch: 1, ...part };
}

export function aBlock(job: JobId, first: TaskIndex, count: number, part: Partial<BlockRecord> = {}): Write {
  return { kind: 'block', block: blockOf(job, first, count, part) };
}

export async function rejects(promise: Promise<unknown>, code: StoreError['code'], about: RegExp = /./): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof StoreError, `a StoreError, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, about);
    return true;
  });
}

export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}
