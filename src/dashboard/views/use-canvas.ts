import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface CanvasSize {
  readonly width: number;
  readonly height: number;
}

/** A canvas as wide as its place, as sharp as the screen, drawn again whenever something of it has changed. */
export function useCanvas(
  height: number,
  draw: (context: CanvasRenderingContext2D, size: CanvasSize) => void,
): { canvas: RefObject<HTMLCanvasElement>; width: number } {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [scheme, setScheme] = useState(0);
  useEffect(() => {
    const place = canvas.current?.parentElement;
    if (!place) return undefined;
    const observer = new ResizeObserver(() => setWidth(Math.floor(innerWidthOf(place))));
    observer.observe(place);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const turned = () => setScheme((before) => before + 1);
    dark.addEventListener('change', turned);
    return () => {
      observer.disconnect();
      dark.removeEventListener('change', turned);
    };
  }, []);
  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context || width === 0) return;
    const sharp = Math.min(2, devicePixelRatio);
    element.width = Math.round(width * sharp);
    element.height = Math.round(height * sharp);
    element.style.width = `${width}px`;
    element.style.height = `${height}px`;
    context.scale(sharp, sharp);
    draw(context, { width, height });
  });
  // The scheme is part of what is drawn, through the colours of the page.
  void scheme;
  return { canvas, width };
}

function innerWidthOf(element: HTMLElement): number {
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return element.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
}

/** A colour of the page by its name. */
export function colorOf(canvas: HTMLCanvasElement, name: string): string {
  return getComputedStyle(canvas).getPropertyValue(`--${name}`).trim();
}
