import type { Epoch, JobId, LeaseId, Millis } from '../../model/ids.ts';
import { type BlockRecord, hasEnded, type LeaseRecord } from '../../model/job.ts';
import { EPOCHS_AHEAD, HUNGER_TIME, JOBS_AHEAD, SERVER_LEASE, TAKEOVER_GRACE } from '../../model/server-limits.ts';
import { copyBlock } from '../copies.ts';
import { splitBlock } from '../parts.ts';
import { rangeBlockCount } from '../reopen.ts';
import {
  type ClaimedBlock,
  type FarmRecord,
  type Pulse,
  type Recovered,
  type SharedStore,
  StoreError,
  type TakenOver,
} from '../store.ts';
import { inIndexOrder, type MemoryDisk, type StoredJob, type StoredMember } from './memory-disk.ts';

type Change = <Value>(change: (disk: MemoryDisk) => Value) => Promise<Value>;

/** One of several servers that have the same memory open (D18 to D27). */
export class MemoryMember implements SharedStore {
  readonly #disk: MemoryDisk;
  readonly #change: Change;
  /** Those that this process had, the current one last, and in which copy of the data each began. */
  readonly #epochs: Epoch[] = [];
  readonly #timelines = new Map<Epoch, number>();
  onHint: () => void = () => {};

  constructor(disk: MemoryDisk, change: Change) {
    this.#disk = disk;
    this.#change = change;
    disk.hinted.set(this, () => this.onHint());
  }

  /** A new epoch; what this process was before is over. Whoever is the first after a failover leaves numbers out (D25). */
  join(): void {
    const disk = this.#disk;
    // That others have begun since may be lost again.
    const forks = disk.timeline - disk.knownTimeline;
    disk.epoch = Math.max(disk.epoch, ...this.#epochs) + Math.max(1, forks * EPOCHS_AHEAD);
    disk.nextJob += forks * JOBS_AHEAD;
    disk.history += forks;
    disk.knownTimeline = disk.timeline;
    this.#enter(disk.epoch);
  }

  #enter(epoch: Epoch): void {
    const now = this.#now();
    const before = this.#disk.members.get(this.#epochs.at(-1) ?? 0);
    // The process is as steady as it was, if nobody had to miss it.
    const isIn = before !== undefined && before.overAt === undefined && before.timeline === this.#disk.timeline;
    const steady = isIn && before.aliveUntil >= now;
    const steadySince = steady ? before.steadySince : now;
    for (const epoch of this.#epochs) this.#end(epoch, now);
    this.#epochs.push(epoch);
    this.#timelines.set(epoch, this.#disk.timeline);
    this.#disk.members.set(epoch, {
      facts: '',
      timeline: this.#disk.timeline,
      since: now,
      aliveUntil: now + SERVER_LEASE,
      steadySince,
      orders: [],
    });
  }

  fence(epoch: Epoch): StoredMember {
    const member = this.#disk.members.get(epoch);
    const { timeline } = this.#disk;
    if ((member?.timeline ?? this.#timelines.get(epoch) ?? timeline) !== timeline) throw rewound();
    if (member !== undefined && member.overAt === undefined) return member;
    throw new StoreError('fenced', `epoch ${epoch} is over: other servers have taken what it held`);
  }

  /** What is read of the data stands beside what was read before, which may be lost (D25). */
  checkHistory(history: number): void {
    const { history: current, timeline, knownTimeline } = this.#disk;
    if (history !== current || timeline !== knownTimeline) throw rewound();
  }

  /** What this process held before. */
  recover(
    open: readonly (readonly [JobId, StoredJob])[],
    epoch: Epoch,
  ): Pick<Recovered, 'blocks' | 'leases' | 'history'> {
    const blocks: BlockRecord[] = [];
    const leases: LeaseRecord[] = [];
    const mine = (of: Epoch | undefined): boolean => of !== undefined && this.#epochs.includes(of);
    for (const [id, job] of open) {
      for (const block of inIndexOrder(job.blocks)) {
        if (!mine(block.epoch)) continue;
        const moved = { ...block, epoch };
        job.blocks.delete(this.#disk.rowOf(block));
        job.blocks.set(this.#disk.rowOf(moved), moved);
        blocks.push(copyBlock(moved));
      }
      for (const lease of this.#disk.leases.values()) {
        if (lease.job !== id || !mine(this.#disk.holders.get(lease.lease))) continue;
        this.#disk.holders.set(lease.lease, epoch);
        leases.push(lease);
      }
    }
    const { history } = this.#disk;
    return { blocks, leases: leases.sort((a, b) => a.lease - b.lease), ...(history > 0 && { history }) };
  }

  pulse(epoch: Epoch, facts?: string): Promise<Pulse> {
    return this.#change((disk) => {
      const me = this.fence(epoch);
      const now = this.#now();
      if (facts === undefined) return { jobs: this.#jobs(epoch, now), orders: me.orders.splice(0) };
      if (me.aliveUntil < now) me.steadySince = now;
      me.aliveUntil = now + SERVER_LEASE;
      me.facts = facts;
      if (me.steadySince + SERVER_LEASE <= now)
        for (const [other, { aliveUntil }] of disk.members) if (aliveUntil < now) this.#end(other, now);
      for (const [other, { overAt }] of [...disk.members])
        if (overAt !== undefined && overAt + TAKEOVER_GRACE <= now) this.#free(other);
      return { jobs: this.#jobs(epoch, now), orders: me.orders.splice(0), farm: this.#farm() };
    });
  }

  order(to: Epoch, text: string): Promise<boolean> {
    return this.#change(({ members }) => {
      const member = members.get(to);
      if (member === undefined || member.overAt !== undefined) return false;
      member.orders.push(text);
      return true;
    });
  }

  takeOver(leases: readonly LeaseId[], epoch: Epoch): Promise<TakenOver> {
    return this.#change((disk) => {
      this.fence(epoch);
      const taken: TakenOver & {
        blocks: ClaimedBlock[];
        leases: LeaseRecord[];
        held: { lease: LeaseId; holder: Epoch }[];
      } = {
        blocks: [],
        leases: [],
        held: [],
      };
      for (const id of leases) {
        const lease = disk.leases.get(id);
        const holder = disk.holders.get(id);
        if (lease === undefined || holder === undefined || holder === epoch) continue;
        if (disk.members.get(holder)?.overAt === undefined) {
          taken.held.push({ lease: id, holder });
          continue;
        }
        taken.leases.push(lease);
        disk.holders.set(id, epoch);
        taken.blocks.push(...this.#take(lease, holder, epoch));
      }
      return taken;
    });
  }

  hint(): void {
    for (const [member, hear] of this.#disk.hinted) if (member !== this) queueMicrotask(hear);
  }

  hungry(job: JobId, epoch: Epoch): void {
    const at = this.#disk.hunger.get(job) ?? new Map<Epoch, Millis>();
    this.#disk.hunger.set(job, at.set(epoch, this.#now()));
  }

  /** The process says goodbye. */
  close(): void {
    for (const epoch of this.#epochs) this.#end(epoch, this.#now());
    this.leave();
  }

  /** It hears nothing any more. */
  leave(): void {
    this.#disk.hinted.delete(this);
  }

  #now(): Millis {
    return this.#disk.clock?.() ?? 0;
  }

  #end(epoch: Epoch, now: Millis): void {
    const member = this.#disk.members.get(epoch);
    if (member !== undefined) member.overAt ??= now;
  }

  /** Nobody came for it. */
  #free(epoch: Epoch): void {
    const disk = this.#disk;
    for (const job of disk.jobs.values()) {
      for (const block of inIndexOrder(job.blocks)) {
        if (block.epoch !== epoch) continue;
        const freed = { ...block, epoch: 0, part: block.part ?? disk.nextPart++ };
        job.blocks.delete(disk.rowOf(block));
        job.blocks.set(disk.rowOf(freed), freed);
      }
    }
    for (const [lease, holder] of [...disk.holders]) {
      if (holder !== epoch) continue;
      disk.holders.delete(lease);
      disk.leases.delete(lease);
    }
    disk.members.delete(epoch);
  }

  #take(lease: LeaseRecord, holder: Epoch, epoch: Epoch): ClaimedBlock[] {
    const disk = this.#disk;
    const job = disk.jobs.get(lease.job);
    const taken: ClaimedBlock[] = [];
    for (const block of job === undefined ? [] : inIndexOrder(job.blocks)) {
      if (block.epoch !== holder || block.first !== lease.block) continue;
      const parts = splitBlock(block, lease.runs);
      if (parts.taken === undefined) continue;
      if (parts.rest === undefined) job?.blocks.delete(disk.rowOf(block));
      else job?.blocks.set(disk.rowOf(block), { ...block, ...parts.rest });
      const part = { ...parts.taken, epoch, part: disk.nextPart++ };
      job?.blocks.set(disk.rowOf(part), part);
      const inputs = job?.inputs.get(block.first)?.column.slice();
      taken.push(inputs === undefined ? { block: copyBlock(part) } : { block: copyBlock(part), inputs });
    }
    return taken;
  }

  #jobs(epoch: Epoch, now: Millis): Pulse['jobs'] {
    const { jobs, members, hunger } = this.#disk;
    const open = [...jobs].filter(([, job]) => !hasEnded(job.progress.state)).sort(([a], [b]) => a - b);
    const lives = (of: Epoch): boolean => members.has(of) && members.get(of)?.overAt === undefined;
    return open.map(([id, job]) => ({
      id,
      progress: job.progress,
      claimable: isClaimable(job),
      wanted: [...(hunger.get(id) ?? [])].some(([of, at]) => of !== epoch && at > now - HUNGER_TIME && lives(of)),
    }));
  }

  #farm(): FarmRecord {
    const { members, tokenWrites } = this.#disk;
    return {
      servers: [...members]
        .filter(([, { overAt }]) => overAt === undefined)
        .map(([of, { facts, since }]) => ({ epoch: of, facts, since })),
      tokens: tokenWrites,
    };
  }
}

export function rewound(): StoreError {
  return new StoreError('rewound', 'a copy has taken the place of the data: what was written last may be lost');
}

function isClaimable(job: StoredJob): boolean {
  if ([...job.blocks.values()].some(({ epoch }) => epoch === 0)) return true;
  const { range } = job.spec;
  return range === undefined ? job.inputs.has(job.claimedTo) : rangeBlockCount(range, job.claimedTo) > 0;
}
