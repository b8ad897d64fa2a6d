import assert from 'node:assert/strict';
import { leaseId } from '../../model/ids.ts';
import type { BlockRecord, LeaseRecord } from '../../model/job.ts';
import { indexesOf } from '../../model/runs.ts';
import type { Random } from '../simulation/random.ts';
import { aSegment } from '../store-records.ts';
import { handsOver } from './hand-overs.ts';
import { absorbs, gives, rowOf } from './parts.ts';
import { type Server, tasksOf } from './servers.ts';

/** What a server that makes no mistake knows of the one job there is: its own rows, and the parts it has yet to absorb. */
export class Holdings {
  readonly server: Server;
  readonly job: number;
  /** Open tasks of its own rows, by block. */
  readonly own = new Map<number, { block: BlockRecord; tasks: Set<number> }>();
  parts: BlockRecord[] = [];
  readonly leases = new Map<number, LeaseRecord>();
  #lease = 0;

  constructor(server: Server, job: number) {
    this.server = server;
    this.job = job;
  }

  async claim(max: number): Promise<void> {
    const { server, job } = this;
    for (const { block } of await server.store.claim(job, max, server.epoch)) this.#gets(block);
  }

  async absorb(): Promise<void> {
    const part = this.parts.shift();
    if (part === undefined) return;
    const tasks = this.own.get(part.first)?.tasks ?? new Set<number>();
    await this.server.commit(...absorbs(this.server, part, [...tasks]));
    this.#owns(part, [...tasks, ...tasksOf(part)]);
  }

  /** Some tasks end; returns them. */
  async end(random: Random): Promise<number[]> {
    const row = this.#draw(random);
    if (row === undefined) return [];
    const { block, tasks } = row;
    const ended = [...tasks].filter(() => random.chance(0.5));
    const runs = ended.map((start) => ({ start, count: 1 }));
    const left = [...tasks].filter((task) => !ended.includes(task));
    const segment = { ...aSegment(this.job, 1, block.first, 0, { runs, block: block.first }) };
    await this.server.commit(
      ...(ended.length === 0 ? [] : [segment]),
      left.length === 0
        ? { kind: 'blockEnded', job: this.job, first: block.first }
        : { kind: 'block', block: rowOf(this.server, block, left) },
    );
    this.#owns(block, left);
    return ended;
  }

  async give(random: Random): Promise<void> {
    const row = this.#draw(random);
    if (row === undefined) return;
    const kept = [...row.tasks].filter(() => random.chance(0.5));
    const given = [...row.tasks].filter((task) => !kept.includes(task));
    if (given.length === 0) return;
    await this.server.commit(...gives(this.server, row.block, kept, given));
    this.#owns(row.block, kept);
  }

  async grant(random: Random): Promise<void> {
    const row = this.#draw(random);
    if (row === undefined) return;
    const runs = [...row.tasks].filter(() => random.chance(0.5)).map((start) => ({ start, count: 1 }));
    if (runs.length === 0) return;
    const lease: LeaseRecord = {
      lease: leaseId(this.server.epoch, ++this.#lease),
      worker: 'worker-0001',
      job: this.job,
      block: row.block.first,
      runs,
      grantedAt: 1,
    };
    await this.server.commit({ kind: 'lease', lease });
    this.leases.set(lease.lease, lease);
  }

  /** Gives up a lease, whose worker is elsewhere, with what is open of it. Returns its number. */
  async handOver(random: Random): Promise<number | undefined> {
    if (this.leases.size === 0) return undefined;
    const lease = random.pick([...this.leases.values()]);
    const row = this.own.get(lease.block);
    const given = [...indexesOf(lease.runs)].filter((task) => row?.tasks.has(task));
    if (row === undefined || given.length === 0) return undefined;
    const kept = [...row.tasks].filter((task) => !given.includes(task));
    await this.server.commit(...handsOver(this.server, row.block, kept, lease.lease, given));
    this.#owns(row.block, kept);
    this.leases.delete(lease.lease);
    return lease.lease;
  }

  /** The workers of others come here. Returns the tasks that came with them. */
  async takeOver(leases: readonly number[]): Promise<number[]> {
    const taken = await this.server.shared.takeOver(leases, this.server.epoch);
    for (const { block } of taken.blocks) this.#gets(block);
    for (const lease of taken.leases) this.leases.set(lease.lease, lease);
    for (const { block } of taken.blocks) {
      const runs = taken.leases.filter((lease) => lease.block === block.first).flatMap((lease) => lease.runs);
      for (const task of tasksOf(block))
        assert.ok([...indexesOf(runs)].includes(task), `task ${task} was not asked for`);
    }
    return taken.blocks.flatMap(({ block }) => tasksOf(block));
  }

  /** Begins anew, and must find what it had. */
  async again(): Promise<void> {
    const before = this.#summary();
    const { blocks, leases } = await this.server.again();
    this.own.clear();
    this.parts = [];
    for (const block of blocks) {
      if (block.part === undefined) this.#owns(block, tasksOf(block));
      else this.parts.push(block);
    }
    assert.deepEqual(this.#summary(), before);
    assert.deepEqual(
      leases.map(({ lease }) => lease),
      [...this.leases.keys()].sort((a, b) => a - b),
    );
    this.#lease = 0;
  }

  open(): number[] {
    return [...[...this.own.values()].flatMap(({ tasks }) => [...tasks]), ...this.parts.flatMap(tasksOf)];
  }

  #summary(): unknown {
    const byFirst = (a: readonly unknown[], b: readonly unknown[]): number => (String(a) < String(b) ? -1 : 1);
    return {
      own: [...this.own].map(([first, { tasks }]) => [first, ...[...tasks].sort((a, b) => a - b)]).sort(byFirst),
      parts: this.parts.map((part) => [part.first, part.part, ...tasksOf(part)]).sort(byFirst),
    };
  }

  #gets(block: BlockRecord): void {
    if (block.part !== undefined) this.parts.push(block);
    else {
      assert.ok(!this.own.has(block.first), 'a block is new once');
      this.#owns(block, tasksOf(block));
    }
  }

  #owns(block: BlockRecord, tasks: readonly number[]): void {
    if (tasks.length === 0) this.own.delete(block.first);
    else this.own.set(block.first, { block, tasks: new Set(tasks) });
  }

  #draw(random: Random): { block: BlockRecord; tasks: Set<number> } | undefined {
    return this.own.size === 0 ? undefined : random.pick([...this.own.values()]);
  }
}
