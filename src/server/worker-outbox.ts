import type { PackedColumn } from '../model/envelope.ts';
import type { JobId } from '../model/ids.ts';
import { sameRuns } from '../model/runs.ts';
import { selectColumn } from '../protocol/column.ts';
import { encodeFrame, encodeJsonFrame } from '../protocol/frames.ts';
import { toWireRuns } from '../protocol/shapes.ts';
import type { ServerToWorker } from '../protocol/worker-messages.ts';
import type { Command } from '../scheduler/commands.ts';
import type { JobNotices } from './job-notices.ts';
import type { Peer } from './peer.ts';
import { positionsOf } from './segment-column.ts';

type Grant = Extract<Command, { kind: 'grant' }>;

/**
 * Messages to one worker, in the order of their commands. A grant whose code or inputs must be read from disk first holds
 * up what comes after it, so that a revoke never overtakes the tasks it speaks of.
 */
export class WorkerOutbox {
  readonly #peer: Peer;
  readonly #notices: JobNotices;
  readonly #json: boolean;
  readonly #told = new Set<JobId>();
  #waiting: (() => void)[] | undefined;

  constructor(peer: Peer, notices: JobNotices, json: boolean) {
    this.#peer = peer;
    this.#notices = notices;
    this.#json = json;
  }

  send(message: ServerToWorker): void {
    if (this.#waiting !== undefined) this.#waiting.push(() => this.send(message));
    else this.#transmit(message);
  }

  jobOver(job: JobId): void {
    if (this.#waiting !== undefined) this.#waiting.push(() => this.jobOver(job));
    else if (this.#told.delete(job)) this.#transmit({ kind: 'jobOver', job });
  }

  grant(grant: Grant): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(() => this.grant(grant));
      return;
    }
    const notice = this.#told.has(grant.job) ? undefined : this.#notices.ready(grant.job);
    const inputs = this.#notices.readyInputs(grant.job, grant.block);
    if (notice === 'absent' || inputs === 'absent') {
      this.#waitFor(grant);
      return;
    }
    if (notice !== undefined) {
      this.#told.add(grant.job);
      this.#transmit(notice);
    }
    const message: ServerToWorker = {
      kind: 'tasks',
      lease: grant.lease,
      job: grant.job,
      runs: toWireRuns(grant.runs),
      ...(grant.alone ? { alone: true } : {}),
    };
    if (inputs === undefined) return this.#transmit(message);
    const whole = [{ start: grant.block, count: inputs.column.count }];
    const column = sameRuns(grant.runs, whole)
      ? inputs.packed
      : selectColumn(inputs.column, positionsOf(grant.runs, whole));
    this.#transmit(message, column);
  }

  #waitFor(grant: Grant): void {
    const waiting: (() => void)[] = [];
    this.#waiting = waiting;
    void this.#notices.load(grant.job, grant.block).then((found) => {
      this.#waiting = undefined;
      // The job may have been forgotten meanwhile; then its lease is over and there is nothing to send.
      if (found) this.grant(grant);
      for (const send of waiting) send();
    });
  }

  #transmit(message: ServerToWorker, column?: PackedColumn): void {
    this.#peer.send(this.#json ? encodeJsonFrame(message, column) : encodeFrame(message, column));
  }
}
