import { useEffect, useRef, useState } from 'preact/hooks';
import { PAGE_REFRESH } from '../../model/page-limits.ts';

export interface Loaded<T> {
  readonly value: T | undefined;
  /** Why the newest state is not here, in words. */
  readonly error: string | undefined;
  /** Asks again at once. */
  readonly again: () => void;
}

interface Kept<T> {
  readonly key: string;
  readonly value: T | undefined;
  readonly error: string | undefined;
}

/**
 * What the feed does not tell is asked for: when a part of the page appears, and again when its `version` has changed, but
 * not more often than is worth it. A new `key` is another thing, of which nothing is known yet; an empty one asks nothing.
 */
export function useLoaded<T>(
  key: string,
  version: string | number,
  load: (signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const [kept, setKept] = useState<Kept<T>>({ key, value: undefined, error: undefined });
  const current = useRef(load);
  current.current = load;
  const loader = useRef<Loader | undefined>(undefined);
  useEffect(() => {
    if (key === '') return undefined;
    const mine = new Loader(async (signal) => {
      try {
        const value = await current.current(signal);
        if (!signal.aborted) setKept({ key, value, error: undefined });
      } catch (error) {
        if (!signal.aborted)
          setKept((before) => ({ ...(before.key === key ? before : empty), key, error: saying(error) }));
      }
    });
    loader.current = mine;
    return () => mine.stop();
  }, [key]);
  useEffect(() => loader.current?.want(), [key, version]);
  const { value, error } = kept.key === key ? kept : empty;
  return { value, error, again: () => loader.current?.now() };
}

const empty = { value: undefined, error: undefined };

export function saying(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One load at a time, and a pause between two. */
class Loader {
  readonly #load: (signal: AbortSignal) => Promise<void>;
  readonly #stopped = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isLoading = false;
  #isWanted = false;
  #last = Number.NEGATIVE_INFINITY;

  constructor(load: (signal: AbortSignal) => Promise<void>) {
    this.#load = load;
  }

  want(): void {
    this.#isWanted = true;
    if (this.#isLoading || this.#timer !== undefined) return;
    const wait = Math.max(0, this.#last + PAGE_REFRESH - performance.now());
    this.#timer = setTimeout(() => void this.#run(), wait);
  }

  now(): void {
    this.#last = Number.NEGATIVE_INFINITY;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.want();
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#isWanted = false;
    this.#isLoading = true;
    this.#last = performance.now();
    await this.#load(this.#stopped.signal);
    this.#isLoading = false;
    if (this.#isWanted && !this.#stopped.signal.aborted) this.want();
  }
}
