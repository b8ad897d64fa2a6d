import { h, type JSX } from 'preact';
import { count, measure } from '../figures.ts';
import type { Series } from '../series.ts';

const HEIGHT = 100;
const STEP = 10;
const GAP = 2;
/** What one number looks like. */
const DOT = 3;

/** The numbers that tasks returned, over their indexes: what it shows is also said. */
export function Plot({ name, series }: { name: string; series: Series }): JSX.Element {
  const { columns, width, least, most, mean, last } = series;
  const title = name === '' ? 'Results' : name;
  // Halves, since the difference of two numbers may be larger than any number.
  const span = most / 2 - least / 2;
  const yOf = (value: number) => (span === 0 ? HEIGHT / 2 : (1 - (value / 2 - least / 2) / span) * (HEIGHT - DOT));
  const bars = columns.map((column, i) => {
    if (column === undefined) return undefined;
    const y = yOf(column.most);
    return h('rect', { key: i, x: i * STEP, y, width: STEP - GAP, height: yOf(column.least) - y + DOT });
  });
  const extent = `${measure(least)} to ${measure(most)}`;
  return h(
    'figure',
    { class: 'chart rate' },
    h('figcaption', null, h('bdi', null, title), h('span', null, `${extent}, mean `, h('b', null, measure(mean)))),
    h(
      'svg',
      {
        role: 'img',
        'aria-label': `${title} of ${count(series.count)} tasks: ${extent}, mean ${measure(mean)}`,
        viewBox: `0 0 ${Math.max(1, columns.length * STEP - GAP)} ${HEIGHT}`,
        preserveAspectRatio: 'none',
      },
      bars,
    ),
    h(
      'p',
      { class: 'axis', 'aria-hidden': 'true' },
      h('span', null, 'task 0'),
      width > 1 && h('span', null, `${count(width)} tasks a bar: from least to most`),
      h('span', null, `task ${count(last)}`),
    ),
  );
}
