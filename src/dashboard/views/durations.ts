import { h, type JSX } from 'preact';
import type { Durations as Told } from '../durations.ts';
import { count, duration } from '../figures.ts';

const STEP = 10;
const GAP = 1;
const HEIGHT = 100;

/** How long tasks took, as a picture and in words. */
export function Durations({ told, isRough }: { told: Told; isRough: boolean }): JSX.Element {
  const { bins, median, late, longest, isMeans } = told;
  const top = Math.max(...bins.map(({ tasks }) => tasks));
  const bars = bins.map(({ from, tasks }, i) => {
    const height = tasks === 0 ? 0 : Math.max((tasks / top) * HEIGHT, 1.5);
    return h('rect', { key: from, x: i * STEP, y: HEIGHT - height, width: STEP - GAP, height });
  });
  const words = `half of the tasks took up to ${duration(median)}, 95 in 100 up to ${duration(late)}, the longest ${duration(longest)}`;
  const about = isRough ? 'about ' : '';
  return h(
    'section',
    { 'aria-labelledby': 'durations' },
    h('h2', { id: 'durations' }, 'How long tasks take'),
    h(
      'figure',
      { class: 'chart durations' },
      h('figcaption', null, h('span', null, `${words[0]?.toUpperCase()}${words.slice(1)}.`)),
      h(
        'svg',
        {
          role: 'img',
          'aria-label': `Tasks by how long they took: ${words}`,
          viewBox: `0 0 ${bins.length * STEP - GAP} ${HEIGHT}`,
          preserveAspectRatio: 'none',
        },
        bars,
      ),
      h(
        'p',
        { class: 'axis', 'aria-hidden': 'true' },
        h('span', null, duration(bins[0]?.from ?? 0)),
        h('span', null, `most in one bar: ${about}${count(top)}`),
        h('span', null, duration(bins.at(-1)?.to ?? 0)),
      ),
    ),
    isMeans &&
      h('p', { class: 'aside' }, 'What is measured is a batch: its tasks count with the mean of what it took.'),
  );
}
