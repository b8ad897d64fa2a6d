import { isFailure } from '../../model/envelope.ts';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import { hasEnded, type JobProgress } from '../../model/job.ts';
import { countRuns } from '../../model/runs.ts';
import type { StoredSegment } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Problem } from '../problem.ts';
import { ExplainAnswer, TaskAnswer } from './answers.ts';
import { viewOf } from './jobs.ts';
import { failureIn } from './records.ts';
import { READERS, type Route, route } from './route.ts';
import { inputOf, sendValue, shown, valueIn } from './task-values.ts';

const gone = { 404: { description: 'There is no such task, or not yet.' } };

export function taskRoutes(core: Core): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index',
      access: READERS,
      summary: 'One task: its state, its input and outcome where they are small, its attempts, and why it waits.',
      answers: { 200: { description: 'The task.', type: 'application/json', schema: TaskAnswer }, ...gone },
      handle: async ({ params }) => ({ json: await describe(core, params.job, params.index) }),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index/explain',
      access: READERS,
      summary: 'Why a task waits.',
      answers: {
        200: { description: 'Its state and sentences.', type: 'application/json', schema: ExplainAnswer },
        ...gone,
      },
      handle: async ({ params: { job, index } }) => {
        const { progress } = await mustExist(core, job, index);
        const { stored } = await historyOf(core, job, index, progress);
        return { json: explain(core, job, index, progress, stored) };
      },
    }),
    ...valueRoutes(core),
  ];
}

const partly = {
  206: { description: 'The range of it that was asked for: large values only.' },
  416: { description: 'It is not that long.' },
};

function valueRoutes(core: Core): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index/input',
      access: READERS,
      ticket: true,
      summary: "A task's input: JSON, or bytes as they are.",
      answers: { 200: { description: 'The input.', type: 'application/json' }, ...partly, ...gone },
      handle: async ({ params: { job, index }, request, response }) => {
        const { spec } = await mustExist(core, job, index);
        return sendValue(core, await inputOf(core, spec, job, index), request, response);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index/output',
      access: READERS,
      ticket: true,
      summary: "A task's result: JSON, or bytes as they are.",
      answers: {
        200: { description: 'The result.', type: 'application/json' },
        ...partly,
        ...gone,
        409: { description: 'The task failed; "error" says how.' },
      },
      handle: async ({ params: { job, index }, request, response }) => {
        const { progress } = await mustExist(core, job, index);
        const { stored } = await historyOf(core, job, index, progress);
        if (stored === undefined) throw new Problem('unknown', `task ${index} of job ${job} has no result yet`);
        const outcome = valueIn(stored, index);
        if (!isFailure(outcome.status)) return sendValue(core, outcome, request, response);
        const error = failureIn(outcome.bytes);
        throw new Problem('conflict', `the task failed: ${error.name}: ${error.message}`, { extra: { error } });
      },
    }),
  ];
}

/** Refuses a task that there is not. */
export async function mustExist(core: Core, job: JobId, index: TaskIndex) {
  const known = await viewOf(core, job);
  if (index < known.progress.total) return known;
  throw new Problem(
    'unknown',
    `job ${job} has ${known.progress.total} task${known.progress.total === 1 ? '' : 's'}: there is no task ${index}`,
  );
}

/** A failure of an older generation is history: `retry` has opened its task again. */
async function historyOf(core: Core, job: JobId, index: TaskIndex, { generation }: JobProgress) {
  const { segment, attempts } = await core.store.readTask(job, index);
  const isOld = segment !== undefined && segment.segment.generation < generation;
  return { stored: isOld && isFailure(valueIn(segment, index).status) ? undefined : segment, attempts };
}

async function describe(core: Core, job: JobId, index: TaskIndex): Promise<unknown> {
  const { spec, progress } = await mustExist(core, job, index);
  const { stored, attempts } = await historyOf(core, job, index, progress);
  const input = await inputOf(core, spec, job, index);
  const { state, reasons } = explain(core, job, index, progress, stored);
  const here = `/v1/jobs/${job}/tasks/${index}`;
  return {
    job,
    index,
    jobName: spec.name,
    status: state,
    ...(input === undefined ? {} : { input: shown(input) }),
    ...(stored === undefined ? { reasons } : outcomeOf(stored, index)),
    attempts: attempts.map(({ worker, outcome, endedAt, message }) => ({ worker, outcome, endedAt, message })),
    links: { input: `${here}/input`, output: `${here}/output`, logs: `${here}/logs`, explain: `${here}/explain` },
  };
}

function outcomeOf(stored: StoredSegment, index: TaskIndex) {
  const { worker, startedAt, elapsedMicros, attempts, runs } = stored.segment;
  const value = valueIn(stored, index);
  return {
    ...(isFailure(value.status) ? { error: failureIn(value.bytes) } : { output: shown(value) }),
    ...(worker === '' ? {} : { worker }),
    attempt: attempts?.find(([at]) => at === index)?.[1] ?? 1,
    // What is measured is the batch; its tasks ran one after the other.
    batch: { startedAt: Math.round(startedAt), elapsedMicros, tasks: countRuns(runs) },
  };
}

interface Explained {
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
  readonly reasons: readonly string[];
}

/** What is on disk has the last word: the scheduler knows only tasks that have not ended. */
function explain(
  core: Core,
  job: JobId,
  index: TaskIndex,
  progress: JobProgress,
  stored: StoredSegment | undefined,
): Explained {
  if (stored !== undefined) {
    const { status, bytes } = valueIn(stored, index);
    if (!isFailure(status)) return { state: 'done', reasons: ['It has ended; its result is recorded.'] };
    const { name, message } = failureIn(bytes);
    return { state: 'failed', reasons: [`It failed: ${name}: ${message}`] };
  }
  if (hasEnded(progress.state)) {
    const why = progress.reason === undefined ? '' : `: ${progress.reason}`;
    return { state: 'cancelled', reasons: [`It did not run to its end before the job ended${why}.`] };
  }
  const { state, reasons } = core.explain(job, index);
  return { state: state === 'running' ? 'running' : 'waiting', reasons };
}
