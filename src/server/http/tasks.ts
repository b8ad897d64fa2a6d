import type { IncomingMessage, ServerResponse } from 'node:http';
import Type from 'typebox';
import { isFailure, ValueStatus } from '../../model/envelope.ts';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import { hasEnded, type JobSpec } from '../../model/job.ts';
import { PAGE_ROWS, PAGE_ROWS_MAX } from '../../model/limits.ts';
import { indexesOf } from '../../model/runs.ts';
import { readColumn, statusOf } from '../../protocol/column.ts';
import { Index } from '../../protocol/shapes.ts';
import { toJsonText } from '../../protocol/values/value.ts';
import type { StoredSegment } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { blobNamed } from '../column-contents.ts';
import { Problem } from '../problem.ts';
import { INERT, sendBlob } from './blobs.ts';
import { StoredInputs } from './input-upload.ts';
import { viewOf } from './jobs.ts';
import { failureIn } from './records.ts';
import { READERS, type Reply, type Route, route } from './route.ts';

interface Value {
  readonly status: number;
  readonly bytes: Uint8Array;
}

export function taskRoutes(core: Core): Route[] {
  const gone = { 404: { description: 'There is no such task, or not yet.' } };
  const bytes = (description: string) => ({ description, type: 'application/json' });
  return [
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index',
      access: READERS,
      summary: 'One task: its state, its input and outcome where they are small, its attempts, and why it waits.',
      answers: { 200: { description: 'The task.', type: 'application/json' }, ...gone },
      handle: async ({ params }) => ({ json: await describe(core, params.job, params.index) }),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index/input',
      access: READERS,
      ticket: true,
      summary: "A task's input: JSON, or bytes as they are.",
      answers: { 200: bytes('The input.'), ...gone },
      handle: async ({ params, request, response }) => {
        const { spec } = await mustExist(core, params.job, params.index);
        return sendValue(core, await inputOf(core, spec, params.job, params.index), request, response);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index/output',
      access: READERS,
      ticket: true,
      summary: "A task's result: JSON, or bytes as they are.",
      answers: { 200: bytes('The result.'), ...gone, 409: { description: 'The task failed; "error" says how.' } },
      handle: async ({ params, request, response }) => {
        await mustExist(core, params.job, params.index);
        const outcome = await outcomeOf(core, params.job, params.index);
        if (outcome === undefined) throw new Problem('unknown', `task ${params.index} has no result yet`);
        if (isFailure(outcome.status)) {
          const error = failureIn(outcome.bytes);
          throw new Problem('conflict', `the task failed: ${error.name}: ${error.message}`, { extra: { error } });
        }
        return sendValue(core, outcome, request, response);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index/logs',
      access: READERS,
      summary: 'What a task printed.',
      query: LogQuery,
      answers: {
        200: { description: 'Oldest first; "next" is the "after" of the next page.', type: 'application/json' },
      },
      handle: ({ params, query }) => logs(core, params.job, params.index, query),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/logs',
      access: READERS,
      summary: 'What the tasks of a job printed.',
      query: LogQuery,
      answers: {
        200: { description: 'Oldest first; "next" is the "after" of the next page.', type: 'application/json' },
      },
      handle: ({ params, query }) => logs(core, params.job, undefined, query),
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/tasks/:index/explain',
      access: READERS,
      summary: 'Why a task waits.',
      answers: { 200: { description: 'Its state and sentences.', type: 'application/json' }, ...gone },
      handle: async ({ params }) => {
        await mustExist(core, params.job, params.index);
        return { json: explain(core, params.job, params.index) };
      },
    }),
  ];
}

const LogQuery = Type.Object({
  after: Type.Optional(Index),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ROWS_MAX })),
});

async function mustExist(core: Core, job: JobId, index: TaskIndex) {
  const known = await viewOf(core, job);
  if (index < known.progress.total) return known;
  throw new Problem('unknown', `job ${job} has ${known.progress.total} tasks: there is no task ${index}`);
}

async function describe(core: Core, job: JobId, index: TaskIndex): Promise<unknown> {
  const { spec, progress } = await mustExist(core, job, index);
  const { segment, attempts } = await core.store.readTask(job, index);
  const input = await inputOf(core, spec, job, index);
  const here = `/v1/jobs/${job}/tasks/${index}`;
  const about = {
    job,
    index,
    jobName: spec.name,
    ...(input === undefined ? {} : { input: shown(input) }),
    attempts: attempts.map(({ worker, outcome, endedAt, message }) => ({ worker, outcome, endedAt, message })),
    links: { input: `${here}/input`, output: `${here}/output`, logs: `${here}/logs`, explain: `${here}/explain` },
  };
  if (segment !== undefined) {
    const { worker, startedAt, elapsedMicros, attempts: counts } = segment.segment;
    const value = valueIn(segment, index);
    const failed = isFailure(value.status);
    return {
      ...about,
      status: failed ? 'failed' : 'done',
      ...(failed ? { error: failureIn(value.bytes) } : { output: shown(value) }),
      ...(worker === '' ? {} : { worker }),
      attempt: counts?.find(([at]) => at === index)?.[1] ?? 1,
      // What is measured is the batch; its tasks ran one after the other.
      batch: { startedAt, elapsedMicros, tasks: [...indexesOf(segment.segment.runs)].length },
    };
  }
  if (hasEnded(progress.state)) return { ...about, status: 'cancelled' };
  const why = explain(core, job, index);
  return { ...about, status: why.state === 'running' ? 'running' : 'waiting', reasons: why.reasons };
}

/** What a page shows of a value: small ones whole, of others what and how much they are. */
function shown({ status, bytes }: Value): unknown {
  if (status === ValueStatus.jsonBlob || status === ValueStatus.bytesBlob) {
    const { size } = JSON.parse(new TextDecoder().decode(bytes).slice(0, -1)) as { size: number };
    return { blob: blobNamed(bytes), size, type: status === ValueStatus.jsonBlob ? 'json' : 'bytes' };
  }
  return { value: JSON.parse(toJsonText(bytes, status)) as unknown };
}

async function inputOf(core: Core, spec: JobSpec, job: JobId, index: TaskIndex): Promise<Value | undefined> {
  if (spec.range !== undefined) {
    const { start, step } = spec.range;
    return { status: ValueStatus.json, bytes: Buffer.from(`${JSON.stringify(start + index * step)},`) };
  }
  return new StoredInputs(core, job).at(index);
}

async function outcomeOf(core: Core, job: JobId, index: TaskIndex): Promise<Value | undefined> {
  const { segment } = await core.store.readTask(job, index);
  return segment === undefined ? undefined : valueIn(segment, index);
}

function valueIn({ segment, column: packed }: StoredSegment, index: TaskIndex): Value {
  const column = readColumn(packed);
  let position = 0;
  for (const run of segment.runs) {
    if (index >= run.start && index < run.start + run.count) {
      position += index - run.start;
      let offset = 0;
      for (let i = 0; i < position; i++) offset += column.lengths[i] as number;
      const end = offset + (column.lengths[position] as number);
      return { status: statusOf(column, position), bytes: column.bytes.subarray(offset, end) };
    }
    position += run.count;
  }
  throw new Error(`segment ${segment.seq} of job ${segment.job} does not hold task ${index}`);
}

async function sendValue(
  core: Core,
  value: Value | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<undefined> {
  if (value === undefined) throw new Problem('unknown', 'the value is not here');
  const { status, bytes } = value;
  if (status === ValueStatus.jsonBlob) {
    return sendBlob(core.blobs, blobNamed(bytes), request, response, 'application/json');
  }
  if (status === ValueStatus.bytesBlob) return sendBlob(core.blobs, blobNamed(bytes), request, response);
  const isJson = status === ValueStatus.json;
  const body = isJson ? Buffer.from(toJsonText(bytes, status)) : bytes;
  response.writeHead(200, {
    ...INERT,
    'content-type': isJson ? 'application/json' : 'application/octet-stream',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(body);
  return undefined;
}

function explain(core: Core, job: JobId, index: TaskIndex) {
  return core.explain(job, index);
}

async function logs(
  core: Core,
  job: JobId,
  index: TaskIndex | undefined,
  query: { after?: number; limit?: number },
): Promise<Reply> {
  await viewOf(core, job);
  const limit = query.limit ?? PAGE_ROWS;
  const rows = await core.store.readLogs(job, {
    after: query.after ?? 0,
    limit,
    ...(index === undefined ? {} : { index }),
  });
  const next = rows.length === limit ? rows.at(-1)?.cursor : undefined;
  const shownLogs = rows.map(({ cursor, log }) => ({
    cursor,
    index: log.index,
    stream: log.stream,
    at: log.at,
    text: log.text,
  }));
  return { json: { logs: shownLogs, ...(next === undefined ? {} : { next }) } };
}
