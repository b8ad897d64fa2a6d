import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, LeaseId } from '../model/ids.ts';
import type { Run } from '../model/runs.ts';
import { countRuns, intersectRuns, sameRuns, subtractRuns } from '../model/runs.ts';
import { type Spawned, spawnedBy } from '../model/spawned.ts';
import { readColumn, selectColumn } from '../protocol/column.ts';
import { positionsOf } from './pieces.ts';

/** Outcomes as they were, or will be, sent in one message. */
export interface Delivery {
  readonly lease: LeaseId;
  readonly job: JobId;
  readonly runs: readonly Run[];
  readonly micros: number;
  readonly column: PackedColumn;
  /** What its tasks gave their job. */
  readonly spawned?: Spawned;
}

interface Kept {
  readonly delivery: Delivery;
  /** Those that no ack has named yet. */
  left: readonly Run[];
}

/** The outcomes that the server has not acknowledged (P10). */
export class KeptOutcomes {
  readonly #byLease = new Map<LeaseId, Kept[]>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#byLease.size === 0;
  }

  keep(delivery: Delivery): void {
    const kept = { delivery, left: delivery.runs };
    const list = this.#byLease.get(delivery.lease);
    if (list === undefined) this.#byLease.set(delivery.lease, [kept]);
    else list.push(kept);
    this.#bytes += delivery.column.length;
  }

  /** Acknowledged, or not wanted any more. */
  drop(lease: LeaseId, runs: readonly Run[]): void {
    const list = this.#byLease.get(lease);
    if (list === undefined) return;
    const rest: Kept[] = [];
    for (const kept of list) {
      kept.left = sameRuns(kept.left, runs) ? [] : subtractRuns(kept.left, runs);
      if (kept.left.length > 0) rest.push(kept);
      else this.#bytes -= kept.delivery.column.length;
    }
    if (rest.length > 0) this.#byLease.set(lease, rest);
    else this.#byLease.delete(lease);
  }

  /** Which of these tasks it keeps outcomes of. */
  among(lease: LeaseId, runs: readonly Run[]): Run[] {
    const found: Run[] = [];
    for (const { left } of this.#byLease.get(lease) ?? []) found.push(...intersectRuns(left, runs));
    return found.sort((a, b) => a.start - b.start);
  }

  /** What is kept, by lease. */
  *held(): Generator<{ lease: LeaseId; left: readonly Run[] }> {
    for (const [lease, list] of this.#byLease) for (const { left } of list) yield { lease, left };
  }

  /** Everything, to be sent again after a reconnect. */
  *deliveries(): Generator<Delivery> {
    for (const list of this.#byLease.values()) {
      for (const { delivery, left } of list) {
        yield sameRuns(left, delivery.runs) ? delivery : only(delivery, left);
      }
    }
  }
}

/** A part of a delivery; its time is shared out evenly. */
export function only(delivery: Delivery, runs: readonly Run[]): Delivery {
  const { spawned: all, ...whole } = delivery;
  const share = countRuns(runs) / countRuns(delivery.runs);
  const { spawned, positions } = spawnedBy(runs, all ?? [], delivery.runs);
  return {
    ...whole,
    runs,
    micros: Math.round(delivery.micros * share),
    column: selectColumn(readColumn(delivery.column), [...positionsOf(delivery.runs, runs), ...positions]),
    ...(spawned.length > 0 && { spawned }),
  };
}
