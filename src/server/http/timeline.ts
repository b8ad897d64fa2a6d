import Type from 'typebox';
import { BLOCK_TASKS, PAGE_ROWS_MAX } from '../../model/limits.ts';
import { TIMELINE_BATCHES } from '../../model/past-limits.ts';
import { Count, Index } from '../../protocol/shapes.ts';
import type { Core } from '../core.ts';
import { TaskMaps } from '../task-map.ts';
import { type TimelineQuery, timelineOf } from '../timeline.ts';
import { TaskMapAnswer, TimelineAnswer } from './answers.ts';
import { viewOf } from './jobs.ts';
import { READERS, type Route, route } from './route.ts';

const Query = Type.Object({
  from: Type.Optional(Type.Number({ minimum: 0, description: 'Milliseconds since 1970.' })),
  to: Type.Optional(Type.Number({ minimum: 0, description: 'Milliseconds since 1970.' })),
  after: Type.Optional(Index),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: TIMELINE_BATCHES })),
});

const MapQuery = Type.Object({
  from: Type.Optional(Index),
  count: Type.Optional(Count),
  cells: Type.Optional(Type.Integer({ minimum: 1, maximum: BLOCK_TASKS })),
});

/** Which worker ran what, and when; and how all tasks stand. */
export function timelineRoutes(core: Core): Route[] {
  const maps = new TaskMaps(
    () => core.store,
    () => performance.now(),
  );
  return [
    route({
      method: 'GET',
      path: '/v1/jobs/:job/map',
      access: READERS,
      summary: 'How the tasks of a job stand: a letter for each, or for each cell of equally many.',
      query: MapQuery,
      answers: {
        200: { description: 'The map.', type: 'application/json', schema: TaskMapAnswer },
        404: { description: 'There is no such job.' },
      },
      handle: async ({ params: { job }, query }) => {
        const { progress } = await viewOf(core, job);
        const { from = 0, count = progress.total, cells = BLOCK_TASKS } = query;
        const running = core.loop.scheduler?.inFlight(job, PAGE_ROWS_MAX) ?? [];
        return { json: await maps.of(job, progress, running, { from, count, cells }) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/timeline',
      access: READERS,
      summary: 'The batches of a job as bars, in a time of it, every n-th where there are many; or all, in pages.',
      query: Query,
      answers: {
        200: {
          description:
            'With "after", which begins at 0: the batches in the order in which they ended; "next" is the "after" of the next page, and the last one tells the attempts.',
          type: 'application/json',
          schema: TimelineAnswer,
        },
        404: { description: 'There is no such job.' },
      },
      handle: async ({ params: { job }, query }) => {
        const { progress } = await viewOf(core, job);
        const { store, loop } = core;
        const source = { store, scheduler: loop.scheduler, segments: progress.segments, now: Date.now() };
        return { json: await timelineOf(source, job, wanted(query)) };
      },
    }),
  ];
}

function wanted({ from, to, after, limit = PAGE_ROWS_MAX }: Type.Static<typeof Query>): TimelineQuery {
  if (after !== undefined) return { kind: 'after', after, limit };
  return { kind: 'between', from: from ?? 0, to: to ?? Number.MAX_SAFE_INTEGER, limit };
}
