import { countRuns, intersectRuns } from '../model/runs.ts';
import type { BlockState } from './block-state.ts';
import type { OpenJob } from './job-state.ts';
import type { State } from './state.ts';

const IN_FLIGHT = ['ready', 'aside', 'leased', 'orphaned'] as const;

/** Everything that must be true between two events; throws with what is not. */
export function checkState(state: State): void {
  for (const job of state.jobs.values()) checkJob(state, job);
}

function checkJob(state: State, job: OpenJob): void {
  const sum = { ready: 0, aside: 0, leased: 0, orphaned: 0 };
  let open = 0;
  for (const block of job.blocks.values()) {
    checkBlock(block);
    for (const kind of IN_FLIGHT) sum[kind] += block.tally[kind];
    open += block.count - block.ended;
    must(job.readyBlocks.has(block) === block.tally.ready > 0, `block ${block.first} is listed as ready wrongly`);
  }
  for (const kind of IN_FLIGHT)
    must(sum[kind] === job.tally[kind], `job ${job.id}: ${kind} ${job.tally[kind]} ≠ recount ${sum[kind]}`);
  must(job.total === job.ended + job.unclaimed + open, `job ${job.id}: tasks are not conserved (S6)`);
  must(job.unclaimed >= 0, `job ${job.id}: less than no unclaimed tasks`);
  void state;
}

function checkBlock(block: BlockState): void {
  for (const kind of IN_FLIGHT)
    must(block.recount(kind) === block.tally[kind], `block ${block.first}: ${kind} is miscounted`);
  must(block.recount('ended') === block.ended, `block ${block.first}: ended is miscounted`);
  const leases = [...block.leases];
  let leased = 0;
  for (const lease of leases) {
    const isLeased = lease.standing === 'live' || lease.standing === 'adopting';
    must(countRuns(lease.left) === lease.leftTasks, `lease ${lease.id} is miscounted`);
    must(
      block.all(lease.left, isLeased ? 'leased' : 'orphaned'),
      `lease ${lease.id} (${lease.standing}): its tasks stand elsewhere`,
    );
    must(intersectRuns(lease.left, lease.away).length === 0, `lease ${lease.id} both has and has lost a task`);
    if (isLeased) leased += lease.leftTasks;
  }
  must(leased === block.tally.leased + block.copied.size, `block ${block.first}: a task has two leases (S4)`);
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${what}`);
}
