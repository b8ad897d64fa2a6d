import { h, type JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { duration } from '../figures.ts';
import { playedTo } from '../play.ts';
import type { Span } from '../window.ts';

interface Moment {
  readonly whole: Span;
  /** Undefined: none is chosen. */
  readonly moment: number | undefined;
  readonly look: (at: number) => void;
}

export interface Play {
  readonly isPlaying: boolean;
  readonly toggle: () => void;
  readonly stop: () => void;
}

/** Goes through a past by itself: on from the chosen moment; from the beginning where that is the end, or none is. */
export function usePlay(props: Moment): Play {
  const [isPlaying, setPlaying] = useState(false);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    if (!isPlaying) return undefined;
    const { whole, moment = whole.to } = latest.current;
    const began = moment < whole.to ? moment : whole.from;
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const start = performance.now();
    const step = () => {
      const at = playedTo(whole, began, performance.now() - start, isStill);
      latest.current.look(at);
      if (at < whole.to) frame = requestAnimationFrame(step);
      else setPlaying(false);
    };
    let frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [isPlaying]);
  return { isPlaying, toggle: () => setPlaying(!isPlaying), stop: () => setPlaying(false) };
}

/** Milliseconds of a step: seconds; of short pasts less, so that each has some steps. */
function stepOf(length: number): number {
  if (length > 20_000) return 1_000;
  return length > 1_000 ? 100 : 10;
}

/** A job's time, step by step, or played. Of a job that runs on there is no end to play to. */
export function Scrubber({ whole, moment, look, play }: Moment & { play: Play | undefined }): JSX.Element {
  const at = moment ?? whole.to;
  const length = whole.to - whole.from;
  const step = stepOf(length);
  const steps = Math.ceil(length / step);
  return h(
    'div',
    { class: 'scrubber' },
    play !== undefined &&
      h('button', { type: 'button', class: 'quiet', onClick: play.toggle }, play.isPlaying ? 'Pause' : 'Play'),
    h(
      'label',
      null,
      h('span', null, 'Moment'),
      h('input', {
        type: 'range',
        min: 0,
        max: steps,
        step: 1,
        value: at >= whole.to ? steps : Math.round((at - whole.from) / step),
        'aria-valuetext': `${duration(at - whole.from)} after the start`,
        onInput: (event: JSX.TargetedInputEvent<HTMLInputElement>) =>
          look(Math.min(whole.to, whole.from + event.currentTarget.valueAsNumber * step)),
      }),
    ),
  );
}
