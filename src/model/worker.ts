import type { LeaseId, WorkerId } from './ids.ts';
import type { CodeRef, Runner } from './job.ts';
import type { Run } from './runs.ts';

/** `browser` has longer leases: phones sleep. */
export type WorkerKind = 'node' | 'browser' | 'image' | 'other';

/** What a worker says of itself in its hello. */
export interface WorkerFacts {
  readonly id: WorkerId;
  /** For people: the host's name unless its owner chose one. */
  readonly name: string;
  readonly kind: WorkerKind;
  /** Tasks at once. */
  readonly slots: number;
  readonly runners: readonly Runner[];
  readonly labels: Readonly<Record<string, string>>;
  readonly resources: Readonly<Record<string, number>>;
  /** Bytes. */
  readonly memory?: number;
  /** For people: platform, architecture, runtime version. */
  readonly platform?: string;
  /** The id of the token it joined with. */
  readonly token: string;
}

/** Whether it has the runner and the labels that this code needs. */
export function canRun({ runners, labels }: WorkerFacts, { runner, requires = {} }: CodeRef): boolean {
  return runners.includes(runner) && Object.entries(requires).every(([label, value]) => labels[label] === value);
}

/** What a returning worker still runs or keeps outcomes of. */
export interface HeldLease {
  readonly lease: LeaseId;
  readonly runs: readonly Run[];
}

/** `draining` gets no new tasks; `suspended` is set aside because everything fails there. */
export type WorkerState = 'ready' | 'draining' | 'suspended' | 'lost';
