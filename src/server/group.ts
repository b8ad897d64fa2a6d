import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, LeaseId } from '../model/ids.ts';
import { ROW_BYTES } from '../model/limits.ts';
import { joinChanges } from '../model/progress.ts';
import { jobOf, type SchedulerWrite, type Write } from '../model/records.ts';
import { readColumn, selectColumn } from '../protocol/column.ts';
import type { Change, Command } from '../scheduler/commands.ts';
import type { Event } from '../scheduler/events.ts';
import type { InputCache } from './input-cache.ts';
import { segmentColumn } from './segment-column.ts';

/** A command that acts on the world: all but writes, which the loop itself commits first. */
export type Effect = Exclude<Command, { kind: 'write' }>;

/** Something of the shell's own that must happen between the effects before and those after it. */
interface Turn {
  readonly kind: 'turn';
  readonly run: () => void;
}

/** What many events brought: it is committed together, and what is to be done about it leaves then. */
export class Group {
  readonly writes: Write[] = [];
  readonly effects: (Effect | Turn)[] = [];
  readonly waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  bytes = 0;
  readonly #inputs: InputCache;
  /** Where in `writes` the row of a job's progress or of a block stands, so that a later one replaces it. */
  readonly #rows = new Map<string, number>();

  constructor(inputs: InputCache) {
    this.#inputs = inputs;
  }

  /** What the scheduler decided on an event, whose bytes are `column`. */
  take(commands: readonly Command[], event: Event, column: PackedColumn | undefined): void {
    let brought: Write | undefined;
    for (const command of commands) {
      if (command.kind !== 'write') {
        this.effects.push(command);
        continue;
      }
      const { write } = command;
      if (write.kind === 'inputs' || write.kind === 'segment') {
        const whole = withBytes(write, event, column);
        if (whole.kind === 'inputs') brought = whole;
        this.add(whole);
      } else if (write.kind === 'progress') this.#progressed(write);
      else if (write.kind === 'block') {
        const { job, first } = write.block;
        // A block that is claimed at once need not be read back.
        if (brought?.kind === 'inputs' && brought.job === job && brought.first === first)
          this.#inputs.put(job, first, brought.column);
        this.#replace(`block ${job}/${first}`, write);
      } else {
        // A later block row of the same name would be a new life of it: it must not take the place of an older one.
        if (write.kind === 'blockEnded' && write.part === undefined)
          this.#rows.delete(`block ${write.job}/${write.first}`);
        this.add(write);
      }
    }
  }

  add(write: Write): void {
    this.writes.push(write);
    this.bytes += ROW_BYTES + payloadOf(write);
  }

  /**
   * Other servers ended these jobs meanwhile: nothing of them is written, and nothing is said that would not be true then. False: it cannot
   * be divided, since somebody waits for an answer that would be another. Returns the leases of which something was left out.
   */
  leaveOut(jobs: ReadonlySet<JobId>): ReadonlySet<LeaseId> | false {
    // Logs may come late (D14).
    const isOf = (write: Write): boolean => write.kind !== 'log' && jobs.has(jobOf(write) ?? 0);
    const out = this.writes.filter(isOf);
    if (out.some(({ kind }) => kind === 'inputs' || kind === 'job' || kind === 'idempotency')) return false;
    const leases = new Set(out.flatMap((write) => leaseOf(write) ?? []));
    const kept = this.writes.filter((write) => !isOf(write));
    this.writes.splice(0, this.writes.length, ...kept);
    const effects = this.effects.flatMap((effect): (Effect | Turn)[] => {
      const isTold =
        effect.kind === 'grant' ? jobs.has(effect.job) : effect.kind === 'publish' && isAbout(effect.change, jobs);
      return isTold ? [] : [effect];
    });
    this.effects.splice(0, this.effects.length, ...effects);
    this.unsay(leases);
    return leases;
  }

  /** What was to be acknowledged of these leases is not on disk, and never will be. */
  unsay(leases: ReadonlySet<LeaseId>): void {
    for (const [at, effect] of this.effects.entries())
      if (effect.kind === 'ack' && effect.verdict !== 'unknown' && leases.has(effect.lease))
        this.effects[at] = { ...effect, verdict: 'superseded' };
  }

  /** The newest row stands for the others, and what changed since the group began for each of their changes. */
  #progressed(write: Extract<Write, { kind: 'progress' }>): void {
    const row = `progress ${write.job}`;
    const before = this.writes[this.#rows.get(row) ?? -1];
    const change =
      before?.kind === 'progress' && before.change !== undefined && write.change !== undefined
        ? joinChanges(before.change, write.change)
        : write.change;
    this.#replace(row, change === undefined ? write : { ...write, change });
  }

  #replace(row: string, write: Write): void {
    const at = this.#rows.get(row);
    if (at !== undefined) {
      this.writes[at] = write;
    } else {
      this.#rows.set(row, this.writes.length);
      this.add(write);
    }
  }
}

function isAbout(change: Change, jobs: ReadonlySet<JobId>): boolean {
  return 'job' in change && jobs.has(change.job);
}

function leaseOf(write: Write): LeaseId | undefined {
  if (write.kind === 'segment') return write.segment.lease;
  if (write.kind === 'attempt') return write.attempt.lease;
  return write.kind === 'lease' ? write.lease.lease : undefined;
}

function withBytes(
  write: Extract<SchedulerWrite, { kind: 'inputs' | 'segment' }>,
  event: Event,
  column: PackedColumn | undefined,
): Extract<Write, { kind: 'inputs' | 'segment' }> {
  if (write.kind === 'segment') {
    const { segment, made } = write;
    return { kind: 'segment', segment, column: segmentColumn(segment, made, event, column) };
  }
  if (column === undefined) throw new Error('inputs without bytes');
  const { at, ...inputs } = write;
  return { ...inputs, column: at === undefined ? column : selectColumn(readColumn(column), at) };
}

/** Bytes of a row that its kind does not bound. */
function payloadOf(write: Write): number {
  switch (write.kind) {
    case 'inputs':
    case 'segment':
      return write.column.length;
    case 'log':
      return write.log.text.length;
    case 'attempt':
      return write.attempt.message.length;
    default:
      return 0;
  }
}

/** Whether something new came of it: a job, inputs, outcomes. Else there may not even be such a job (D14). */
export function brings(commands: readonly Command[], event: Event): boolean {
  if (!('job' in event)) return false;
  return commands.some((command) => {
    if (command.kind !== 'write') return false;
    const { write } = command;
    if (write.kind === 'segment') return write.segment.job === event.job;
    return (write.kind === 'job' || write.kind === 'inputs') && write.job === event.job;
  });
}
