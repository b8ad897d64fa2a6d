import { h, type JSX } from 'preact';
import { duration } from '../figures.ts';

const HEIGHT = 100;
const STEP = 10;
const GAP = 2;

export interface ChartProps {
  readonly title: string;
  /** Milliseconds from its beginning to now. */
  readonly span: number;
  /** Oldest first; undefined: not known. */
  readonly values: readonly (number | undefined)[];
  /** What the whole height stands for, if it is not the largest value. */
  readonly full?: number;
  /** The newest value and the largest, in words. */
  readonly latest: string;
  readonly most: string;
  readonly kind: 'rate' | 'busy';
}

/** The last minutes as bars: what they say is also said in words, for those who do not see them. */
export function Chart({ title, span: millis, values, full, latest, most, kind }: ChartProps): JSX.Element {
  const top = Math.max(full ?? 0, ...values.map((value) => value ?? 0));
  const bars = values.map((value, i) => {
    if (value === undefined || top === 0) return undefined;
    const height = value === 0 ? 0 : Math.max((value / top) * HEIGHT, 1.5);
    return h('rect', { key: i, x: i * STEP, y: HEIGHT - height, width: STEP - GAP, height });
  });
  const span = duration(millis);
  return h(
    'figure',
    { class: `chart ${kind}` },
    h('figcaption', null, h('span', null, title), h('b', null, latest)),
    h(
      'svg',
      {
        role: 'img',
        'aria-label': `${title} over the last ${span}: now ${latest}, at most ${most}`,
        viewBox: `0 0 ${values.length * STEP - GAP} ${HEIGHT}`,
        preserveAspectRatio: 'none',
      },
      bars,
    ),
    h(
      'p',
      { class: 'axis', 'aria-hidden': 'true' },
      h('span', null, `${span} ago`),
      h('span', null, `most: ${most}`),
      h('span', null, 'now'),
    ),
  );
}
