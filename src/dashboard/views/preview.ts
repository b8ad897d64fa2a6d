import { h, type JSX } from 'preact';
import type { JobRow } from '../fold.ts';
import { type Outcome, outcomeIn } from '../outcomes.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { taskPath } from '../places.ts';
import { shownOnOneLine } from '../shown-value.ts';

/** Outcomes shown, and bytes read for them: values may be long. */
const SHOWN = 8;
const BYTES = 256 * 1_024;
const CHARACTERS = 200;

/** The first results, as they come. */
export function Preview({ job, api, version }: { job: JobRow; api: Api; version: string }): JSX.Element | null {
  const { id, progress } = job;
  const { value, error } = useLoaded(
    `preview ${id}`,
    isSettled(version, progress) ? 'settled' : version,
    async (signal) => {
      const outcomes: Outcome[] = [];
      await api.lines(
        `/v1/jobs/${id}/results?order=completion&defined`,
        BYTES,
        (line) => {
          const outcome = outcomeIn(line);
          if (outcome?.status === 'done') outcomes.push(outcome);
          return outcomes.length < SHOWN;
        },
        signal,
      );
      return outcomes;
    },
  );
  if (progress.done === 0) return null;
  return h(
    'section',
    { 'aria-labelledby': 'results' },
    h('h2', { id: 'results' }, 'First results'),
    value === undefined
      ? h('p', { class: 'aside' }, error ?? 'Reading…')
      : h(
          'ol',
          { class: 'results' },
          value.map(({ index, value }) =>
            h(
              'li',
              { key: index },
              h('a', { href: taskPath(id, index), 'aria-label': `Task ${index}` }, `${index}`),
              h('code', null, value === undefined ? 'undefined' : shownOnOneLine(value, CHARACTERS)),
            ),
          ),
        ),
    value?.length === 0 && h('p', { class: 'aside' }, 'No task has returned anything but undefined so far.'),
  );
}

/** The first results do not change once there are enough of them. */
function isSettled(version: string, { done, segments }: JobRow['progress']): boolean {
  return version !== '' && done >= SHOWN && segments >= SHOWN;
}
