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
        // A browser that reconnects by itself repeats the address as it was and adds the header.
        stream(feed, typeof last === 'string' ? last : query.after, response);
        return undefined;
      },
    }),
  ];
}

/** A reader that does not keep up is cut at the bound; its next request goes on where it was. (F-11) */
function stream(feed: Feed, after: string | undefined, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
  response.flushHeaders();
  // A snapshot may be larger than the bound: what waits of it is not the reader's fault.
  let bound = EVENTS_BACKLOG_BYTES;
  const write = (text: string) => {
    if (response.destroyed) return;
    if (response.writableLength > bound) response.destroy();
    else response.write(text);
  };
  const hear = (published: Published) => {
    const text = eventOf(published);
    if (published.kind === 'snapshot') bound += Buffer.byteLength(text);
    write(text);
  };
  // A server that stops waits for its answers, and this one has no end of its own.
  const stop = feed.subscribe(after, hear, () => response.end());
  response.once('drain', () => {
    bound = EVENTS_BACKLOG_BYTES;
  });
  const beat = setInterval(() => write(': still here\n\n'), EVENTS_BEAT);
  response.once('close', () => {
    clearInterval(beat);
    stop();
  });
}

/** JSON has no line breaks, so one data line is enough. */
function eventOf({ kind, cursor, json }: Published): string {
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  return `event: ${kind}\n${id}data: ${json}\n\n`;
}
