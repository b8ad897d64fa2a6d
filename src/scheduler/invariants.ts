import { NEARBY_BLOCKS } from '../model/blob-limits.ts';
import { SETTLED_LEASES } from '../model/limits.ts';
import { countRuns, intersectRuns } from '../model/runs.ts';
import type { BlockState } from './block-state.ts';
import type { OpenJob } from './job-state.ts';
import { mayBegin, predecessorsOf } from './pipelines.ts';
import type { State } from './state.ts';
import type { Worker } from './worker-state.ts';

const IN_FLIGHT = ['ready', 'aside', 'leased', 'orphaned'] as const;

/** Everything that must be true between two events; throws with what is not. Every counter is compared with a recount. */
export function checkState(state: State): void {
  for (const job of state.jobs.values()) checkJob(state, job);
  for (const worker of state.workers.values()) checkWorker(state, worker);
  checkLeases(state);
  if (state.jobs.size === 0) checkQuiet(state);
  must(state.settled.size <= SETTLED_LEASES, 'too many settled leases are remembered (S11)');
}

function checkJob(state: State, job: OpenJob): void {
  const sum = { ready: 0, aside: 0, leased: 0, orphaned: 0 };
  let open = 0;
  must(job.state === 'active' || job.state === 'paused', `job ${job.id} has ended and is still kept (R29)`);
  for (const block of job.blocks.values()) {
    checkBlock(job, block);
    for (const kind of IN_FLIGHT) sum[kind] += block.tally[kind];
    open += block.count - block.ended;
    must(!block.over, `block ${block.first} of job ${job.id} is over and still kept (R29)`);
    must(job.readyBlocks.has(block) === block.tally.ready > 0, `block ${block.first} is listed as ready wrongly`);
  }
  must(job.needs.size <= NEARBY_BLOCKS, `job ${job.id}: too many large inputs are remembered (S11)`);
  for (const kind of IN_FLIGHT) {
    must(sum[kind] === job.tally[kind], `job ${job.id}: ${kind} ${job.tally[kind]} ≠ recount ${sum[kind]} (S6)`);
  }
  must(job.total === job.ended + job.unclaimed + open, `job ${job.id}: tasks are not conserved (R17, S6)`);
  for (const id of predecessorsOf(job.spec)) {
    const known = !state.jobs.has(id) || state.followers.get(id)?.has(job);
    must(known ?? false, `job ${job.id} comes after job ${id}, which does not know (R31)`);
  }
  must(job.unclaimed >= 0, `job ${job.id}: less than no unclaimed tasks`);
  must(job.open || job.total > job.ended, `job ${job.id} is closed, and all its tasks have ended: so should it (R14)`);
  const waits = job.wantsSlots && mayBegin(state, job);
  must(
    state.placeable || waits === (job.lane !== undefined),
    `job ${job.id} ${waits ? 'waits' : 'does not wait'} and is queued wrongly (L1)`,
  );
}

function checkBlock(job: OpenJob, block: BlockState): void {
  for (const kind of IN_FLIGHT) {
    must(block.recount(kind) === block.tally[kind], `block ${block.first}: ${kind} is miscounted (S6)`);
  }
  must(block.recount('ended') === block.ended, `block ${block.first}: ended is miscounted (S6)`);
  let leased = 0;
  let orphaned = 0;
  let strays = 0;
  for (const lease of block.leases) {
    const { id, left, away, standing } = lease;
    must(lease.job === job && lease.block === block, `lease ${id} is in a block that is not its own`);
    must(countRuns(left) === lease.leftTasks, `lease ${id} is miscounted`);
    must(intersectRuns(left, away).length === 0, `lease ${id} both has and has lost a task`);
    must(
      (left.length === 0) === (standing === 'expired'),
      `lease ${id} is ${standing} with ${lease.leftTasks} tasks left`,
    );
    must(
      standing === 'expired' || block.all(left, standing === 'orphaned' ? 'orphaned' : 'leased'),
      `lease ${id}: its tasks stand elsewhere`,
    );
    if (standing === 'orphaned') orphaned += lease.leftTasks;
    else leased += lease.leftTasks;
    if (away.length > 0) strays++;
  }
  must(
    leased === block.tally.leased + block.copied.size,
    `block ${block.first}: a task has a lease too many or none (R1, S4)`,
  );
  must(orphaned === block.tally.orphaned, `block ${block.first}: an orphan without its lease`);
  must(strays === block.strays, `block ${block.first}: strays are miscounted`);
  for (const index of block.troubles.keys())
    must(block.stateOf(index) !== 'ended', `task ${index} has ended and a past`);
  for (const index of block.copied)
    must(block.stateOf(index) === 'leased', `task ${index} runs twice and is not leased`);
}

function checkWorker(state: State, worker: Worker): void {
  let used = 0;
  let tasks = 0;
  for (const lease of worker.leases) {
    must(lease.standing === 'live' && lease.workerId === worker.id, `lease ${lease.id} is not ${worker.id}'s`);
    must(lease.job.live.has(lease), `lease ${lease.id} is not listed with its job`);
    used += lease.job.spec.cpus;
    tasks += lease.leftTasks;
  }
  must(used === worker.used, `worker ${worker.id}: used slots are miscounted`);
  must(tasks === worker.tasks, `worker ${worker.id}: tasks are miscounted`);
  must(!worker.lost || worker.leases.size === 0, `worker ${worker.id} is lost and has leases`);
  for (const shape of worker.shapes)
    must(shape.fits.has(worker), `worker ${worker.id} fits a shape that does not know it`);
  must(state.deep.has(worker) === worker.unstarted > 0, `worker ${worker.id}: its queue is listed wrongly`);
}

function checkLeases(state: State): void {
  let held = 0;
  for (const [worker, leases] of state.held) {
    held += leases.size;
    must(leases.size > 0, `worker ${worker} is remembered for no lease`);
  }
  must(held === state.leases.size, 'leases by number and by worker differ');
  for (const lease of state.leases.values()) {
    must(lease.block.leases.has(lease), `lease ${lease.id} is not listed with its block`);
    must(state.jobs.get(lease.job.id) === lease.job, `lease ${lease.id} outlives its job (R29)`);
    must(lease.standing !== 'live' || state.workers.has(lease.workerId), `lease ${lease.id} lives without its worker`);
    must(
      (lease.standing === 'orphaned') === lease.job.orphans.has(lease),
      `lease ${lease.id} is listed as an orphan wrongly`,
    );
  }
}

/** Without open jobs there is nothing to remember (F-34). */
function checkQuiet(state: State): void {
  const kept = {
    leases: state.leases,
    held: state.held,
    tails: state.tails,
    reserved: state.reserved,
    deep: state.deep,
    levels: state.fairness.levels,
    followers: state.followers,
  };
  for (const [name, map] of Object.entries(kept)) must(map.size === 0, `${name} is not empty without any job (R29)`);
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${what}`);
}
