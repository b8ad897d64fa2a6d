import { h, type JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { WorkerPast } from '../past.ts';
import { panned, type Span, zoomed } from '../window.ts';
import { drawTimeline, heightOf } from './draw-timeline.ts';
import { useCanvas } from './use-canvas.ts';

export interface CanvasProps {
  readonly past: readonly WorkerPast[];
  readonly shown: Span;
  readonly whole: Span;
  readonly moment: number | undefined;
  readonly label: string;
  readonly nameOf: (worker: string) => string;
  readonly show: (span: Span) => void;
  readonly look: (at: number) => void;
}

/** Pixels that a pointer may move and still mean a place. */
const STILL = 4;

/** The picture: dragged, pinched, zoomed with the wheel and Ctrl; a click chooses a moment. */
export function TimelineCanvas(props: CanvasProps): JSX.Element {
  const { past, shown, whole, moment, label, nameOf } = props;
  const height = heightOf(past);
  const { canvas, width } = useCanvas(height, (context, size) =>
    drawTimeline(context, size, { past, shown, start: whole.from, moment, nameOf }),
  );
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return undefined;
    const gestures = new Gestures(element, () => latest.current);
    return () => gestures.stop();
  }, []);
  return h(
    'div',
    {
      class: 'canvas',
      tabIndex: 0,
      role: 'group',
      'aria-label': 'Timeline: arrow keys move, plus and minus zoom',
      onKeyDown: keysOf(props),
    },
    h('canvas', { ref: canvas, role: 'img', 'aria-label': label, width, height }),
  );
}

function keysOf({ shown, whole, show, moment }: CanvasProps) {
  return (event: KeyboardEvent) => {
    const step = (shown.to - shown.from) / 8;
    const middle = moment ?? (shown.from + shown.to) / 2;
    const actions: Readonly<Record<string, () => Span>> = {
      ArrowLeft: () => panned(shown, whole, -step),
      ArrowRight: () => panned(shown, whole, step),
      '+': () => zoomed(shown, whole, 1 / 2, middle),
      '=': () => zoomed(shown, whole, 1 / 2, middle),
      '-': () => zoomed(shown, whole, 2, middle),
      Home: () => panned(shown, whole, whole.from - shown.from),
      End: () => panned(shown, whole, whole.to - shown.to),
      '0': () => whole,
    };
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    show(action());
  };
}

/** Pointers on the picture: one drags, two pinch, one that stays chooses. */
class Gestures {
  readonly #element: HTMLElement;
  readonly #props: () => CanvasProps;
  readonly #over = new AbortController();
  readonly #pointers = new Map<number, number>();
  #moved = 0;

  constructor(element: HTMLElement, props: () => CanvasProps) {
    this.#element = element;
    this.#props = props;
    const { signal } = this.#over;
    element.addEventListener('wheel', (event) => this.#wheel(event), { signal, passive: false });
    element.addEventListener('pointerdown', (event) => this.#down(event), { signal });
    element.addEventListener('pointermove', (event) => this.#move(event), { signal });
    for (const kind of ['pointerup', 'pointercancel'] as const)
      element.addEventListener(kind, (event) => this.#up(event), { signal });
  }

  stop(): void {
    this.#over.abort();
  }

  #timeAt(x: number): number {
    const { shown } = this.#props();
    const { left, width } = this.#element.getBoundingClientRect();
    return shown.from + ((x - left) / Math.max(1, width)) * (shown.to - shown.from);
  }

  #millisOf(pixels: number): number {
    const { shown } = this.#props();
    return (pixels / Math.max(1, this.#element.getBoundingClientRect().width)) * (shown.to - shown.from);
  }

  /** A wheel alone scrolls the page, as everywhere. */
  #wheel(event: WheelEvent): void {
    const { shown, whole, show } = this.#props();
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      show(zoomed(shown, whole, Math.exp(event.deltaY / 300), this.#timeAt(event.clientX)));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      show(panned(shown, whole, this.#millisOf(event.deltaX)));
    }
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.#pointers.set(event.pointerId, event.clientX);
    this.#moved = this.#pointers.size > 1 ? STILL + 1 : 0;
    this.#element.setPointerCapture(event.pointerId);
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    const { shown, whole, show } = this.#props();
    const by = event.clientX - before;
    this.#moved += Math.abs(by);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, event.clientX);
    if (other !== undefined) {
      const factor = Math.abs(before - other) / Math.max(1, Math.abs(event.clientX - other));
      show(zoomed(shown, whole, Math.min(2, Math.max(0.5, factor)), this.#timeAt(other)));
    } else if (this.#moved > STILL) {
      show(panned(shown, whole, -this.#millisOf(by)));
    }
  }

  #up(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId) || event.type === 'pointercancel') return;
    if (this.#moved <= STILL) this.#props().look(this.#timeAt(event.clientX));
  }
}
