import { createHash } from 'node:crypto';
import Type from 'typebox';
import type { JobView } from '../../model/feed.ts';
import type { JobId } from '../../model/ids.ts';
import { hasEnded, type Job, type JobState } from '../../model/job.ts';
import { PAGE_ROWS, PAGE_ROWS_MAX } from '../../model/limits.ts';
import { Submit } from '../../protocol/client-messages.ts';
import { Count, Index, RangeShape, Sha256, ShortText } from '../../protocol/shapes.ts';
import { fromJsonText } from '../../protocol/values/value.ts';
import { ValueError } from '../../protocol/values/value-error.ts';
import type { Core, JobAction, SubmitSpec } from '../core.ts';
import { Problem } from '../problem.ts';
import { readSteadily } from './body.ts';
import { InputUpload, linesOf } from './input-upload.ts';
import { type Call, READERS, type Reply, type Route, route, SUBMITTERS } from './route.ts';

const { priority, weight, retries, maxFailures, timeout, requires, cpus, memory, resources, fenced } =
  Submit.properties;

const NewJob = Type.Object(
  {
    name: Type.Optional(ShortText),
    code: Type.Union([
      Type.String({ description: 'An ES module with a default export.' }),
      Type.Object({ sha256: Sha256 }, { description: 'A blob that was uploaded before.' }),
    ]),
    sourceName: Type.Optional(ShortText),
    runner: Type.Optional(Submit.properties.code.properties.runner),
    inputs: Type.Optional(Type.Array(Type.Unknown(), { description: 'One task for each value, in its JSON form.' })),
    range: Type.Optional(RangeShape),
    open: Type.Optional(Type.Boolean({ description: 'More inputs follow, until the job is closed.' })),
    idempotencyKey: Type.Optional(ShortText),
    ...{ priority, weight, retries, maxFailures, timeout, requires, cpus, memory, resources, fenced },
  },
  { additionalProperties: false },
);
type NewJob = Type.Static<typeof NewJob>;

const jobAnswer = { description: 'The job.', type: 'application/json' };
const ACTIONS = ['cancel', 'pause', 'resume', 'retry'] as const;

export function jobRoutes(core: Core): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/jobs',
      access: SUBMITTERS,
      summary:
        'Submits a job: code, and inputs or a range; or "open": true, then inputs in further requests. With an Idempotency-Key the same request makes one job, however often it is sent.',
      body: { type: 'application/json', schema: NewJob },
      answers: {
        200: { description: 'The job that this key has made before.', type: 'application/json' },
        201: jobAnswer,
        409: { description: 'The key belongs to another job.' },
      },
      handle: (call) => submit(core, call),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs',
      access: READERS,
      summary: 'Jobs, newest first.',
      query: Type.Object({
        before: Type.Optional(Count),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ROWS_MAX })),
        state: Type.Optional(
          Type.Union(['active', 'paused', 'done', 'failed', 'cancelled'].map((state) => Type.Literal(state))),
        ),
      }),
      answers: { 200: { description: 'One page; "next" is the "before" of the next one.', type: 'application/json' } },
      handle: ({ query }) => list(core, query as { before?: number; limit?: number; state?: JobState }),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job',
      access: READERS,
      summary: 'What a job is and how far it is.',
      answers: { 200: jobAnswer, 404: { description: 'There is no such job.' } },
      handle: async ({ params }) => ({ json: await viewOf(core, params.job) }),
    }),
    route({
      method: 'DELETE',
      path: '/v1/jobs/:job',
      access: SUBMITTERS,
      summary: 'Forgets an ended job: inputs, results, logs.',
      answers: { 204: { description: 'It is gone.' }, 409: { description: 'It has not ended: cancel it first.' } },
      handle: async ({ params }) => {
        await core.act(params.job, 'forget');
        return {};
      },
    }),
    ...ACTIONS.map((action) => actionRoute(core, action)),
    ...inputRoutes(core),
  ];
}

function actionRoute(core: Core, action: Exclude<JobAction, 'forget'>): Route {
  const summaries = {
    cancel: 'Ends a job; what runs is stopped.',
    pause: 'Hands out no more tasks of a job; what runs goes on.',
    resume: 'Goes on with a paused job.',
    retry: 'Runs the failed tasks of an ended job again.',
  };
  return route({
    method: 'POST',
    path: `/v1/jobs/:job/${action}` as '/v1/jobs/:job/x',
    access: SUBMITTERS,
    summary: summaries[action],
    answers: {
      200: jobAnswer,
      404: { description: 'There is no such job.' },
      409: { description: 'Not in this state.' },
    },
    handle: async ({ params }) => {
      await core.act(params.job, action);
      return { json: await viewOf(core, params.job) };
    },
  });
}

function inputRoutes(core: Core): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/jobs/:job/inputs',
      access: SUBMITTERS,
      summary:
        'Adds inputs to an open job, one JSON value a line. What is stored already is compared and not added again, so a cut upload may be sent again.',
      query: Type.Object({ from: Type.Optional(Index) }),
      body: { type: 'application/x-ndjson' },
      answers: {
        200: {
          description: 'All of them are on disk; "total" is how many inputs the job has now.',
          type: 'application/json',
        },
        400: { description: 'A line is not JSON; "line" says which, "total" what is on disk.' },
        409: { description: 'There is a gap, or another value is stored; "total" says where to go on.' },
      },
      handle: ({ params, query, request }) => addInputs(core, params.job, query.from ?? 0, readSteadily(request)),
    }),
    route({
      method: 'POST',
      path: '/v1/jobs/:job/close',
      access: SUBMITTERS,
      summary: 'Says that an open job has all its inputs.',
      body: { type: 'application/json', schema: Type.Object({ total: Type.Optional(Index) }), optional: true },
      answers: { 200: jobAnswer, 409: { description: 'The job has not as many inputs as "total" says.' } },
      handle: async ({ params, body }) => {
        const known = await viewOf(core, params.job);
        await core.closeJob(params.job, body?.total ?? known.progress.total);
        return { json: await viewOf(core, params.job) };
      },
    }),
  ];
}

export async function viewOf(core: Core, job: JobId): Promise<JobView> {
  const known = await core.readJob(job);
  if (known === undefined) throw new Problem('unknown', `there is no job ${job}`);
  return view(core, known);
}

function view(core: Core, { id, spec, progress }: Pick<Job, 'id' | 'spec' | 'progress'>): JobView {
  const { waiting, running } = core.liveCounts(id);
  return { id, spec, progress, waiting, running };
}

async function list(core: Core, query: { before?: number; limit?: number; state?: JobState }): Promise<Reply> {
  const limit = query.limit ?? PAGE_ROWS;
  const rows = await core.store.listJobs({
    limit,
    ...(query.before === undefined ? {} : { before: query.before }),
    ...(query.state === undefined ? {} : { states: [query.state] }),
  });
  const next = rows.length === limit ? rows.at(-1)?.id : undefined;
  return { json: { jobs: rows.map((job) => view(core, job)), ...(next === undefined ? {} : { next }) } };
}

async function submit(core: Core, { body, identity, request }: Call<unknown, unknown, NewJob>): Promise<Reply> {
  const given = [body.inputs !== undefined, body.range !== undefined].filter(Boolean).length;
  if (given === 2) throw new Problem('invalid', 'a job has inputs or a range, not both');
  if (given === 0 && body.open !== true) throw new Problem('invalid', 'a job needs inputs, a range, or "open": true');
  if (body.range !== undefined && body.open === true)
    throw new Problem('invalid', 'a range is complete: leave "open" out');
  const header = request.headers['idempotency-key'];
  const key = typeof header === 'string' ? header : body.idempotencyKey;
  if (key !== undefined && key.length > 256)
    throw new Problem('invalid', 'an idempotency key has at most 256 characters');
  const { spec, code } = await specOf(core, body, key);
  const { job, existing } = await core.submit(spec, identity.token, body.range === undefined, code);
  if (body.inputs !== undefined) await addAll(core, job, body.inputs, body.open === true);
  return {
    status: existing ? 200 : 201,
    headers: { location: `/v1/jobs/${job}` },
    json: await viewOf(core, job),
  };
}

async function specOf(core: Core, body: NewJob, key: string | undefined): Promise<{ spec: SubmitSpec; code?: string }> {
  const { code, inputs: _inputs, open: _open, name, sourceName, runner, idempotencyKey: _key, ...options } = body;
  const named = sourceName ?? (name === undefined ? 'task.js' : name);
  const about = { runner: runner ?? 'js', sourceName: named } as const;
  const common = { ...options, name: name ?? named, ...(key === undefined ? {} : { idempotencyKey: key }) };
  if (typeof code === 'string') {
    const bytes = Buffer.from(code);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { spec: { ...common, code: { ...about, sha256, size: bytes.length } }, code };
  }
  const size = await core.blobs.size(code.sha256);
  if (size === undefined) {
    throw new Problem('invalid', `blob ${code.sha256} was not uploaded: PUT /v1/blobs/${code.sha256} first`);
  }
  return { spec: { ...common, code: { ...about, sha256: code.sha256, size } } };
}

async function addAll(core: Core, job: JobId, inputs: readonly unknown[], stayOpen: boolean): Promise<void> {
  try {
    const upload = await InputUpload.open(core, job, 0);
    for (const [index, input] of inputs.entries()) await upload.add(encode(input, index));
    await upload.finish();
    if (!stayOpen) await core.closeJob(job, inputs.length);
  } catch (error) {
    // A job whose first tasks all failed may end while its last inputs are on their way: that is its answer.
    const known = await core.readJob(job);
    if (known === undefined || !hasEnded(known.progress.state)) throw error;
  }
}

function encode(input: unknown, index: number) {
  try {
    return fromJsonText(JSON.stringify(input));
  } catch (error) {
    throw error instanceof ValueError ? error.about(`input ${index}`) : error;
  }
}

async function addInputs(core: Core, job: JobId, from: number, parts: AsyncIterable<Uint8Array>): Promise<Reply> {
  const upload = await InputUpload.open(core, job, from);
  try {
    for await (const { number, text } of linesOf(parts)) await upload.add(encodeLine(text, number));
    await upload.finish();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const known = await core.readJob(job);
    const extra = { total: known?.progress.total, ...error.extra };
    throw new Problem(error.code, error.message, { headers: error.headers, extra });
  }
  return { json: { job, from, count: upload.next - from, total: (await viewOf(core, job)).progress.total } };
}

function encodeLine(text: string, line: number) {
  try {
    if (text.trim() === '') throw new ValueError('', 'is empty');
    return fromJsonText(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new Problem('invalid', error.about(`line ${line}`).message, { extra: { line } });
  }
}
