import { openTasks } from '../../model/bitmaps.ts';
import type { Epoch, JobId, Millis } from '../../model/ids.ts';
import { hasEnded } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { indexesOf } from '../../model/runs.ts';
import { SERVER_LEASE } from '../../model/server-limits.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import type { Change } from './watched-store.ts';
import type { World } from './world.ts';

/** Milliseconds after which another server must have found out, whose own pulses come all the time. */
const NOTICED = 2 * SERVER_LEASE + 3_000;
/** Milliseconds by which the store's clock and the world's may differ in that time. */
const CLOCKS = 10;

/**
 * Holds a store that several servers share to its rules: whose time is over changes nothing any more (S12), nobody's is while
 * it speaks and everybody's is once it has been silent for long (D18), and each task is in one row (D20).
 */
export class MemberObserver {
  readonly over = new Set<Epoch>();
  /** Those that began before the store failed over: whatever they know may not be so any more (D25). */
  readonly #before = new Set<Epoch>();
  readonly #world: World;
  /** When each server that is not over was heard last, and since when without a gap. */
  readonly #heard = new Map<Epoch, { at: Millis; since: Millis }>();

  #members = 0;

  constructor(world: World) {
    this.#world = world;
  }

  applied(change: Change, disk: MemoryDisk): void {
    if ('epoch' in change && this.over.has(change.epoch))
      this.#world.fail('S12', `a ${change.verb} of epoch ${change.epoch} took effect, whose time is over`);
    if ('epoch' in change && this.#before.has(change.epoch))
      this.#world.fail('D25', `a ${change.verb} of epoch ${change.epoch} took effect, which began before a failover`);
    this.#noteMembers(change, disk);
    // Nobody's rows change at a pulse, unless they are freed.
    const freed = disk.members.size < this.#members;
    this.#members = disk.members.size;
    for (const id of freed ? disk.jobs.keys() : touched(change, disk)) this.#checkRows(id, disk);
  }

  /** `over`: those that were in the copy which is the truth now. */
  failedOver(over: ReadonlySet<Epoch>, disk: MemoryDisk): void {
    const { now } = this.#world;
    for (const epoch of [...disk.members.keys(), ...this.#heard.keys(), ...this.over]) this.#before.add(epoch);
    this.over.clear();
    for (const epoch of over) this.over.add(epoch);
    this.#heard.clear();
    for (const [epoch, { overAt }] of disk.members)
      if (overAt === undefined) this.#heard.set(epoch, { at: now, since: now });
    this.#members = disk.members.size;
  }

  /** A server said goodbye. */
  left(disk: MemoryDisk): void {
    for (const epoch of [...this.#heard.keys()]) {
      if (disk.members.get(epoch)?.overAt === undefined) continue;
      this.#heard.delete(epoch);
      this.over.add(epoch);
    }
  }

  #noteMembers(change: Change, disk: MemoryDisk): void {
    const { now } = this.#world;
    for (const [epoch, { overAt }] of disk.members) {
      if (overAt === undefined && !this.#heard.has(epoch)) this.#heard.set(epoch, { at: now, since: now });
    }
    for (const epoch of [...this.#heard.keys()]) {
      const member = disk.members.get(epoch);
      if (member !== undefined && member.overAt === undefined) continue;
      if (change.verb === 'pulse') this.#ended(epoch, change.epoch);
      this.#heard.delete(epoch);
      this.over.add(epoch);
    }
    if (change.verb !== 'pulse') return;
    const me = this.#heard.get(change.epoch);
    if (me === undefined) return;
    if (now - me.at > SERVER_LEASE) me.since = now;
    me.at = now;
    if (now - me.since > NOTICED) this.#checkSilence(now);
  }

  #ended(epoch: Epoch, by: Epoch): void {
    this.#world.sometimes('a server was said to be over');
    const silence = this.#world.now - (this.#heard.get(epoch)?.at ?? 0);
    if (silence < SERVER_LEASE - CLOCKS)
      this.#world.fail('D18', `epoch ${by} ended epoch ${epoch}, which had been silent for ${Math.round(silence)} ms`);
  }

  #checkSilence(now: Millis): void {
    for (const [epoch, { at }] of this.#heard) {
      if (now - at > NOTICED)
        this.#world.fail('L2', `epoch ${epoch} has been silent for ${Math.round(now - at)} ms, and counts as alive`);
    }
  }

  /** D20: what has not ended is in one row, or has never been claimed. */
  #checkRows(id: JobId, disk: MemoryDisk): void {
    const job = disk.jobs.get(id);
    if (job === undefined) return;
    const { progress, spec } = job;
    const seen = new Set<number>();
    for (const row of job.blocks.values()) {
      if (row.epoch !== 0 && !disk.members.has(row.epoch))
        this.#world.fail('D21', `rows of job ${id} are held by epoch ${row.epoch}, which is gone`);
      for (const index of indexesOf(openTasks(row))) {
        if (seen.has(index)) this.#world.fail('D20', `task ${id}/${index} is in two rows`);
        seen.add(index);
      }
    }
    if (hasEnded(progress.state)) {
      if (seen.size > 0) this.#world.fail('D19', `job ${id} is ${progress.state} and has rows`);
      return;
    }
    const unclaimed = (spec.range?.count ?? job.inputsEnd) - job.claimedTo;
    const left = progress.total - progress.done - progress.failed - progress.cancelled;
    if (seen.size + unclaimed !== left)
      this.#world.fail('D20', `of ${left} open tasks of job ${id} ${seen.size} are in rows and ${unclaimed} unclaimed`);
  }
}

/** Jobs whose rows it may have changed. */
function touched(change: Change, disk: MemoryDisk): Iterable<JobId> {
  if (change.verb === 'commit') return new Set(change.writes.flatMap(jobsOf));
  if (change.verb === 'claim' || change.verb === 'reopen') return [change.job];
  return change.verb === 'takeOver' || change.verb === 'recover' ? disk.jobs.keys() : [];
}

/** Jobs of which there must be one for the write. */
export function jobsOf(write: Write): JobId[] {
  switch (write.kind) {
    case 'segment':
      return [write.segment.job];
    case 'block':
    case 'blockFreed':
    case 'handedOver':
      return [write.block.job];
    case 'lease':
      return [write.lease.job];
    case 'attempt':
      return [write.attempt.job];
    case 'leaseEnded':
    case 'log':
    case 'token':
      return [];
    default:
      return [write.job];
  }
}
