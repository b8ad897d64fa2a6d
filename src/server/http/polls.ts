import type { IncomingMessage, ServerResponse } from 'node:http';
import Type from 'typebox';
import { POLL_BYTES } from '../../model/limits.ts';
import { Index } from '../../protocol/shapes.ts';
import { SOCKETS } from '../auth/authority.ts';
import type { Identity } from '../peer.ts';
import type { PollSessions } from '../polls/poll-sessions.ts';
import { Problem } from '../problem.ts';
import { readSteadily } from './body.ts';
import { type Route, route } from './route.ts';

const TYPE = 'application/x-ndjson';

const HELLO = {
  kind: 'hello',
  protocol: 1,
  key: '0123456789abcdef0123456789abcdef',
  name: 'mine',
  device: 'other',
  slots: 1,
  runners: ['exec'],
  labels: {},
  resources: {},
  held: [],
};

export function pollRoutes(polls: PollSessions): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/worker/polls/:session',
      access: SOCKETS['/v1/worker']?.roles ?? [],
      summary:
        'For workers without a WebSocket: takes what the worker says, one message a line, and answers with what there is to say to it, once there is something. See P26 in PROTOCOL.md.',
      // A worker whose token is revoked hears so.
      endsTokens: true,
      query: Type.Object({ sent: Type.Optional(Index), seen: Type.Optional(Index) }),
      body: { type: TYPE, example: `${JSON.stringify(HELLO)}\n` },
      answers: {
        200: { description: 'Messages, one a line; none, if there was nothing to say for a while.', type: TYPE },
        404: { description: 'The session is over: say hello in another.' },
        408: { description: 'The lines came too slowly.' },
        409: { description: 'Lines are missing, or more were seen than were said.' },
        413: { description: 'These are more lines than one poll may bring.' },
        503: { description: 'There are too many such workers.' },
      },
      handle: async ({ request, response, params, query, identity }) => {
        await answerPoll(polls, { request, response, identity, name: params.session, ...query });
        return undefined;
      },
    }),
  ];
}

export interface PollCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly identity: Identity;
  readonly name: string;
  readonly sent?: number;
  readonly seen?: number;
  /** Ends the answer, in another way than usual. */
  readonly transmit?: (text: string) => void;
}

/** Throws a {@link Problem}. */
export async function answerPoll(
  polls: PollSessions,
  { request, response, identity, name, sent = 0, seen = 0, transmit = (text) => void response.end(text) }: PollCall,
): Promise<void> {
  const lines = await readLines(request);
  const left = new AbortController();
  response.once('close', () => left.abort());
  if (response.destroyed) left.abort();
  const said = await polls.poll(identity, name, { sent, seen, lines, gone: left.signal });
  const text = said.map((line) => `${line}\n`).join('');
  response.writeHead(200, { 'content-type': TYPE, 'content-length': Buffer.byteLength(text) });
  transmit(text);
}

async function readLines(request: IncomingMessage): Promise<string[]> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of readSteadily(request)) {
    size += part.length;
    if (size > POLL_BYTES)
      throw new Problem('tooLarge', `one poll brings at most ${POLL_BYTES} bytes: send fewer lines`);
    parts.push(part);
  }
  const lines = decoded(Buffer.concat(parts)).split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Problem('invalid', 'the lines are not UTF-8');
  }
}
