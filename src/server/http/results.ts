import type { ServerResponse } from 'node:http';
import Type from 'typebox';
import type { JobId } from '../../model/ids.ts';
import { RESULT_WINDOW_BYTES } from '../../model/limits.ts';
import { readColumn } from '../../protocol/column.ts';
import type { StoredSegment } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Problem } from '../problem.ts';
import type { ResultStream } from '../result-stream.ts';
import { RecordLine } from './answers.ts';
import { writeAll } from './body.ts';
import { InOrder } from './in-order.ts';
import { recordLines } from './records.ts';
import { READERS, type Route, route } from './route.ts';

type Order = 'index' | 'completion';

interface Query {
  readonly order?: Order;
  readonly after?: string;
  readonly follow?: boolean;
  readonly defined?: boolean;
  readonly cursors?: boolean;
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
  const inbox = await Inbox.open(core, job, {
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
  inbox: Inbox,
  after: number,
  query: Query,
): AsyncGenerator<Uint8Array | string> {
  let cursor = after;
  for await (const arrival of inbox) {
    if (arrival.kind === 'mark') continue;
    cursor = arrival.cursor;
    yield* recordLines(arrival.stored.segment, readColumn(arrival.stored.column), core.blobs);
    if (query.cursors) yield cursorLine(`c${cursor}`);
  }
  if (query.cursors) yield cursorLine(`c${cursor}`);
}

async function* inIndexOrder(
  core: Core,
  inbox: Inbox,
  after: number,
  query: Query,
): AsyncGenerator<Uint8Array | string> {
  const order = new InOrder(core.store, after);
  for await (const arrival of inbox) {
    if (arrival.kind === 'batch') order.add(arrival.stored);
    const ready = arrival.kind === 'batch' ? order.ready() : order.upTo(arrival.next);
    const before = order.next;
    for await (const { segment, column } of ready) yield* recordLines(segment, readColumn(column), core.blobs);
    if (query.cursors && order.next > before) yield cursorLine(`i${order.next}`);
  }
  if (query.cursors) yield cursorLine(`i${order.next}`);
}

function cursorLine(cursor: string): string {
  return `${JSON.stringify({ cursor })}\n`;
}

type Arrival =
  | { readonly kind: 'batch'; readonly stored: StoredSegment; readonly cursor: number }
  | { readonly kind: 'mark'; readonly next: number };

/** What a result stream has sent and the reader has not taken; never more than the credit. */
class Inbox implements AsyncIterable<Arrival> {
  readonly #core: Core;
  readonly #arrived: Arrival[] = [];
  #stream: ResultStream | undefined;
  #taken = 0;
  #over = false;
  #error: unknown;
  #wake: () => void = () => {};

  private constructor(core: Core) {
    this.#core = core;
  }

  static async open(
    core: Core,
    job: JobId,
    query: { order: Order; after: number; follow: boolean; defined: boolean },
  ): Promise<Inbox> {
    const inbox = new Inbox(core);
    const { order, after, defined } = query;
    inbox.#stream = await core.openStream(
      job,
      { order, after, defined, credit: RESULT_WINDOW_BYTES },
      {
        batch: (stored, cursor) => inbox.#put({ kind: 'batch', stored, cursor }),
        mark: (next) => void inbox.#put({ kind: 'mark', next }),
        end: () => inbox.#finish(undefined),
        failed: (error) => inbox.#finish(error),
        idle: () => {
          if (!query.follow) inbox.#finish(undefined);
        },
      },
    );
    inbox.#stream.pump();
    return inbox;
  }

  close(): void {
    this.#finish(undefined);
    if (this.#stream !== undefined) this.#core.closeStream(this.#stream);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Arrival> {
    for (;;) {
      const next = this.#arrived.shift();
      if (next !== undefined) {
        yield next;
        if (next.kind === 'batch') this.#giveBack(next.stored.column.length);
      } else if (this.#error !== undefined) {
        throw this.#error;
      } else if (this.#over) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Credit in few pieces, so that the store is asked for large ones. */
  #giveBack(bytes: number): void {
    this.#taken += bytes;
    if (this.#over || (this.#taken < RESULT_WINDOW_BYTES / 4 && this.#arrived.length > 0)) return;
    const credit = this.#taken;
    this.#taken = 0;
    if (credit > 0) this.#stream?.addCredit(credit);
  }

  #put(arrival: Arrival): number {
    if (this.#over) return 0;
    this.#arrived.push(arrival);
    this.#wake();
    return arrival.kind === 'batch' ? arrival.stored.column.length : 0;
  }

  #finish(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wake();
  }
}
