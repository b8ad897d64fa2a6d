import { type Run, subtractRuns } from '../../src/model/runs.ts';
import type { OutcomesEvent } from '../../src/scheduler/events.ts';
import type { Grant } from './scheduler-desk.ts';

interface Kept {
  readonly event: OutcomesEvent;
}

/** A worker as it really behaves: it runs what it was granted, keeps outcomes until they are acked, and comes back. */
export class Device {
  readonly id: string;
  readonly slots: number;
  readonly gpu: number;
  connected = false;
  /** Unfinished tasks of each lease, in order. */
  readonly queue = new Map<number, { grant: Grant; left: Run[] }>();
  kept: Kept[] = [];

  constructor(id: string, slots: number, gpu: number) {
    this.id = id;
    this.slots = slots;
    this.gpu = gpu;
  }

  held(): { lease: number; runs: Run[] }[] {
    const held = [...this.queue].map(([lease, { left }]) => ({ lease, runs: left }));
    for (const { event } of this.kept) held.push({ lease: event.lease, runs: [...event.runs] });
    return held.filter(({ runs }) => runs.length > 0);
  }

  drop(lease: number, runs: readonly Run[]): void {
    const entry = this.queue.get(lease);
    if (entry === undefined) return;
    entry.left = subtractRuns(entry.left, runs);
    if (entry.left.length === 0) this.queue.delete(lease);
  }
}
