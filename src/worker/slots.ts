import type { LeaseId, Millis } from '../model/ids.ts';
import { RESPAWN_DELAY, RESPAWN_DELAY_MAX, REVOKE_GRACE } from '../model/limits.ts';
import { LOAD_GRACE } from '../model/python-limits.ts';
import type { Run } from '../model/runs.ts';
import { intersectRuns, subtractRuns } from '../model/runs.ts';
import { chunkTime, type KnownJob } from './job-book.ts';
import type { Piece } from './pieces.ts';
import { runsOfPiece } from './pieces.ts';
import type { SessionEffect, SessionOptions } from './session-io.ts';

/** A chunk that was handed to a slot. */
export interface Running {
  readonly id: number;
  /** Changes only when it is cut. */
  piece: Piece;
  readonly job: KnownJob;
  /** When it became the first of its slot and all it needs was there; Infinity: it still waits for that. */
  since: Millis;
  /** Its slot loads what others will use too. */
  loading: boolean;
  revoked: readonly Run[];
  /** When its process is killed, if it has not heeded its signal by then. */
  killAt: Millis | undefined;
}

export interface Slot {
  readonly number: number;
  /** `down`: its process is started again at `startAt`. */
  state: 'starting' | 'ready' | 'down';
  startAt: Millis;
  /** The first runs, the second waits in the process. */
  chunks: Running[];
  /** The session is killing it, because of this chunk. */
  killed: { readonly chunk: number; readonly why: 'timeout' | 'revoked' } | undefined;
  /** Deaths since anything was finished. */
  deaths: number;
  /** The worker has fewer slots now: it ends what it runs, and then itself. */
  retired: boolean;
}

interface Deadline {
  readonly chunk: number;
  readonly at: Millis;
  readonly why: 'timeout' | 'revoked';
}

/** The places where tasks run: their processes' lives, their time limits, and what fits beside what runs. */
export class Slots {
  readonly #slots: Slot[];
  readonly #options: SessionOptions;
  readonly #emit: (effect: SessionEffect) => void;
  #wanted: number;
  #closed = false;

  constructor(options: SessionOptions, emit: (effect: SessionEffect) => void) {
    this.#options = options;
    this.#emit = emit;
    this.#wanted = options.slots;
    this.#slots = Array.from({ length: options.slots }, (_, number) => newSlot(number));
  }

  start(): void {
    for (const { number } of this.#slots) this.#emit({ kind: 'startSlot', slot: number });
  }

  close(): void {
    this.#closed = true;
  }

  /** More or fewer from now on. What runs on those that are too many goes on to its end. */
  resize(wanted: number): void {
    this.#wanted = wanted;
    for (const slot of this.#slots) {
      const retired = slot.number >= wanted;
      if (slot.retired === retired) continue;
      slot.retired = retired;
      if (retired) this.#endIfRetired(slot);
      else if (slot.state === 'down') this.#restart(slot);
    }
    while (this.#slots.length < wanted) {
      const slot = newSlot(this.#slots.length);
      this.#slots.push(slot);
      this.#emit({ kind: 'startSlot', slot: slot.number });
    }
  }

  #restart(slot: Slot): void {
    slot.state = 'starting';
    slot.deaths = 0;
    this.#emit({ kind: 'startSlot', slot: slot.number });
  }

  #endIfRetired(slot: Slot): void {
    if (!slot.retired || slot.chunks.length > 0 || slot.state === 'down' || slot.killed !== undefined) return;
    // Nothing is given to it until it is dead, even if it is wanted again by then.
    slot.killed = { chunk: 0, why: 'revoked' };
    this.#emit({ kind: 'killSlot', slot: slot.number });
  }

  get(number: number): Slot | undefined {
    return this.#slots[number];
  }

  get running(): boolean {
    return this.#slots.some(({ chunks }) => chunks.length > 0);
  }

  free(): Slot[] {
    return this.#slots.filter(
      ({ state, chunks, killed, retired }) => state === 'ready' && chunks.length === 0 && !killed && !retired,
    );
  }

  busyWithOne(): Slot[] {
    return this.#slots.filter(
      ({ state, chunks, killed, retired }) => state === 'ready' && chunks.length === 1 && !killed && !retired,
    );
  }

  *chunks(): Generator<Running> {
    for (const { chunks } of this.#slots) yield* chunks;
  }

  runsLease(lease: LeaseId): boolean {
    return this.#slots.some(({ chunks }) => chunks.some(({ piece }) => piece.grant.lease === lease));
  }

  /** Whether one more task fits beside what runs: CPUs, named resources and memory (R18). */
  hasRoomFor({ facts }: KnownJob): boolean {
    if (facts.cpus === 1 && facts.memory === undefined && isEmpty(facts.resources)) {
      // The usual job: it needs a free slot, and bigger ones must not be using that already.
      return this.#sum((job) => job.facts.cpus) + 1 <= this.#wanted;
    }
    const fits = (has: number, each: (job: KnownJob['facts']) => number): boolean =>
      this.#sum((job) => each(job.facts)) + each(facts) <= has;
    if (!fits(this.#wanted, (job) => job.cpus)) return false;
    if (!fits(this.#options.memory ?? Infinity, (job) => job.memory ?? 0)) return false;
    return Object.keys(facts.resources).every((name) =>
      fits(this.#options.resources[name] ?? 0, (job) => job.resources[name] ?? 0),
    );
  }

  #sum(each: (job: KnownJob) => number): number {
    let sum = 0;
    for (const { chunks } of this.#slots) if (chunks[0] !== undefined) sum += each(chunks[0].job);
    return sum;
  }

  ready(slot: Slot): void {
    slot.state = 'ready';
  }

  started(slot: Slot, chunk: number, now: Millis): void {
    const running = slot.chunks.find(({ id }) => id === chunk);
    if (running === undefined) return;
    running.since = now;
    // It was spared while it was loading; what runs now is nothing but itself.
    if (running.loading && running.killAt !== undefined) running.killAt = now + REVOKE_GRACE;
    running.loading = false;
  }

  loading(slot: Slot, chunk: number, now: Millis): void {
    const running = slot.chunks.find(({ id }) => id === chunk);
    if (running === undefined) return;
    running.since = Infinity;
    running.loading = true;
    if (running.killAt !== undefined) running.killAt = now + LOAD_GRACE;
  }

  /** The first chunk is over; the one behind it runs now. */
  finished(slot: Slot, now: Millis): void {
    slot.chunks.shift();
    slot.deaths = 0;
    const [next] = slot.chunks;
    if (next !== undefined && next.since !== Infinity) next.since = now;
    this.#endIfRetired(slot);
  }

  /** Only its task that runs is left of a chunk; it may be one that nobody wants. */
  cut(slot: Slot, running: Running, piece: Piece, now: Millis): void {
    running.piece = piece;
    running.since = now;
    if (running.killAt !== undefined || subtractRuns(runsOfPiece(piece), running.revoked).length > 0) return;
    this.#emit({ kind: 'abortChunk', slot: slot.number, chunk: running.id });
    running.killAt = now + REVOKE_GRACE;
  }

  /** A chunk of it is not here any more, wherever it stood. */
  returned(slot: Slot, running: Running, now: Millis): void {
    if (slot.chunks[0] === running) return this.finished(slot, now);
    slot.chunks = slot.chunks.filter((each) => each !== running);
  }

  /** Its process is gone. One that has been of use is replaced at once, one that keeps dying later and later. */
  died(slot: Slot, now: Millis): void {
    // A runner of commands reports what became of them before it tells of the death that it was asked for.
    const idle = slot.chunks.length === 0 && slot.killed === undefined;
    slot.chunks = [];
    slot.killed = undefined;
    slot.deaths = idle ? slot.deaths + 1 : 0;
    if (this.#closed || slot.retired) {
      slot.state = 'down';
      slot.startAt = Infinity;
    } else if (slot.deaths === 0) {
      slot.state = 'starting';
      this.#emit({ kind: 'startSlot', slot: slot.number });
    } else {
      slot.state = 'down';
      slot.startAt = now + Math.min(RESPAWN_DELAY * 2 ** (slot.deaths - 1), RESPAWN_DELAY_MAX);
    }
  }

  revoke(lease: LeaseId, runs: readonly Run[], now: Millis): void {
    for (const slot of this.#slots) {
      slot.chunks.forEach((running, place) => {
        if (running.piece.grant.lease !== lease) return;
        const unwanted = intersectRuns(subtractRuns(runsOfPiece(running.piece), running.revoked), runs);
        if (unwanted.length === 0) return;
        running.revoked = [...running.revoked, ...unwanted].sort((a, b) => a.start - b.start);
        // Where some of it is still wanted it goes on: it is short, or has one long task that may be the wanted one.
        if (subtractRuns(runsOfPiece(running.piece), running.revoked).length > 0) return;
        if (place === 0) this.#emit({ kind: 'abortChunk', slot: slot.number, chunk: running.id });
        running.killAt = now + (running.loading ? LOAD_GRACE : REVOKE_GRACE);
      });
    }
  }

  tick(now: Millis): void {
    for (const slot of this.#slots) {
      if (slot.state === 'down' && slot.startAt <= now && !this.#closed && !slot.retired) {
        slot.state = 'starting';
        this.#emit({ kind: 'startSlot', slot: slot.number });
      }
      const end = this.#endOf(slot);
      if (end === undefined || end.at > now) continue;
      slot.killed = { chunk: end.chunk, why: end.why };
      this.#emit({ kind: 'killSlot', slot: slot.number });
    }
  }

  wakeAt(): Millis | undefined {
    let earliest = Infinity;
    for (const slot of this.#slots) {
      if (slot.state === 'down' && !slot.retired) earliest = Math.min(earliest, slot.startAt);
      const end = this.#endOf(slot);
      if (end !== undefined) earliest = Math.min(earliest, end.at);
    }
    return earliest === Infinity ? undefined : earliest;
  }

  /** When the slot's process must be killed, and why. */
  #endOf({ state, chunks, killed }: Slot): Deadline | undefined {
    const [first] = chunks;
    if (first === undefined || killed !== undefined || state !== 'ready') return undefined;
    const { timeout } = first.job.facts;
    // Several tasks report together, so that their last one may have begun that much later.
    const slack = first.piece.to - first.piece.from > 1 ? chunkTime(first.job.facts) : 0;
    const limit = timeout === undefined ? Infinity : first.since + timeout + slack;
    const revoked = first.killAt ?? Infinity;
    if (limit === Infinity && revoked === Infinity) return undefined;
    const chunk = first.id;
    return revoked <= limit ? { chunk, at: revoked, why: 'revoked' } : { chunk, at: limit, why: 'timeout' };
  }
}

export function newRunning(id: number, piece: Piece, job: KnownJob, since: Millis): Running {
  return { id, piece, job, since, loading: false, revoked: [], killAt: undefined };
}

function newSlot(number: number): Slot {
  return { number, state: 'starting', startAt: 0, chunks: [], killed: undefined, deaths: 0, retired: false };
}

function isEmpty(record: object): boolean {
  for (const _ in record) return false;
  return true;
}
