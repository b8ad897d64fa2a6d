import type { FeedMessage } from '../../model/feed.ts';
import { RECONNECT_BASE } from '../../model/limits.ts';
import { EVENTS_SILENCE, PAGE_HIDDEN, PAGE_RECONNECT_CAP } from '../../model/page-limits.ts';
import { EventStreamReader } from '../event-stream.ts';
import { type Api, ApiError } from './api.ts';

/** How the page stands to its server. */
export type Link =
  | { readonly state: 'connecting' | 'live' | 'hidden' }
  /** The page has no token, and no other tab has one for it. */
  | { readonly state: 'unknown' }
  /** It does not answer; the page tries again by itself. */
  | { readonly state: 'away' }
  /** The token is not good, or not good for this. */
  | { readonly state: 'refused'; readonly status: number; readonly message: string };

export interface FeedListener {
  message(message: FeedMessage): void;
  link(link: Link): void;
}

/**
 * Reads `/v1/events` for as long as the page is open, and goes on where it was after a cut. A page that nobody looks at
 * lets go: browsers open only six connections to a server, and a seventh tab would wait for ever.
 */
export class FeedReader {
  readonly #api: Api;
  readonly #listener: FeedListener;
  readonly #stopped = new AbortController();
  #cursor: string | undefined;
  #attempts = 0;

  constructor(api: Api, listener: FeedListener) {
    this.#api = api;
    this.#listener = listener;
    void this.#run();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    this.#listener.link({ state: 'connecting' });
    while (!signal.aborted) {
      try {
        await seen(signal);
        await this.#read();
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
          this.#listener.link({ state: 'refused', status: error.status, message: error.message });
          return;
        }
      }
      if (signal.aborted) return;
      if (document.hidden) {
        this.#listener.link({ state: 'hidden' });
        continue;
      }
      this.#listener.link({ state: 'away' });
      await this.#pause();
    }
  }

  /** Resolves or rejects when the stream is over, for whatever reason. */
  async #read(): Promise<void> {
    const cut = new AbortController();
    const watch = watchVisibility(() => cut.abort());
    let silence: ReturnType<typeof setTimeout> | undefined;
    const hear = () => {
      clearTimeout(silence);
      silence = setTimeout(() => cut.abort(), EVENTS_SILENCE);
    };
    try {
      hear();
      const signal = AbortSignal.any([cut.signal, this.#stopped.signal]);
      const from = this.#cursor === undefined ? '' : `?after=${encodeURIComponent(this.#cursor)}`;
      const response = await this.#api.ask(`/v1/events${from}`, { signal });
      const reader = response.body?.getReader();
      const decoder = new TextDecoder();
      const stream = new EventStreamReader();
      // After a cut the server has nothing to say until something happens: that it answers is enough.
      if (this.#cursor !== undefined) this.#live();
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
        if (done) return;
        hear();
        for (const { data } of stream.push(decoder.decode(value, { stream: true }))) this.#take(data);
      }
    } finally {
      clearTimeout(silence);
      watch();
    }
  }

  #take(data: string): void {
    const message = JSON.parse(data) as FeedMessage;
    // Half a snapshot is no place to go on from.
    this.#cursor = message.kind === 'snapshot' ? undefined : message.cursor;
    this.#listener.message(message);
    if (message.kind === 'boundary') this.#live();
  }

  #live(): void {
    this.#attempts = 0;
    this.#listener.link({ state: 'live' });
  }

  /** Full jitter, so that pages do not come back all at once; sooner when the network is back or somebody looks. */
  async #pause(): Promise<void> {
    const longest = Math.min(PAGE_RECONNECT_CAP, RECONNECT_BASE * 2 ** ++this.#attempts);
    const { signal } = this.#stopped;
    await new Promise<void>((resolve) => {
      const done = new AbortController();
      const end = () => {
        done.abort();
        resolve();
      };
      setTimeout(end, 100 + Math.random() * longest);
      addEventListener('online', end, { signal: done.signal });
      document.addEventListener('visibilitychange', end, { signal: done.signal });
      signal.addEventListener('abort', end, { signal: done.signal });
    });
  }
}

/** Calls back when the page has been hidden for a while; returns its stop. */
function watchVisibility(hidden: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(hidden, PAGE_HIDDEN);
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}

/** Waits until somebody looks at the page. */
async function seen(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return;
  await new Promise<void>((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      signal.removeEventListener('abort', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look);
  });
}
