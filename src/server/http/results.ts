import type { ServerResponse } from 'node:http';
import Type from 'typebox';
import type { JobId } from '../../model/ids.ts';
import { readColumn } from '../../protocol/column.ts';
import type { Core } from '../core.ts';
import { InOrder } from '../in-order.ts';
import { Problem } from '../problem.ts';
import { type Order, ResultInbox } from '../result-inbox.ts';
import { RecordLine } from './answers.ts';
import { writeAll } from './body.ts';
import { recordLines } from './records.ts';
import { READERS, type Route, route } from './route.ts';

interface Query {
  readonly order?: Order;
  readonly after?: string;
  readonly follow?: boolean;
  readonly defined?: boolean;
  readonly cursors?: boolean;
  readonly brief?: boolean;
}

export function resultRoutes(core: Core): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/jobs/:job/results',
      access: READERS,
      ticket: true,
      summary:
        'Outcomes as NDJSON, one record a task. In index order (usual) they stop before the first task that has not ended, unless they follow; in completion order they come as they were recorded. With "cursors" a line {"cursor":…} says where to go on.',
      query: Type.Object({
        order: Type.Optional(Type.Union([Type.Literal('index'), Type.Literal('completion')])),
        after: Type.Optional(Type.String({ pattern: '^[ic][0-9]{1,16}$', description: 'A cursor.' })),
        follow: Type.Optional(Type.Boolean({ description: 'Goes on until the job has ended.' })),
        defined: Type.Optional(Type.Boolean({ description: 'Leaves out results that are undefined.' })),
        cursors: Type.Optional(Type.Boolean({ description: 'Tells cursors between the records.' })),
        brief: Type.Optional(
          Type.Boolean({
            description: 'Tells of large values only which blobs they are, so that all lines are short.',
          }),
        ),
      }),
      answers: {
        200: {
          description: 'One record a line, and cursors where asked for.',
          type: 'application/x-ndjson',
          schema: RecordLine,
        },
        404: { description: 'There is no such job.' },
      },
      handle: async ({ params, query, response }) => {
        await sendResults(core, params.job, query, response);
        return undefined;
      },
    }),
  ];
}

async function sendResults(core: Core, job: JobId, query: Query, response: ServerResponse): Promise<void> {
  const order = query.order ?? (query.after?.startsWith('c') ? 'completion' : 'index');
  const after = cursorOf(order, query.after);
  const inbox = await ResultInbox.open(core, job, {
    order,
    after,
    follow: query.follow === true,
    defined: query.defined === true,
  });
  response.once('close', () => inbox.close());
  response.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'content-disposition': `attachment; filename="job-${job}.ndjson"`,
  });
  response.flushHeaders();
  try {
    const lines = order === 'index' ? inIndexOrder(core, inbox, after, query) : asCompleted(core, inbox, after, query);
    if (await writeAll(response, lines)) response.end();
  } finally {
    inbox.close();
  }
}

/** `i12`: from task 12 on; `c12`: after the twelfth segment. The letter keeps one order's cursor out of the other. */
function cursorOf(order: Order, text: string | undefined): number {
  if (text === undefined) return 0;
  const number = Number(text.slice(1));
  if (text[0] === (order === 'index' ? 'i' : 'c') && Number.isSafeInteger(number)) return number;
  throw new Problem('invalid', `${text} is not a cursor of ${order} order`);
}

async function* asCompleted(
  core: Core,
  inbox: ResultInbox,
  after: number,
  query: Query,
): AsyncGenerator<Uint8Array | string> {
  let cursor = after;
  for await (const arrival of inbox) {
    if (arrival.kind === 'mark') continue;
    cursor = arrival.cursor;
    yield* recordLines(arrival.stored.segment, readColumn(arrival.stored.column), core.blobs, query);
    if (query.cursors) yield cursorLine(`c${cursor}`);
  }
  if (query.cursors) yield cursorLine(`c${cursor}`);
}

async function* inIndexOrder(
  core: Core,
  inbox: ResultInbox,
  after: number,
  query: Query,
): AsyncGenerator<Uint8Array | string> {
  const order = new InOrder(core.store, after);
  for await (const arrival of inbox) {
    if (arrival.kind === 'batch') order.add(arrival.stored);
    const ready = arrival.kind === 'batch' ? order.ready() : order.upTo(arrival.next);
    const before = order.next;
    for await (const { segment, column } of ready) yield* recordLines(segment, readColumn(column), core.blobs, query);
    if (query.cursors && order.next > before) yield cursorLine(`i${order.next}`);
  }
  if (query.cursors) yield cursorLine(`i${order.next}`);
}

function cursorLine(cursor: string): string {
  return `${JSON.stringify({ cursor })}\n`;
}
