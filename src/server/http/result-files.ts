import type { ServerResponse } from 'node:http';
import type { Core } from '../core.ts';
import { Problem } from '../problem.ts';
import { writeAll } from './body.ts';
import { csvOf } from './result-csv.ts';
import { zipOf } from './result-zip.ts';
import { READERS, type Route, route } from './route.ts';

/** Bytes, or characters of text, that are handed to a socket at once. */
const PART = 64 * 1024;

/** All results of a job as files that other programs open. */
export function resultFileRoutes(core: Core): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/jobs/:job/results.csv',
      access: READERS,
      ticket: true,
      summary:
        'Outcomes as CSV in the order of the tasks, up to the first that has not ended: a column for each field of the values. A text that a spreadsheet would take for a formula, and one that begins with an apostrophe, gets an apostrophe before it.',
      answers: {
        200: { description: 'A header, then one line a task.', type: 'text/csv' },
        404: { description: 'There is no such job.' },
      },
      handle: async ({ params: { job }, response }) => {
        await mustExist(core, job);
        return send(response, `job-${job}.csv`, 'text/csv; charset=utf-8', gathered(csvOf(core, job, response)));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/results.zip',
      access: READERS,
      ticket: true,
      summary:
        'Outcomes as a zip archive, up to the first that has not ended: values that are bytes or texts as a file each, all others as lines of results.ndjson.',
      answers: {
        200: { description: 'The archive.', type: 'application/zip' },
        404: { description: 'There is no such job.' },
      },
      handle: async ({ params: { job }, response }) =>
        send(response, `job-${job}.zip`, 'application/zip', joined(zipOf(core, await mustExist(core, job), response))),
    }),
  ];
}

async function mustExist(core: Core, job: number) {
  const known = await core.readJob(job);
  if (known === undefined) throw new Problem('unknown', `there is no job ${job}`);
  return known;
}

async function send(
  response: ServerResponse,
  name: string,
  type: string,
  parts: AsyncIterable<Uint8Array | string>,
): Promise<undefined> {
  response.writeHead(200, { 'content-type': type, 'content-disposition': `attachment; filename="${name}"` });
  response.flushHeaders();
  if (await writeAll(response, parts)) response.end();
  return undefined;
}

/** Short texts in few pieces. */
async function* gathered(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let text = '';
  for await (const piece of texts) {
    text += piece;
    if (text.length < PART) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

/** The same for bytes, each of which is waited for until the reader has taken it. */
async function* joined(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    length += piece.length;
    if (length < PART) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(waiting);
}
