import assert from 'node:assert/strict';
import { openTasks } from '../../src/model/bitmaps.ts';
import { type BlockRecord, hasEnded, type Job, type JobProgress, type LeaseRecord } from '../../src/model/job.ts';
import { BLOCK_TASKS } from '../../src/model/limits.ts';
import type { AttemptRecord, SchedulerWrite, SegmentRecord } from '../../src/model/records.ts';
import { indexesOf } from '../../src/model/runs.ts';

export interface TableJob {
  job: Job;
  inputs: { first: number; count: number }[];
  blocks: Map<number, BlockRecord>;
  segments: SegmentRecord[];
  /** Which lease ended a task, in this generation. */
  ended: Map<number, { lease: number; failed: boolean }>;
  /** What other servers have now. */
  elsewhere: Set<number>;
}

/** The rows that the scheduler writes, applied to maps, with the promises that any store would hold it to. */
export class Table {
  readonly jobs = new Map<number, TableJob>();
  readonly leases = new Map<number, LeaseRecord>();
  readonly attempts: AttemptRecord[] = [];

  apply(write: SchedulerWrite, epoch: number): void {
    switch (write.kind) {
      case 'job':
        assert.ok(!this.jobs.has(write.job), 'a job is written once');
        this.jobs.set(write.job, {
          job: { id: write.job, spec: write.spec, progress: write.progress, claimedTo: 0 },
          inputs: [],
          blocks: new Map(),
          segments: [],
          ended: new Map(),
          elsewhere: new Set(),
        });
        return;
      case 'progress':
        return this.#progress(this.of(write.job), write.progress);
      case 'inputs': {
        const job = this.of(write.job);
        const last = job.inputs.at(-1);
        assert.equal(write.first, last === undefined ? 0 : last.first + last.count, 'inputs follow each other (D6)');
        job.inputs.push({ first: write.first, count: write.count });
        return;
      }
      case 'block':
        assert.equal(write.block.epoch, epoch);
        return this.#block(write.block);
      case 'blockEnded':
        assert.ok(this.of(write.job).blocks.delete(write.first), 'a block ends once');
        return;
      case 'lease':
        assert.ok(!this.leases.has(write.lease.lease), 'lease numbers are new');
        this.leases.set(write.lease.lease, write.lease);
        return;
      case 'leaseEnded':
        assert.ok(this.leases.delete(write.lease), 'a lease ends once');
        return;
      case 'handedOver':
        assert.ok(this.leases.delete(write.lease), 'a lease is handed over once');
        for (const index of indexesOf(openTasks(write.block))) this.of(write.block.job).elsewhere.add(index);
        return;
      case 'segment':
        return this.#segment(write.segment);
      case 'attempt':
        this.attempts.push(write.attempt);
    }
  }

  of(job: number): TableJob {
    const found = this.jobs.get(job);
    assert.ok(found !== undefined, `job ${job} has a row`);
    return found;
  }

  #progress(entry: TableJob, progress: JobProgress): void {
    assert.ok(!hasEnded(entry.job.progress.state), 'an ended job never changes (S1)');
    entry.job = { ...entry.job, progress };
  }

  #block(block: BlockRecord): void {
    const entry = this.of(block.job);
    entry.blocks.set(block.first, block);
    entry.job = { ...entry.job, claimedTo: Math.max(entry.job.claimedTo, block.first + block.count) };
  }

  #segment(segment: SegmentRecord): void {
    const entry = this.of(segment.job);
    assert.ok(!hasEnded(entry.job.progress.state), 'nothing is recorded of an ended job (S8)');
    assert.equal(segment.seq, entry.segments.length + 1, 'segments are numbered without gaps (D12)');
    entry.segments.push(segment);
    const all = [...indexesOf(segment.runs)];
    const failures = segment.failures ?? (segment.failed === 0 ? [] : segment.runs);
    const failed = new Set(indexesOf(failures));
    assert.equal(failed.size, segment.failed);
    for (const index of all) {
      assert.ok(!entry.ended.has(index), `task ${index} is recorded once (S1)`);
      entry.ended.set(index, { lease: segment.lease, failed: failed.has(index) });
    }
  }

  /** What `claim` of a store does in this epoch. */
  claim(id: number, max: number, epoch: number): { blocks: BlockRecord[]; more: boolean } {
    const entry = this.of(id);
    const { job } = entry;
    const blocks: BlockRecord[] = [];
    for (const block of entry.blocks.values()) {
      if (blocks.length < max && block.epoch === 0) blocks.push({ ...block, epoch });
    }
    while (blocks.length < max) {
      const next = this.#frontier(entry, blocks);
      if (next === undefined) break;
      blocks.push({ job: id, ...next, generation: job.progress.generation, exceptions: [], epoch });
    }
    for (const block of blocks) this.#block(block);
    return { blocks, more: blocks.length === max };
  }

  #frontier(entry: TableJob, taken: readonly BlockRecord[]): { first: number; count: number } | undefined {
    const first = Math.max(entry.job.claimedTo, ...taken.map((block) => block.first + block.count));
    const { range } = entry.job.spec;
    if (range !== undefined)
      return first < range.count ? { first, count: Math.min(BLOCK_TASKS, range.count - first) } : undefined;
    return entry.inputs.find((block) => block.first === first);
  }

  /** What `recover` of a store gives. */
  recovered(epoch: number): { jobs: Job[]; blocks: BlockRecord[]; leases: LeaseRecord[] } {
    const open = [...this.jobs.values()].filter(({ job }) => !hasEnded(job.progress.state));
    for (const entry of open) for (const [first, block] of entry.blocks) entry.blocks.set(first, { ...block, epoch });
    const ids = new Set(open.map(({ job }) => job.id));
    return structuredClone({
      jobs: open.map(({ job }) => job),
      blocks: open.flatMap(({ blocks }) => [...blocks.values()]),
      leases: [...this.leases.values()].filter(({ job }) => ids.has(job)),
    });
  }

  /** Counters against a recount (S6), and ended bits against what was recorded. */
  check(): void {
    for (const { job, ended, elsewhere, blocks } of this.jobs.values()) {
      const { progress } = job;
      const failed = [...ended.values()].filter((outcome) => outcome.failed).length;
      assert.deepEqual([progress.done, progress.failed], [ended.size - failed, failed], `job ${job.id}: counters (S6)`);
      assert.ok(
        progress.done + progress.failed + progress.cancelled <= progress.total,
        `job ${job.id}: too many ends (S6)`,
      );
      if (hasEnded(progress.state)) {
        assert.equal(
          progress.done + progress.failed + progress.cancelled,
          progress.total,
          `job ${job.id}: all have ended`,
        );
        assert.equal(blocks.size, 0, `job ${job.id}: its blocks are gone`);
      }
      for (const block of blocks.values()) {
        for (let i = 0; i < block.count; i++) {
          const bit = block.ended === undefined ? 0 : (block.ended[i >> 3]! >> (i & 7)) & 1;
          assert.equal(
            bit === 1,
            ended.has(block.first + i) || elsewhere.has(block.first + i),
            `task ${block.first + i}: its bit tells whether it ended`,
          );
        }
      }
    }
  }
}
