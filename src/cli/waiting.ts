import type { JobView } from '../model/feed.ts';
import { type CodeRef, codesOf, type Runner } from '../model/job.ts';
import type { Api } from './api.ts';
import { printable } from './output/printable.ts';

/** Milliseconds without a task begun after which somebody who watches wonders, and between two looks. */
const PATIENCE = 2_000;
const LOOK_EVERY = 10_000;

/**
 * Says why nothing of a job begins: a farm without a worker that fits would be waited for in silence, and for ever. Each
 * reason once. Returns its end.
 */
export function sayWhyItWaits(job: number, api: Api, say: (text: string) => void): () => void {
  let told = '';
  let timer = setTimeout(look, PATIENCE);
  let over = false;
  async function look(): Promise<void> {
    const why = await reasonsOf(job, api).catch(() => '');
    if (over || why === undefined) return;
    if (why !== '' && why !== told) say(`manyhands: job ${job} waits. ${printable(why)}\n`);
    told = why;
    timer = setTimeout(look, LOOK_EVERY);
    timer.unref();
  }
  timer.unref();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

/** Undefined: something of it has begun, or it has ended. */
async function reasonsOf(job: number, api: Api): Promise<string | undefined> {
  const { spec, progress, running } = await api.get<JobView>(`v1/jobs/${job}`);
  if (running + progress.done + progress.failed > 0 || progress.endedAt !== undefined) return undefined;
  const { reasons } = await api.get<{ reasons: string[] }>(`v1/jobs/${job}/explain`);
  const isAlone = reasons.some((reason) => reason.startsWith('No worker is connected'));
  return [...reasons, ...(isAlone ? [howToAddOne(codesOf(spec))] : [])].join(' ');
}

function howToAddOne(codes: readonly CodeRef[]): string {
  const isAll = (wanted: Runner): boolean => codes.every(({ runner }) => runner === wanted);
  if (isAll('npm')) return 'Add one with manyhands join LINK --allow install.';
  return isAll('exec')
    ? 'Add one with manyhands join LINK --allow exec, or start the server with --workers N --allow exec.'
    : 'Add one with manyhands join LINK, or start the server with --workers N.';
}
