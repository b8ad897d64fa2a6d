import { setTimeout as sleep } from 'node:timers/promises';
import { EventStreamReader } from '../dashboard/event-stream.ts';
import { type FarmView, fold, nothingSeen } from '../dashboard/fold.ts';
import type { FeedMessage } from '../model/feed.ts';
import { EVENTS_SILENCE } from '../model/page-limits.ts';
import { Api } from './api.ts';
import { ExitCode, NoServerError } from './errors.ts';
import { mustFindServer, type ServerOptions } from './find-server.ts';
import { Interrupts } from './interrupts.ts';
import { farmLine, farmText } from './output/farm-text.ts';

/** Milliseconds between two drawings on a terminal, and between two lines elsewhere. */
const REDRAW_EVERY = 500;
const LINE_EVERY = 1_000;
/** Milliseconds before a server that went away is asked again. */
const TRY_AGAIN = 1_000;

/**
 * The whole farm by the feed and the fold of the dashboard, until somebody has seen enough: a screen on a terminal, lines
 * elsewhere, or the messages of the feed as they are.
 */
export async function watchFarm(options: ServerOptions & { json?: true }): Promise<number> {
  const api = new Api(await mustFindServer(options));
  const interrupts = new Interrupts(() => process.exit(ExitCode.interrupted));
  let view = nothingSeen;
  const hear = (message: FeedMessage): void => {
    view = fold(view, message);
    if (options.json) process.stdout.write(`${JSON.stringify(message)}\n`);
  };
  const stopShowing = options.json ? () => {} : show(() => view);
  try {
    for (let isFirst = true; ; isFirst = false) {
      // The first failure is told; later ones pass, as a restart of the server does.
      await follow(api, view.cursor, hear).catch((error: unknown) => {
        if (isFirst || !(error instanceof NoServerError)) throw error;
      });
      await sleep(TRY_AGAIN);
    }
  } finally {
    stopShowing();
    interrupts.end();
  }
}

/** Until the server ends the stream, or goes away, or nothing is heard of it. */
async function follow(api: Api, after: string | undefined, hear: (message: FeedMessage) => void): Promise<void> {
  const path = after === undefined ? 'v1/events' : `v1/events?after=${encodeURIComponent(after)}`;
  const response = await api.open('GET', path);
  const reader = new EventStreamReader();
  const silence = setTimeout(() => response.destroy(), EVENTS_SILENCE);
  response.setEncoding('utf8');
  try {
    for await (const text of response) {
      silence.refresh();
      for (const { data } of reader.push(text as string)) hear(JSON.parse(data) as FeedMessage);
    }
  } catch {
    // Cut off: asked again from the last cursor.
  } finally {
    clearTimeout(silence);
    api.doubt();
  }
}

/** Draws what is seen now and then; returns its end. */
function show(seen: () => FarmView): () => void {
  const screen = process.stdout;
  let shown: FarmView | undefined;
  let heardAt = 0;
  let said = '';
  let lines = 0;
  const draw = (): void => {
    const view = seen();
    if (!view.isComplete) return;
    if (!screen.isTTY) {
      const line = farmLine(view);
      if (line !== said) screen.write(line);
      said = line;
      return;
    }
    // Rates fall while nothing is heard, so time goes on without news.
    if (view !== shown) heardAt = performance.now();
    shown = view;
    const text = farmText(view, view.at + performance.now() - heardAt, screen.rows ?? 24);
    const rows = text.split('\n').map((line) => line.slice(0, (screen.columns ?? 80) - 1));
    screen.write(`${lines > 0 ? `\x1b[${lines}A` : ''}\x1b[J${rows.join('\n')}`);
    lines = rows.length - 1;
  };
  const timer = setInterval(draw, screen.isTTY ? REDRAW_EVERY : LINE_EVERY);
  return () => clearInterval(timer);
}
