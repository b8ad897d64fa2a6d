import { hasEnded } from '../../model/job.ts';
import { about, ago, count, duration, plural, rate } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import { steadyRate } from '../pace.ts';

/** What a job is doing, in one or two words, and the colour that goes with it. */
export function stateOf({ progress, running }: Pick<JobRow, 'progress' | 'running'>): { word: string; tone: string } {
  switch (progress.state) {
    case 'active':
      if (running > 0) return { word: 'running', tone: 'running' };
      if (progress.open && progress.total === progress.done + progress.failed)
        return { word: 'waits for inputs', tone: 'waiting' };
      return { word: 'waits', tone: 'waiting' };
    case 'paused':
      return { word: running > 0 ? 'pausing' : 'paused', tone: 'waiting' };
    default:
      return { word: progress.state, tone: progress.state };
  }
}

/** Tasks a second now, or over the whole of a job that has ended. */
export function rateOfJob({ progress, pace }: JobRow, now: number): number | undefined {
  const { startedAt, endedAt, done, failed } = progress;
  if (!hasEnded(progress.state)) return progress.state === 'paused' ? undefined : steadyRate(pace, now, startedAt);
  if (startedAt === undefined || endedAt === undefined || endedAt <= startedAt) return undefined;
  return ((done + failed) / (endedAt - startedAt)) * 1_000;
}

/** Milliseconds until the last task ends, at this rate; undefined: nobody can say. */
export function timeLeft({ progress }: JobRow, rate: number | undefined): number | undefined {
  const { state, open, total, done, failed, cancelled } = progress;
  if (state !== 'active' || open || rate === undefined || rate <= 0) return undefined;
  return ((total - done - failed - cancelled) / rate) * 1_000;
}

/** The figures of a job in a few words, the most telling first. */
export function factsOf(job: JobRow, now: number): string[] {
  const { total, done, failed, cancelled, open, startedAt, endedAt, state } = job.progress;
  const facts: string[] = [];
  const perSecond = rateOfJob(job, now);
  if (hasEnded(state)) {
    facts.push(plural(total, 'task'));
    if (startedAt !== undefined && endedAt !== undefined) facts.push(`in ${duration(endedAt - startedAt)}`);
    if (perSecond !== undefined && total > 1) facts.push(`${rate(perSecond)}/s`);
    if (endedAt !== undefined) facts.push(ago(now - endedAt));
  } else {
    facts.push(`${count(done + failed)} of ${count(total)}${open ? ' so far' : ''}`);
    if (perSecond !== undefined && job.running > 0) facts.push(`${rate(perSecond)}/s`);
    const left = job.running > 0 ? timeLeft(job, perSecond) : undefined;
    if (left !== undefined) facts.push(`about ${about(left)} left`);
    if (job.running > 0) facts.push(`${count(job.running)} with workers`);
  }
  if (failed > 0) facts.push(`${count(failed)} failed`);
  if (cancelled > 0) facts.push(`${count(cancelled)} cancelled`);
  return facts;
}
