import type { PackedColumn } from '../model/envelope.ts';
import type { JobId } from '../model/ids.ts';
import { FRAME_BYTES, HEADER_BYTES } from '../model/limits.ts';
import { indexesOf, pushRun, type Run, runsOf, sameRuns } from '../model/runs.ts';
import { readColumn, selectColumn } from '../protocol/column.ts';
import { encodeFrame, encodeJsonFrame } from '../protocol/frames.ts';
import { itemTexts } from '../protocol/json-frames.ts';
import { toWireRuns } from '../protocol/shapes.ts';
import type { ServerToWorker } from '../protocol/worker-messages.ts';
import type { Command } from '../scheduler/commands.ts';
import type { JobNotices, Missing } from './job-notices.ts';
import type { Peer } from './peer.ts';
import { positionsOf } from './segment-column.ts';

export type Grant = Extract<Command, { kind: 'grant' }>;

/** Bytes of the items of one text frame: the rest is for the message around them. */
const ITEM_BYTES = FRAME_BYTES - HEADER_BYTES;

/**
 * Messages to one worker, in the order of their commands. A grant whose code or inputs must be read from disk first holds
 * up what comes after it, so that a revoke never overtakes the tasks it speaks of.
 */
export class WorkerOutbox {
  readonly #peer: Peer;
  readonly #notices: JobNotices;
  readonly #json: boolean;
  readonly #undeliverable: (grant: Grant, runs: readonly Run[], why: Missing) => void;
  /** Jobs whose notice went out on this connection, and with which of their codes last. */
  readonly #told = new Map<JobId, number>();
  /** Jobs that it brought along from a connection before. */
  readonly #brought = new Set<JobId>();
  #waiting: (() => void)[] | undefined;

  /** `undeliverable`: these tasks can never be given to this worker. */
  constructor(
    peer: Peer,
    notices: JobNotices,
    json: boolean,
    undeliverable: (grant: Grant, runs: readonly Run[], why: Missing) => void,
  ) {
    this.#peer = peer;
    this.#notices = notices;
    this.#json = json;
    this.#undeliverable = undeliverable;
  }

  /** It still has tasks of this job, from a connection before this one. */
  brings(job: JobId): void {
    this.#brought.add(job);
  }

  /** Whether it was told of the job, and not yet that it is over. */
  knows(job: JobId): boolean {
    return this.#told.has(job) || this.#brought.has(job);
  }

  send(message: ServerToWorker): void {
    if (this.#waiting !== undefined) this.#waiting.push(() => this.send(message));
    else this.#transmit(message);
  }

  /** The last word: it does not wait for what is read from the disk. */
  sendNow(message: ServerToWorker): void {
    this.#transmit(message);
  }

  jobOver(job: JobId): void {
    const told = this.#told.delete(job);
    if (this.#brought.delete(job) || told) this.send({ kind: 'jobOver', job });
  }

  grant(grant: Grant): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(() => this.grant(grant));
      return;
    }
    const notice = this.#told.get(grant.job) === grant.code ? undefined : this.#notices.ready(grant.job, grant.code);
    const inputs = this.#notices.readyInputs(grant.job, grant.block);
    if (notice === 'absent' || inputs === 'absent') {
      this.#waitFor(grant);
      return;
    }
    if (notice !== undefined) {
      this.#told.set(grant.job, grant.code);
      this.#transmit(notice);
    }
    if (inputs === undefined) return this.#transmit(tasksOf(grant, grant.runs));
    const whole = [{ start: grant.block, count: inputs.column.count }];
    const column = sameRuns(grant.runs, whole)
      ? inputs.packed
      : selectColumn(inputs.column, positionsOf(grant.runs, whole));
    if (this.#json) this.#transmitItems(grant, column);
    else this.#transmit(tasksOf(grant, grant.runs), column);
  }

  #waitFor(grant: Grant): void {
    const waiting: (() => void)[] = [];
    this.#waiting = waiting;
    void this.#notices.load(grant).then((found) => {
      this.#waiting = undefined;
      if (found === 'ready') this.grant(grant);
      // Of a job that is over the lease is over, too, and there is nothing to send.
      else if (found !== 'over') this.#undeliverable(grant, grant.runs, found);
      for (const send of waiting) send();
    });
  }

  /** Text takes more room than bytes, so a batch may need several frames; all of them add to the lease (P9). */
  #transmitItems(grant: Grant, column: PackedColumn): void {
    const unreadable: number[] = [];
    const texts = itemTexts(readColumn(column));
    let runs: Run[] = [];
    let items: string[] = [];
    let bytes = 0;
    const flush = () => {
      if (items.length > 0) this.#peer.send(encodeJsonFrame(tasksOf(grant, runs), items));
      runs = [];
      items = [];
      bytes = 0;
    };
    let position = 0;
    for (const index of indexesOf(grant.runs)) {
      const text = texts[position++];
      const size = text === undefined ? Number.POSITIVE_INFINITY : Buffer.byteLength(text) + 1;
      if (text === undefined || size > ITEM_BYTES) {
        unreadable.push(index);
        continue;
      }
      if (bytes + size > ITEM_BYTES) flush();
      pushRun(runs, index, 1);
      items.push(text);
      bytes += size;
    }
    flush();
    if (unreadable.length === 0) return;
    const reason = 'the input is not JSON, or takes more than a frame as text';
    this.#undeliverable(grant, runsOf(unreadable), { lasting: true, reason });
  }

  #transmit(message: ServerToWorker, column?: PackedColumn): void {
    this.#peer.send(this.#json ? encodeJsonFrame(message) : encodeFrame(message, column));
  }
}

function tasksOf(grant: Grant, runs: readonly Run[]): ServerToWorker {
  const { lease, job, alone } = grant;
  return { kind: 'tasks', lease, job, runs: toWireRuns(runs), ...(alone ? { alone: true } : {}) };
}
