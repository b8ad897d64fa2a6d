import type { JobId, TaskIndex } from '../model/ids.ts';
import { leaseId } from '../model/ids.ts';
import type { JobProgress, JobSpec } from '../model/job.ts';
import type { SegmentRecord, Write } from '../model/records.ts';

/** Records for tests of stores: complete, and plain where the test does not care. */

export function specOf(part: Partial<JobSpec> = {}): JobSpec {
  return {
    name: 'square',
    owner: 'owner-1',
    code: { runner: 'js', sha256: 'c0de'.repeat(16), size: 120, sourceName: 'square.ts' },
    priority: 0,
    weight: 1,
    retries: 0,
    requires: {},
    cpus: 1,
    resources: {},
    fenced: false,
    submittedAt: 1_700_000_000_000,
    ...part,
  };
}

export function progressOf(part: Partial<JobProgress> = {}): JobProgress {
  return {
    state: 'active',
    open: true,
    total: 0,
    done: 0,
    failed: 0,
    cancelled: 0,
    retried: 0,
    lost: 0,
    segments: 0,
    generation: 0,
    busyMicros: 0,
    ...part,
  };
}

export function aJob(job: JobId, spec: Partial<JobSpec> = {}, progress: Partial<JobProgress> = {}): Write {
  return { kind: 'job', job, spec: specOf(spec), progress: progressOf(progress) };
}

export function aLease(job: JobId, first: TaskIndex, count: number, sequence: number, epoch = 1): Write {
  const runs = [{ start: first, count }];
  return {
    kind: 'lease',
    lease: {
      lease: leaseId(epoch, sequence),
      worker: 'worker-0001',
      job,
      block: first,
      runs,
      grantedAt: 1_700_000_000_500,
    },
  };
}

/** A segment of one run. Its bytes say which one it is. */
export function aSegment(
  job: JobId,
  seq: number,
  first: TaskIndex,
  count: number,
  part: Partial<SegmentRecord> = {},
): Extract<Write, { kind: 'segment' }> {
  const segment: SegmentRecord = {
    job,
    seq,
    block: first,
    generation: 0,
    runs: [{ start: first, count }],
    failed: 0,
    worker: 'worker-0001',
    lease: leaseId(1, seq),
    startedAt: 1_700_000_001_000,
    elapsedMicros: 20_000,
    ...part,
  };
  return { kind: 'segment', segment, column: bytesOf(`segment ${seq} of ${job}`) };
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
