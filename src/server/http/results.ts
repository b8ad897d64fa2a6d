import type { ServerResponse } from 'node:http';
import Type from 'typebox';
import { isFailure } from '../../model/envelope.ts';
import type { JobId } from '../../model/ids.ts';
import { readColumn } from '../../protocol/column.ts';
import type { StoredSegment } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { InOrder } from '../in-order.ts';
import { Problem } from '../problem.ts';
import { type Order, ResultInbox } from '../result-inbox.ts';
import { RecordLine } from './answers.ts';
import { writeAll } from './body.ts';
import { recordLines, type StoredOutcome } from './records.ts';
import { READERS, type Route, route } from './route.ts';

interface Query {
  readonly order?: Order;
  readonly after?: string;
  readonly follow?: boolean;
  readonly defined?: boolean;
  readonly cursors?: boolean;
  readonly brief?: boolean;
  readonly failed?: boolean;
}

/** `failuresOf`: only failures, and of no generation before this one; absent: all outcomes. */
type Told = Pick<Query, 'brief' | 'cursors'> & { readonly failuresOf: number | undefined };

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
        failed: Type.Optional(
          Type.Boolean({ description: 'Only failures, and of a job that was retried only those of the last time.' }),
        ),
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
  const failuresOf = query.failed ? (await core.readJob(job))?.progress.generation : undefined;
  const told = { ...query, failuresOf };
  response.once('close', () => inbox.close());
  response.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'content-disposition': `attachment; filename="job-${job}.ndjson"`,
  });
  response.flushHeaders();
  try {
    const lines = order === 'index' ? inIndexOrder(core, inbox, after, told) : asCompleted(core, inbox, after, told);
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
  told: Told,
): AsyncGenerator<Uint8Array | string> {
  let cursor = after;
  for await (const arrival of inbox) {
    if (arrival.kind === 'mark') continue;
    cursor = arrival.cursor;
    yield* wantedLines(core, arrival.stored, told);
    if (told.cursors) yield cursorLine(`c${cursor}`);
  }
  if (told.cursors) yield cursorLine(`c${cursor}`);
}

async function* inIndexOrder(
  core: Core,
  inbox: ResultInbox,
  after: number,
  told: Told,
): AsyncGenerator<Uint8Array | string> {
  const order = new InOrder(core.store, after);
  for await (const arrival of inbox) {
    if (arrival.kind === 'batch') order.add(arrival.stored);
    const ready = arrival.kind === 'batch' ? order.ready() : order.upTo(arrival.next);
    const before = order.next;
    for await (const stored of ready) yield* wantedLines(core, stored, told);
    if (told.cursors && order.next > before) yield cursorLine(`i${order.next}`);
  }
  if (told.cursors) yield cursorLine(`i${order.next}`);
}

async function* wantedLines(
  core: Core,
  { segment, column }: StoredSegment,
  { brief = false, failuresOf }: Told,
): AsyncGenerator<Uint8Array | string> {
  if (failuresOf === undefined) {
    yield* recordLines(segment, readColumn(column), core.blobs, { brief });
  } else if (segment.failed > 0 && segment.generation >= failuresOf) {
    const wants = ({ status }: StoredOutcome) => isFailure(status);
    yield* recordLines(segment, readColumn(column), core.blobs, { brief, wants });
  }
}

function cursorLine(cursor: string): string {
  return `${JSON.stringify({ cursor })}\n`;
}
