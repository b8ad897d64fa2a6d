import Type from 'typebox';
import type { JobView } from '../../model/feed.ts';
import type { JobId } from '../../model/ids.ts';
import type { Job, JobState } from '../../model/job.ts';
import { PAGE_ROWS, PAGE_ROWS_MAX } from '../../model/limits.ts';
import { Count } from '../../protocol/shapes.ts';
import type { Core, JobAction } from '../core.ts';
import { Problem } from '../problem.ts';
import { JobAnswer, JobExplainAnswer, JobPage, JobState as State } from './answers.ts';
import { READERS, type Reply, type Route, route, SUBMITTERS } from './route.ts';

const ACTIONS = ['cancel', 'pause', 'resume', 'retry'] as const;
const answer = { description: 'The job.', type: 'application/json', schema: JobAnswer };
const gone = { 404: { description: 'There is no such job.' } };

export function jobRoutes(core: Core): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/jobs',
      access: READERS,
      summary: 'Jobs, newest first.',
      query: Type.Object({
        before: Type.Optional(Count),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ROWS_MAX })),
        state: Type.Optional(State),
      }),
      answers: {
        200: {
          description: 'One page; "next" is the "before" of the next one.',
          type: 'application/json',
          schema: JobPage,
        },
      },
      handle: ({ query }) => list(core, query),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job',
      access: READERS,
      summary: 'What a job is and how far it is.',
      answers: { 200: answer, ...gone },
      handle: async ({ params }) => ({ json: await viewOf(core, params.job) }),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/explain',
      access: READERS,
      summary: 'Why tasks of a job wait.',
      answers: { 200: { description: 'Sentences.', type: 'application/json', schema: JobExplainAnswer }, ...gone },
      handle: async ({ params: { job } }) => {
        await viewOf(core, job);
        return { json: core.explainJob(job) ?? { reasons: [] } };
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/jobs/:job',
      access: SUBMITTERS,
      summary: 'Forgets an ended job: inputs, results, logs.',
      answers: {
        204: { description: 'It is gone.' },
        ...gone,
        409: { description: 'It has not ended: cancel it first.' },
      },
      handle: async ({ params }) => {
        await core.act(params.job, 'forget');
        return {};
      },
    }),
    ...ACTIONS.map((action) => actionRoute(core, action)),
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
    answers: { 200: answer, ...gone, 409: { description: 'Not in this state.' } },
    handle: async ({ params }) => {
      await core.act(params.job, action);
      return { json: await viewOf(core, params.job) };
    },
  });
}

export async function viewOf(core: Core, job: JobId): Promise<JobView> {
  const known = await core.readJob(job);
  if (known === undefined) throw new Problem('unknown', `there is no job ${job}`);
  return view(core, known);
}

function view(core: Core, { id, spec, progress }: Pick<Job, 'id' | 'spec' | 'progress'>): JobView {
  const { waiting, running } = core.live.counts(id);
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
