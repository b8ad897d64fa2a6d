import type { Core } from '../core.ts';
import type { Feed } from '../feed.ts';
import { Problem } from '../problem.ts';
import { WorkerAnswer, WorkerList, WorkerWork } from './answers.ts';
import { ADMINS, READERS, type Route, route } from './route.ts';

const ACTIONS = {
  drain: 'Gives a worker no more tasks; it finishes what it runs and stays.',
  undrain: 'Gives a drained worker tasks again.',
  stop: 'Dismisses a worker; what it has not finished runs elsewhere.',
} as const;

export function workerRoutes(core: Core, feed: Feed): Route[] {
  const find = (id: string) => {
    const worker = feed.worker(id);
    if (worker === undefined) throw new Problem('unknown', `there is no worker ${id}`);
    return worker;
  };
  return [
    route({
      method: 'GET',
      path: '/v1/workers',
      access: READERS,
      summary: 'The workers that are there, and those that were lost a moment ago.',
      answers: { 200: { description: 'The workers.', type: 'application/json', schema: WorkerList } },
      handle: () => ({ json: { workers: feed.workers } }),
    }),
    route({
      method: 'GET',
      path: '/v1/workers/:worker',
      access: READERS,
      summary: 'One worker.',
      answers: {
        200: { description: 'The worker.', type: 'application/json', schema: WorkerAnswer },
        404: { description: 'It is not there.' },
      },
      handle: ({ params }) => ({ json: find(params.worker) }),
    }),
    route({
      method: 'GET',
      path: '/v1/workers/:worker/work',
      access: READERS,
      summary: 'What a worker has to do, and what it has done.',
      answers: {
        200: { description: 'Its batches and its latest jobs.', type: 'application/json', schema: WorkerWork },
        404: { description: 'It is not there.' },
      },
      handle: ({ params }) => {
        const { id } = find(params.worker);
        const { workerHistories } = core;
        return { json: { given: core.given(id), jobs: workerHistories.of(id), since: workerHistories.since } };
      },
    }),
    ...(['drain', 'undrain', 'stop'] as const).map((action) =>
      route({
        method: 'POST',
        path: `/v1/workers/:worker/${action}` as '/v1/workers/:worker/x',
        access: ADMINS,
        summary: ACTIONS[action],
        answers: { 204: { description: 'It has been told.' }, 404: { description: 'There is no such worker.' } },
        handle: async ({ params }) => {
          await core.actOnWorker(params.worker, action);
          return {};
        },
      }),
    ),
  ];
}
