import type { LeaseId, Millis } from '../model/ids.ts';
import { KEPT_OUTCOME_BYTES } from '../model/limits.ts';
import type { Run } from '../model/runs.ts';
import { intersectRuns, subtractRuns } from '../model/runs.ts';
import type { Spawned } from '../model/spawned.ts';
import { toWireRuns } from '../protocol/wire-runs.ts';
import type { JobNotice } from '../protocol/worker-messages.ts';
import type { WorkerFailure } from './failures.ts';
import { failureColumn, failureOfDeath, howItEnded } from './failures.ts';
import { chunkSize, JobBook, mayRunAhead, noteTime } from './job-book.ts';
import type { Delivery } from './kept.ts';
import { KeptOutcomes, only } from './kept.ts';
import type { Grant, Piece } from './pieces.ts';
import { byIndex, columnOfPiece, cutRuns, joined, runsOfPiece, withoutRuns } from './pieces.ts';
import { DISK_FULL, type SlotDeath, type SlotEvent } from './runner.ts';
import type { SessionEffect, SessionOptions } from './session-io.ts';
import type { Running, Slot } from './slots.ts';
import { newRunning, Slots } from './slots.ts';

/** Tasks of failures that go into one message: each has at most a few KiB. */
const FAILURES_A_MESSAGE = 64;

/** The computing half of a session: what waits, what runs on which slot, and what has ended but is not acknowledged. */
export class Work {
  readonly kept = new KeptOutcomes();
  readonly #jobs = new JobBook();
  readonly #slots: Slots;
  #queue: Piece[] = [];
  #chunks = 0;
  #farm = '';
  /** No new chunk is started. */
  #closed = false;
  readonly #emit: (effect: SessionEffect) => void;
  readonly #deliver: (delivery: Delivery) => void;

  constructor(options: SessionOptions, emit: (effect: SessionEffect) => void, deliver: (delivery: Delivery) => void) {
    this.#slots = new Slots(options, emit);
    this.#emit = emit;
    this.#deliver = deliver;
  }

  start(): void {
    this.#slots.start();
  }

  set farm(name: string) {
    this.#farm = name;
  }

  get running(): boolean {
    return this.#slots.running;
  }

  /** Nothing waits, runs or is kept. */
  get empty(): boolean {
    return this.#queue.length === 0 && !this.running && this.kept.empty;
  }

  get wakeAt(): Millis | undefined {
    return this.#slots.wakeAt();
  }

  /** Every task that is queued, running or kept, by lease (P11). */
  held(): { lease: LeaseId; runs: Run[] }[] {
    const byLease = new Map<LeaseId, Run[]>();
    const add = (lease: LeaseId, runs: readonly Run[]): void => {
      const list = byLease.get(lease);
      if (list === undefined) byLease.set(lease, [...runs]);
      else list.push(...runs);
    };
    for (const piece of this.#queue) add(piece.grant.lease, runsOfPiece(piece));
    for (const { piece, revoked } of this.#slots.chunks())
      add(piece.grant.lease, subtractRuns(runsOfPiece(piece), revoked));
    for (const { lease, left } of this.kept.held()) add(lease, left);
    return [...byLease].map(([lease, runs]) => ({ lease, runs: joined(runs) })).filter(({ runs }) => runs.length > 0);
  }

  noteJob(notice: JobNotice): void {
    const noted = this.#jobs.note(notice);
    if (noted === undefined) return;
    const { code } = noted.facts;
    const inline = notice.inline;
    this.#emit({ kind: 'fetchCode', code, ...(inline !== undefined && { inline }) });
  }

  codeReady(sha256: string, now: Millis): void {
    this.#jobs.codeSettled(sha256, 'ready');
    this.assign(now);
  }

  codeFailed(sha256: string, reason: string): void {
    this.#jobs.codeSettled(sha256, { failed: reason });
    this.#failCodeless();
  }

  jobOver(job: number): void {
    const known = this.#jobs.get(job);
    if (known === undefined) return;
    known.over = true;
    this.#tidyJob(job);
  }

  /** On a new connection the server speaks of each job anew (P8), but not of those that ended while it could not be heard. */
  forgetIdleJobs(): void {
    for (const job of this.#jobs.ids()) this.jobOver(job);
  }

  /** Tasks of a known job, checked already. A task that is here already is not taken twice. */
  add(given: Omit<Grant, 'known'>, now: Millis): void {
    const known = this.#jobs.get(given.job);
    if (known === undefined) return;
    const grant: Grant = { ...given, known };
    const here = this.#here(grant.lease, grant.runs);
    const whole: Piece = { grant, from: 0, to: grant.count, single: false };
    if (here.length === 0) this.#queue.push(whole);
    else this.#queue.push(...withoutRuns(whole, subtractRuns(grant.runs, here)));
    if (typeof known.code === 'object') {
      if (known.code.failed !== DISK_FULL) this.#failCodeless();
      // There may be room by now.
      else this.#emit({ kind: 'fetchCode', code: this.#jobs.again(known) });
    }
    this.assign(now);
  }

  knows(job: number): boolean {
    return this.#jobs.get(job) !== undefined;
  }

  isRange(job: number): boolean {
    return this.#jobs.get(job)?.facts.range !== undefined;
  }

  /** What of these had not been started; it is not here any more. */
  takeBack(lease: LeaseId, runs: readonly Run[]): Run[] {
    const taken: Run[] = [];
    const rest: Piece[] = [];
    const jobs = new Set<number>();
    for (const piece of this.#queue) {
      if (piece.grant.lease !== lease) {
        rest.push(piece);
        continue;
      }
      const mine = runsOfPiece(piece);
      taken.push(...intersectRuns(mine, runs));
      rest.push(...withoutRuns(piece, subtractRuns(mine, runs)));
      jobs.add(piece.grant.job);
    }
    this.#queue = rest;
    for (const job of jobs) this.#tidyJob(job);
    return joined(taken);
  }

  /** Everything that has not been started, by lease; it is not here any more. */
  takeAllBack(): { lease: LeaseId; runs: Run[] }[] {
    const leases = new Set(this.#queue.map((piece) => piece.grant.lease));
    const everything = [{ start: 0, count: Number.MAX_SAFE_INTEGER }];
    return [...leases].map((lease) => ({ lease, runs: this.takeBack(lease, everything) }));
  }

  /** Nobody wants these (P12). What runs is told so, and killed if it does not heed it. */
  revoke(lease: LeaseId, runs: readonly Run[], now: Millis): void {
    this.takeBack(lease, runs);
    this.kept.drop(lease, runs);
    this.#slots.revoke(lease, runs, now);
    this.assign(now);
  }

  tick(now: Millis): void {
    this.#slots.tick(now);
    this.assign(now);
  }

  resize(slots: number): void {
    this.#slots.resize(slots);
  }

  /** From now on nothing is started, and processes that die stay dead. */
  close(): void {
    this.#closed = true;
    this.#slots.close();
  }

  slotEvent(event: SlotEvent, now: Millis): void {
    const slot = this.#slots.get(event.slot);
    if (slot === undefined) return;
    if (event.kind === 'slotReady') this.#slots.ready(slot);
    else if (event.kind === 'slotDied') this.#died(slot, event, now);
    else if (event.kind === 'chunkStarted') this.#slots.started(slot, event.chunk, now);
    else if (event.kind === 'slotLoading') this.#slots.loading(slot, event.chunk, now);
    else if (event.kind === 'chunkWaiting') this.#slots.started(slot, event.chunk, Infinity);
    else if (event.kind === 'chunkDone') this.#done(slot, event, now);
    else if (event.kind === 'chunkCut') this.#cut(slot, event, now);
    else if (event.kind === 'chunkReturned') this.#returned(slot, event, now);
    else this.#tell(slot, event);
    this.assign(now);
  }

  /** Gives what waits to the slots that are free, then to those that will be soon. */
  assign(now: Millis): void {
    if (this.#closed || this.#queue.length === 0 || this.kept.bytes > KEPT_OUTCOME_BYTES) return;
    for (const slot of this.#slots.free()) {
      const at = this.#queue.findIndex((piece) => this.#mayStart(piece));
      if (at < 0) break;
      this.#run(slot, at, now);
    }
    for (const slot of this.#slots.busyWithOne()) {
      const [current] = slot.chunks as [Running];
      if (current.piece.single || current.piece.grant.alone || !mayRunAhead(current.job)) continue;
      const at = this.#queue.findIndex(({ grant, single }) => grant.known === current.job && !single && !grant.alone);
      if (at >= 0) this.#run(slot, at, now);
    }
  }

  #mayStart({ grant }: Piece): boolean {
    if (grant.known.code !== 'ready') return false;
    return this.#slots.hasRoomFor(grant.known) && !(grant.alone && this.#slots.runsLease(grant.lease));
  }

  #run(slot: Slot, at: number, now: Millis): void {
    const piece = this.#queue[at] as Piece;
    const { grant, from, to, single } = piece;
    const job = grant.known;
    let size = single || grant.alone ? 1 : Math.min(to - from, chunkSize(job));
    // Longer tasks are shared out among the slots that idle; for short ones the hand-over costs more than it gains.
    if (size > 1 && slot.chunks.length === 0 && size * (job.mean ?? 0) > 2_000) {
      size = Math.ceil(size / Math.max(1, this.#slots.free().length));
    }
    const part: Piece = { ...piece, to: from + size };
    if (part.to === to) this.#queue.splice(at, 1);
    else this.#queue[at] = { ...piece, from: part.to };
    this.#chunks += 1;
    const running = newRunning(this.#chunks, part, job, now);
    slot.chunks.push(running);
    const column = columnOfPiece(part);
    const chunk = { id: running.id, lease: grant.lease, runs: runsOfPiece(part), column, farm: this.#farm };
    this.#emit({ kind: 'runChunk', slot: slot.number, chunk, job: job.facts });
  }

  #done(slot: Slot, event: SlotEvent & { kind: 'chunkDone' }, now: Millis): void {
    const [running] = slot.chunks;
    if (running === undefined || running.id !== event.chunk) return;
    this.#slots.finished(slot, now);
    const { piece } = running;
    const end = piece.from + event.done;
    this.#tellEnded(running, event);
    if (end < piece.to) this.#queueAgain(running, { ...piece, from: end });
    this.#tidyJob(piece.grant.job);
  }

  /** What has ended is told, and what has not begun may go to another slot or worker. */
  #cut(slot: Slot, event: SlotEvent & { kind: 'chunkCut' }, now: Millis): void {
    const [running] = slot.chunks;
    if (running === undefined || running.id !== event.chunk) return;
    const { piece } = running;
    const at = piece.from + event.done;
    this.#tellEnded(running, event);
    this.#slots.cut(slot, running, { ...piece, from: at, to: at + 1 }, now);
    if (at + 1 < piece.to) this.#queueAgain(running, { ...piece, from: at + 1 });
  }

  #tellEnded(
    running: Running,
    { done, micros, column, ...more }: SlotEvent & { kind: 'chunkDone' | 'chunkCut' },
  ): void {
    if (done === 0) return;
    const { piece, job } = running;
    // Of what was revoked before it began nothing was computed.
    if (running.killAt === undefined) noteTime(job, done, micros);
    const runs = cutRuns(piece.grant.runs, piece.from, piece.from + done);
    this.#conclude(running, runs, column, micros, 'spawned' in more ? more.spawned : undefined);
  }

  /** The server gives them to others, and to this worker nothing for a while (R24). */
  #returned(slot: Slot, { chunk, reason }: SlotEvent & { kind: 'chunkReturned' }, now: Millis): void {
    const running = slot.chunks.find(({ id }) => id === chunk);
    if (running === undefined) return;
    this.#slots.returned(slot, running, now);
    const { lease, job } = running.piece.grant;
    const runs = subtractRuns(runsOfPiece(running.piece), running.revoked);
    if (runs.length > 0) this.#giveBack(lease, runs, reason);
    this.#tidyJob(job);
  }

  #giveBack(lease: LeaseId, runs: readonly Run[], reason: string): void {
    this.#emit({ kind: 'send', message: { kind: 'released', lease, runs: toWireRuns(runs), reason } });
    this.#emit({ kind: 'status', status: { state: 'unable', reason } });
  }

  /** Outcomes of tasks that nobody has revoked. */
  #conclude(
    running: Running,
    runs: Run[],
    column: Delivery['column'],
    micros: number,
    byPosition: Spawned | undefined = undefined,
  ): void {
    const { lease, job } = running.piece.grant;
    const wanted = running.revoked.length === 0 ? runs : subtractRuns(runs, running.revoked);
    if (wanted.length === 0) return;
    const spawned = byPosition && { spawned: byIndex(byPosition, runs) };
    const all: Delivery = { lease, job, runs, micros: Math.round(micros), column, ...spawned };
    const delivery = wanted === runs ? all : { ...only(all, wanted), micros: all.micros };
    this.kept.keep(delivery);
    this.#deliver(delivery);
  }

  #queueAgain(running: Running, piece: Piece): void {
    const wanted = running.revoked.length === 0 ? undefined : subtractRuns(runsOfPiece(piece), running.revoked);
    this.#queue.unshift(...(wanted === undefined ? [piece] : withoutRuns(piece, wanted)));
  }

  #died(slot: Slot, death: SlotDeath, now: Millis): void {
    const chunks = slot.chunks;
    const { killed } = slot;
    this.#slots.died(slot, now);
    const [first, ...behind] = chunks;
    for (const running of behind.reverse()) this.#queueAgain(running, running.piece);
    if (killed === undefined) {
      const reason = `the process of slot ${slot.number} ${howItEnded(death)}`;
      this.#emit({ kind: 'status', status: { state: 'slotDied', slot: slot.number, reason } });
    }
    if (first === undefined) return;
    const { piece, job } = first;
    // Of several nobody knows which one was running: each is tried by itself, and none is charged yet.
    if (piece.to - piece.from > 1) this.#queueAgain(first, { ...piece, single: true });
    // It was killed because of another, which ended after all just before.
    else if (killed !== undefined && (killed.why === 'revoked' || killed.chunk !== first.id))
      this.#queueAgain(first, piece);
    else {
      const failure = failureOfDeath(job.facts, death, killed !== undefined);
      this.#conclude(first, runsOfPiece(piece), failureColumn(failure, 1), Math.max(0, now - first.since) * 1_000);
    }
    this.#tidyJob(piece.grant.job);
  }

  /** Tasks of jobs whose code could not be had fail with that reason; where there was no room for it they go elsewhere. */
  #failCodeless(): void {
    const codeless = this.#queue.filter((piece) => typeof piece.grant.known.code === 'object');
    if (codeless.length === 0) return;
    this.#queue = this.#queue.filter((piece) => !codeless.includes(piece));
    for (const piece of codeless) {
      const job = piece.grant.known;
      const { failed } = job.code as { failed: string };
      if (failed === DISK_FULL) {
        this.#giveBack(piece.grant.lease, runsOfPiece(piece), failed);
        continue;
      }
      const failure: WorkerFailure = { kind: 'error', name: 'TaskCodeError', message: failed };
      for (let from = piece.from; from < piece.to; from += FAILURES_A_MESSAGE) {
        const part = { ...piece, from, to: Math.min(from + FAILURES_A_MESSAGE, piece.to) };
        const running = newRunning(0, part, job, 0);
        this.#conclude(running, runsOfPiece(part), failureColumn(failure, part.to - part.from), 0);
      }
    }
  }

  #tell(slot: Slot, event: SlotEvent & { kind: 'taskLog' | 'taskProgress' }): void {
    const running = slot.chunks.find(({ id }) => id === event.chunk);
    if (running === undefined) return;
    const { grant, from } = running.piece;
    const index = cutRuns(grant.runs, from + event.position, from + event.position + 1)[0]?.start;
    if (index === undefined) return;
    if (event.kind === 'taskLog') {
      const { stream, text } = event;
      const message = { kind: 'log', lease: grant.lease, job: grant.job, index, stream, text } as const;
      this.#emit({ kind: 'send', message });
    } else {
      const { fraction, text } = event;
      const message = {
        kind: 'progress',
        job: grant.job,
        index,
        fraction,
        ...(text !== undefined && { text }),
      } as const;
      this.#emit({ kind: 'send', message });
    }
  }

  #here(lease: LeaseId, runs: readonly Run[]): Run[] {
    const found = this.kept.among(lease, runs);
    for (const piece of this.#queue) {
      if (piece.grant.lease === lease) found.push(...intersectRuns(runsOfPiece(piece), runs));
    }
    for (const { piece } of this.#slots.chunks()) {
      if (piece.grant.lease === lease) found.push(...intersectRuns(runsOfPiece(piece), runs));
    }
    return joined(found);
  }

  #tidyJob(job: number): void {
    if (this.#jobs.get(job)?.over !== true) return;
    if (this.#queue.some((piece) => piece.grant.job === job)) return;
    for (const { piece } of this.#slots.chunks()) if (piece.grant.job === job) return;
    this.#jobs.forget(job);
    this.#emit({ kind: 'forgetJob', job });
  }
}
