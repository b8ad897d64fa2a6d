import type { TaskIndex } from '../model/ids.ts';
import { BLOCK_TASKS, CLAIM_AHEAD } from '../model/limits.ts';
import { countRuns, pushRun, type Run } from '../model/runs.ts';
import { spawnedBy } from '../model/spawned.ts';
import { BlockState } from './block-state.ts';
import type { OutcomesEvent } from './events.ts';
import type { OpenJob } from './job-state.ts';
import type { State } from './state.ts';

/** A block more, behind all others. `given`: by tasks, with where its inputs stand among those of the event. */
export function appendBlock(state: State, job: OpenJob, count: number, given?: readonly Run[]): void {
  const first: TaskIndex = job.total;
  const frontier = job.unclaimed === 0 && !job.claiming;
  // Tasks of other servers may give it some at the same time: the store says whose stand where.
  const anywhere = given !== undefined && state.shared;
  job.total += count;
  job.unclaimed += count;
  state.write({
    kind: 'inputs',
    job: job.id,
    first,
    count,
    ...(given && { at: given }),
    ...(anywhere && { anywhere }),
  });
  state.progressChanged(job);
  if (frontier && !anywhere && claimsAtOnce(job)) {
    const block = new BlockState(job.id, first, count, job.generation, job.tally);
    job.addBlock(block);
    state.blockChanged(block);
  } else {
    job.more = true;
    job.moreSinceClaim = true;
  }
  state.jobChanged(job);
}

/** Few tasks in memory wait, of this job (R16, R23). */
function claimsAtOnce(job: OpenJob): boolean {
  return job.ready < CLAIM_AHEAD * Math.max(1, job.shape.slots);
}

/** What the tasks of `done`, which are about to be recorded, gave their job: as often as they are, once (R34). */
export function appendSpawned(state: State, job: OpenJob, event: OutcomesEvent, done: readonly Run[]): void {
  if (event.spawned === undefined || job.spec.spawns !== true) return;
  const { positions } = spawnedBy(done, event.spawned, event.runs);
  for (const at of cutInto(positions, BLOCK_TASKS)) appendBlock(state, job, countRuns(at), at);
}

function* cutInto(runs: readonly Run[], most: number): Generator<Run[]> {
  let part: Run[] = [];
  let room = most;
  for (let { start, count } of runs) {
    while (count > 0) {
      const taken = Math.min(count, room);
      pushRun(part, start, taken);
      start += taken;
      count -= taken;
      room -= taken;
      if (room > 0) continue;
      yield part;
      part = [];
      room = most;
    }
  }
  if (part.length > 0) yield part;
}
