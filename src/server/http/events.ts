import type { ServerResponse } from 'node:http';
import Type from 'typebox';
import { EVENTS_BACKLOG_BYTES, EVENTS_BEAT } from '../../model/limits.ts';
import type { Feed, Published } from '../feed.ts';
import { READERS, type Route, route } from './route.ts';

export function eventRoutes(feed: Feed): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/events',
      access: READERS,
      summary:
        'What happens, as server-sent events: a snapshot, a boundary, then deltas a few times a second. The id of each event is a cursor: send the last one as Last-Event-ID to go on after it.',
      query: Type.Object({ after: Type.Optional(Type.String({ maxLength: 64 })) }),
      answers: { 200: { description: 'A stream without an end.', type: 'text/event-stream' } },
      handle: ({ request, response, query }) => {
        const last = request.headers['last-event-id'];
        stream(feed, query.after ?? (typeof last === 'string' ? last : undefined), response);
        return undefined;
      },
    }),
  ];
}

/** A reader that does not keep up is cut at the bound; its next request goes on where it was. (F-11) */
function stream(feed: Feed, after: string | undefined, response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  const write = (text: string) => {
    if (response.destroyed) return;
    if (response.writableLength > EVENTS_BACKLOG_BYTES) response.destroy();
    else response.write(text);
  };
  const stop = feed.subscribe(after, (published) => write(eventOf(published)));
  const beat = setInterval(() => write(': still here\n\n'), EVENTS_BEAT);
  response.once('close', () => {
    clearInterval(beat);
    stop();
  });
}

/** JSON has no line breaks, so one data line is enough. */
function eventOf({ message, json }: Published): string {
  const id = message.kind === 'snapshot' ? '' : `id: ${message.cursor}\n`;
  return `event: ${message.kind}\n${id}data: ${json}\n\n`;
}
