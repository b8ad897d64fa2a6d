import type { Span } from './window.ts';

/** Milliseconds in which the whole of a past is played, however long it took. */
const PLAY_TIME = 10_000;
/** For who wants no motion: so many moments, each of which stands still for a while. */
const STILLS = 10;

/** Where a play that began at a moment is after so many milliseconds; the end of the whole is where it stops. */
export function playedTo({ from, to }: Span, began: number, elapsed: number, isStill: boolean): number {
  const part = elapsed / PLAY_TIME;
  const gone = isStill ? Math.floor(part * STILLS) / STILLS : part;
  return Math.min(to, began + gone * (to - from));
}
