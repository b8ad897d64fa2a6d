import Type from 'typebox';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import { PAGE_ROWS, PAGE_ROWS_MAX } from '../../model/limits.ts';
import { Index } from '../../protocol/shapes.ts';
import type { Core } from '../core.ts';
import { LogPage } from './answers.ts';
import { viewOf } from './jobs.ts';
import { READERS, type Reply, type Route, route } from './route.ts';
import { mustExist } from './tasks.ts';

const LogQuery = Type.Object({
  after: Type.Optional(Index),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ROWS_MAX })),
});
type LogQuery = Type.Static<typeof LogQuery>;

const answers = {
  200: {
    description: 'Oldest first; "next" is the "after" of the next page.',
    type: 'application/json',
    schema: LogPage,
  },
  404: { description: 'There is no such job, or task.' },
};

export function logRoutes(core: Core): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index/logs',
      access: READERS,
      summary: 'What a task printed.',
      query: LogQuery,
      answers,
      handle: ({ params, query }) => logs(core, params.job, params.index, query),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/logs',
      access: READERS,
      summary: 'What the tasks of a job printed.',
      query: LogQuery,
      answers,
      handle: ({ params, query }) => logs(core, params.job, undefined, query),
    }),
  ];
}

async function logs(core: Core, job: JobId, index: TaskIndex | undefined, query: LogQuery): Promise<Reply> {
  // A silent answer would be that of a task that printed nothing.
  await (index === undefined ? viewOf(core, job) : mustExist(core, job, index));
  const limit = query.limit ?? PAGE_ROWS;
  const of = index === undefined ? {} : { index };
  const rows = await core.store.readLogs(job, { after: query.after ?? 0, limit, ...of });
  const next = rows.length === limit ? rows.at(-1)?.cursor : undefined;
  const shown = rows.map(({ cursor, log: { index: task, stream, at, text } }) => ({
    cursor,
    index: task,
    stream,
    at,
    text,
  }));
  return { json: { logs: shown, ...(next === undefined ? {} : { next }) } };
}
