import type { JobId } from '../model/ids.ts';
import type { JobSpec } from '../model/job.ts';
import { endJob } from './ending.ts';
import type { OpenJob } from './job-state.ts';
import type { State } from './state.ts';

/** Jobs without whose good end a job can do nothing. */
export function predecessorsOf({ after = [], source }: Pick<JobSpec, 'after' | 'source'>): readonly JobId[] {
  return source === undefined ? after : [...after, source];
}

/** Whose end it waits for, of those it comes after: what is not open has been done (R31). */
export function awaited(state: State, { spec }: OpenJob): JobId | undefined {
  return spec.after?.find((id) => state.jobs.has(id));
}

/** Whether anything of it may be handed out: not before others have ended, nor, where its tasks add others, before its own inputs are complete (R34). */
export function mayBegin(state: State, job: OpenJob): boolean {
  return !(job.open && job.spec.spawns === true) && awaited(state, job) === undefined;
}

export function follow(state: State, job: OpenJob): void {
  for (const id of predecessorsOf(job.spec)) {
    const followers = state.followers.get(id);
    if (followers === undefined) state.followers.set(id, new Set([job]));
    else followers.add(job);
  }
}

export function unfollow(state: State, job: OpenJob): void {
  for (const id of predecessorsOf(job.spec)) {
    const followers = state.followers.get(id);
    followers?.delete(job);
    if (followers?.size === 0) state.followers.delete(id);
  }
}

/** A job has ended: those after it may begin, or never will. */
export function release(state: State, ended: OpenJob): void {
  const followers = state.followers.get(ended.id);
  if (followers === undefined) return;
  state.followers.delete(ended.id);
  for (const job of followers) {
    if (ended.state === 'done') state.jobChanged(job);
    else endJob(state, job, 'cancel', `job ${ended.id}, which it comes after, ${wordsFor(ended)}`);
  }
}

function wordsFor({ state }: OpenJob): string {
  return state === 'failed' ? 'failed' : 'was cancelled';
}
