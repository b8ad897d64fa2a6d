import { h, type JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { count, plural } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import type { Outcome } from '../outcomes.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { ResultReader } from '../page/result-reader.ts';
import { taskPath } from '../places.ts';
import type { ResultSample } from '../result-sample.ts';
import { shownOnOneLine } from '../shown-value.ts';
import { Downloads } from './downloads.ts';
import { Picture } from './pictures.ts';
import { Plot } from './plot.ts';
import { TiledPicture } from './tiled-picture.ts';

const CHARACTERS = 200;
/** Pixels of the longest side of a picture among others. */
const SMALL = 160;

/** What the tasks returned: as a picture, pictures, plots, and in words, as they come; and all of it to take away. */
export function Results({ job, api, version }: { job: JobRow; api: Api; version: string }): JSX.Element | null {
  const { id, progress } = job;
  const [rounds, setRounds] = useState(0);
  const reader = useMemo(() => new ResultReader(api, id), [api, id]);
  const { sample } = reader;
  const { value, error } = useLoaded(`results ${id}`, `${version}/${rounds}`, async (signal) => {
    if (await reader.round(signal)) setRounds((round) => round + 1);
    return sample.looked;
  });
  if (progress.done + progress.failed === 0) return null;
  return h(
    'section',
    { class: 'outcomes', 'aria-labelledby': 'results' },
    h('div', { class: 'heading' }, h('h2', { id: 'results' }, 'Results'), h(Downloads, { job: id, api })),
    error !== undefined && h('p', { class: 'fault' }, `They cannot be read: ${error}.`),
    value === undefined && error === undefined ? h('p', { class: 'aside' }, 'Reading…') : h(Shown, { job, sample }),
  );
}

function Shown({ job, sample }: { job: JobRow; sample: ResultSample }): JSX.Element {
  const { id, progress } = job;
  const { picture, pictures, series, first } = sample;
  return h(
    'div',
    { class: 'shown' },
    picture !== undefined && h(TiledPicture, { sample, picture, total: progress.total, job: id }),
    pictures.length > 0 && h(Pictures, { job: id, sample }),
    picture === undefined &&
      series.size > 0 &&
      h(
        'div',
        { class: 'charts' },
        [...series].map(([name, each]) => h(Plot, { key: name, name, series: each })),
      ),
    picture === undefined && pictures.length === 0 && h(First, { job: id, first }),
    h('p', { class: 'aside' }, extentOf(sample, progress)),
  );
}

function Pictures({ job, sample }: { job: number; sample: ResultSample }): JSX.Element {
  return h(
    'ul',
    { class: 'pictures' },
    [...sample.pictures]
      .sort((a, b) => a.index - b.index)
      .map(({ index, bytes }) =>
        h(
          'li',
          { key: index },
          h(
            'a',
            { href: taskPath(job, index) },
            h(Picture, { bytes, side: SMALL, name: `The picture of task ${index}` }),
            h('span', null, `${index}`),
          ),
        ),
      ),
  );
}

function First({ job, first }: { job: number; first: readonly Outcome[] }): JSX.Element {
  return h(
    'ol',
    { class: 'results', 'aria-label': 'First results' },
    first.map(({ index, value }) =>
      h(
        'li',
        { key: index },
        h('a', { href: taskPath(job, index), 'aria-label': `Task ${index}` }, `${index}`),
        h('code', null, shownOnOneLine(value, CHARACTERS)),
      ),
    ),
  );
}

/** How much of all that is, in words. */
function extentOf(sample: ResultSample, { done }: JobRow['progress']): string {
  const { looked, first, pictureCount, pictures, unseen, tileCount, isFull, isWhole } = sample;
  const plots = tileCount === 0 ? sample.series.size : 0;
  const words: string[] = [];
  if (done === 0) return 'No task is done.';
  if (looked === 0) return isWhole ? 'All results are undefined.' : 'Reading…';
  if (pictureCount > pictures.length) words.push(`The first ${pictures.length} of ${count(pictureCount)} pictures.`);
  else if (tileCount === 0 && pictureCount === 0 && first.length > 0 && first.length < looked && plots === 0)
    words.push(`The first ${first.length} of ${count(isWhole ? looked : done)} results.`);
  if (isFull) words.push(`This shows the first ${count(looked)} of ${count(done)} results: the downloads hold all.`);
  else if (plots > 0)
    words.push(
      `${plots === 1 ? 'The plot is' : 'The plots are'} of ${plural(looked, 'result')}${isWhole ? '' : ' so far'}.`,
    );
  if (isWhole && looked < done) words.push(`${plural(done - looked, 'other task')} returned undefined.`);
  if (unseen > 0) words.push(`${plural(unseen, 'result')} too large to be shown here.`);
  return words.join(' ');
}
