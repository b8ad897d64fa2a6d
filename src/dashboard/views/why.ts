import { h, type JSX } from 'preact';
import { hasEnded } from '../../model/job.ts';
import { PAGE_REFRESH } from '../../model/page-limits.ts';
import type { JobRow } from '../fold.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';

/** Why tasks of the job wait, in words, for as long as some do; and, of a job with variants, which one runs where. */
export function Why(props: { job: JobRow; api: Api; now: number; workers: number }): JSX.Element | null {
  const { job, api, now, workers } = props;
  const { id, progress, waiting, running } = job;
  const isIdle = !hasEnded(progress.state) && (waiting > 0 || running === 0);
  // What it waits for may change without any change of the job.
  const version = `${progress.state}/${running}/${Math.floor(now / (2 * PAGE_REFRESH))}`;
  const { value } = useLoaded(isIdle ? `why ${id}` : '', version, (signal) =>
    api.json<{ reasons: readonly string[]; variants?: readonly string[] }>(`/v1/jobs/${id}/explain`, signal),
  );
  if (!isIdle || value === undefined || value.reasons.length === 0) return null;
  return h(
    'section',
    { class: 'why', 'aria-labelledby': 'why' },
    h('h2', { id: 'why' }, running > 0 ? 'Why the rest waits' : 'Why it waits'),
    value.reasons.map((reason) => h('p', { key: reason.replace(/\d/g, '') }, reason)),
    value.variants !== undefined && h('h2', null, 'Which variant runs where'),
    value.variants?.map((variant, place) => h('p', { key: `variant ${place}` }, variant)),
    workers === 0 && h('p', null, h('a', { href: '/' }, 'How to add a device')),
  );
}
