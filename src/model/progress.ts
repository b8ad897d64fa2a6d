import type { JobProgress, ProgressChange, ProgressCounter } from './job.ts';

/** What of a progress is counted. */
const COUNTERS: readonly ProgressCounter[] = [
  'total',
  'done',
  'failed',
  'cancelled',
  'retried',
  'lost',
  'copied',
  'recalled',
  'segments',
  'busyMicros',
];

/** What makes one progress of another (D19). */
export function changeOf(before: JobProgress, after: JobProgress): ProgressChange {
  const counted: Partial<Record<ProgressCounter, number>> = {};
  for (const name of COUNTERS) {
    const by = (after[name] ?? 0) - (before[name] ?? 0);
    if (by !== 0) counted[name] = by;
  }
  return {
    counted,
    set: {
      ...(after.state === before.state ? {} : { state: after.state }),
      ...(after.open === before.open ? {} : { open: after.open }),
      ...(after.generation === before.generation ? {} : { generation: after.generation }),
      ...(after.startedAt === undefined || after.startedAt === before.startedAt ? {} : { startedAt: after.startedAt }),
      ...(after.endedAt === undefined || after.endedAt === before.endedAt ? {} : { endedAt: after.endedAt }),
      ...(after.reason === undefined || after.reason === before.reason ? {} : { reason: after.reason }),
    },
  };
}

/** What is stored of a job's progress, and what one server brought to it (D19). */
export function changedProgress(stored: JobProgress, { counted, set }: ProgressChange): JobProgress {
  const sums: Partial<Record<keyof typeof counted, number>> = {};
  for (const [name, by] of Object.entries(counted) as [keyof typeof counted, number][]) {
    sums[name] = (stored[name] ?? 0) + by;
  }
  const startedAt = stored.startedAt ?? set.startedAt;
  return { ...stored, ...set, ...sums, ...(startedAt === undefined ? {} : { startedAt }) };
}

/** One change after another, as one. */
export function joinChanges(first: ProgressChange, then: ProgressChange): ProgressChange {
  const counted = { ...first.counted };
  for (const [name, by] of Object.entries(then.counted) as [ProgressCounter, number][]) {
    counted[name] = (counted[name] ?? 0) + by;
  }
  return { counted, set: { ...first.set, ...then.set } };
}

export function isNoChange({ counted, set }: ProgressChange): boolean {
  return Object.keys(counted).length === 0 && Object.keys(set).length === 0;
}
