import { h, type JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { hasEnded } from '../../model/job.ts';
import { PAGE_REFRESH } from '../../model/page-limits.ts';
import type { Timeline } from '../../model/timeline.ts';
import { durationsOf } from '../durations.ts';
import type { FarmView, JobRow } from '../fold.ts';
import { nameOfWorker } from '../names.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { Durations } from './durations.ts';
import { Stragglers } from './stragglers.ts';
import { TimelineSection } from './timeline.ts';

/** What is told of a job's past: when what ran where, how long tasks take, and which took too long. */
export function Past(props: {
  job: JobRow;
  api: Api;
  version: string;
  view: FarmView;
  now: number;
}): JSX.Element | null {
  const { job, api, version, view, now } = props;
  const { id, progress, running } = job;
  const path = `/v1/jobs/${id}/timeline`;
  // What runs gets longer though nothing happens.
  const beat = hasEnded(progress.state) ? 0 : Math.floor(now / (2 * PAGE_REFRESH));
  const { value, error } = useLoaded(
    progress.startedAt === undefined ? '' : path,
    `${version}/${running}/${beat}`,
    (signal) => api.json<Timeline>(path, signal),
  );
  const durations = useMemo(() => (value === undefined ? undefined : durationsOf(value.bars, value.step)), [value]);
  if (progress.startedAt === undefined) return null;
  if (value === undefined)
    return error === undefined ? null : h('p', { class: 'fault' }, `The past cannot be read: ${error}.`);
  const nameOf = (worker: string) => nameOfWorker(view.workers, worker);
  return h(
    'div',
    null,
    h(TimelineSection, { job, api, timeline: value, workers: view.workers }),
    durations !== undefined && h(Durations, { told: durations, isRough: value.step > 1 }),
    durations !== undefined && h(Stragglers, { job, timeline: value, durations, nameOf }),
  );
}
