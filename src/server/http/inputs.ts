import Type from 'typebox';
import type { JobId } from '../../model/ids.ts';
import { VALUE_DEPTH } from '../../model/limits.ts';
import { breakOf, isDeeperThan } from '../../protocol/json-text.ts';
import { Index } from '../../protocol/shapes.ts';
import { type Encoded, fromJsonText } from '../../protocol/values/value.ts';
import { ValueError } from '../../protocol/values/value-error.ts';
import type { Core } from '../core.ts';
import { Problem } from '../problem.ts';
import { InputsTaken, JobAnswer } from './answers.ts';
import { readSteadily } from './body.ts';
import { problemOf } from './failure.ts';
import { InputUpload, linesOf } from './input-upload.ts';
import { viewOf } from './jobs.ts';
import { type Reply, type Route, route, SUBMITTERS } from './route.ts';

const gone = { 404: { description: 'There is no such job.' } };

export function inputRoutes(core: Core): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/jobs/:job/inputs',
      access: SUBMITTERS,
      summary:
        'Adds inputs to an open job, one JSON value a line. What is stored already is compared and not added again, so a cut upload may be sent again.',
      query: Type.Object({ from: Type.Optional(Index) }),
      body: { type: 'application/x-ndjson', example: '1\n2\n3\n' },
      answers: {
        200: {
          description: 'All of them are on disk; "total" is how many inputs the job has now.',
          type: 'application/json',
          schema: InputsTaken,
        },
        400: { description: 'A line is not JSON; "line" says which, "total" what is on disk.' },
        ...gone,
        408: { description: 'The lines came too slowly; "total" says where to go on.' },
        409: { description: 'There is a gap, or another value is stored; "total" says where to go on.' },
        413: { description: 'A line is too long; "line" says which.' },
        507: { description: 'The disk is full; "total" says what was kept.' },
      },
      handle: ({ params, query, request }) => addInputs(core, params.job, query.from ?? 0, readSteadily(request)),
    }),
    route({
      method: 'POST',
      path: '/v1/jobs/:job/close',
      access: SUBMITTERS,
      summary: 'Says that an open job has all its inputs.',
      body: { type: 'application/json', schema: Type.Object({ total: Type.Optional(Index) }), optional: true },
      answers: {
        200: { description: 'The job.', type: 'application/json', schema: JobAnswer },
        ...gone,
        400: { description: 'The job has not as many inputs as "total" says.' },
        409: { description: 'It has ended, and not with so many inputs.' },
      },
      handle: async ({ params, body }) => {
        const known = await viewOf(core, params.job);
        await core.closeJob(params.job, body?.total ?? known.progress.total);
        return { json: await viewOf(core, params.job) };
      },
    }),
  ];
}

async function addInputs(core: Core, job: JobId, from: number, parts: AsyncIterable<Uint8Array>): Promise<Reply> {
  const upload = await InputUpload.open(core, job, from);
  try {
    for await (const { number, text } of linesOf(parts)) await upload.add(encodeLine(text, number));
    await upload.finish();
  } catch (error) {
    const problem = problemOf(error);
    if (problem === undefined) throw error;
    const known = await core.readJob(job);
    const extra = { total: known?.progress.total, ...problem.extra };
    throw new Problem(problem.code, problem.message, { headers: problem.headers, extra });
  }
  return { json: { job, from, count: upload.next - from, total: (await viewOf(core, job)).progress.total } };
}

function encodeLine(text: string, line: number): Encoded {
  const wrong = (what: string, extra: object = {}) =>
    new Problem('invalid', `line ${line} ${what}`, { extra: { line, ...extra } });
  if (text.trim() === '') throw wrong('is empty: one JSON value a line');
  if (isDeeperThan(text, VALUE_DEPTH)) throw wrong(`is nested deeper than ${VALUE_DEPTH} levels`);
  try {
    return fromJsonText(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const found = breakOf(text);
    if (found === undefined) throw wrong(error.problem);
    throw wrong(`is not JSON: at column ${found.column} ${found.problem}`, { column: found.column });
  }
}
