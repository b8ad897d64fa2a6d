import type { JobState } from '../model/job.ts';

/**
 * Where a task stands. `ready`: like any other. `aside`: waits by itself, because it failed or was lost before.
 * `orphaned`: its worker is gone, it is ready, but the worker may still come back and keep it. `elsewhere`: another server's to
 * hand out. The last three are ends.
 */
export type TaskState = 'ready' | 'aside' | 'leased' | 'orphaned' | 'elsewhere' | 'done' | 'failed' | 'cancelled';

/** From, to, why. Executed by BlockState; drawn into SCHEDULER.md by scripts/draw-transitions.ts. */
export const TASK_MOVES: Readonly<Record<TaskState, Partial<Record<TaskState, string>>>> = {
  ready: {
    leased: 'grant',
    aside: 'recovered with a past',
    elsewhere: 'given to other servers',
    done: 'late outcome',
    cancelled: 'job ends',
  },
  aside: { leased: 'grant', elsewhere: 'given to other servers', done: 'late outcome', cancelled: 'job ends' },
  leased: {
    done: 'outcome',
    failed: 'outcome',
    aside: 'failure with retries left; given back by a task with a past',
    ready: 'given back; worker gone for good',
    orphaned: 'worker lost',
    elsewhere: 'handed over with its worker',
    cancelled: 'job ends',
  },
  orphaned: {
    leased: 'worker back; grant to another',
    done: 'late outcome',
    failed: 'late outcome; poison',
    aside: 'not held any more, with a past',
    ready: 'not held any more',
    elsewhere: 'handed over with its worker',
    cancelled: 'job ends',
  },
  elsewhere: { ready: 'taken from another server' },
  done: {},
  failed: {},
  cancelled: {},
};

export type JobMove = 'pause' | 'resume' | 'finish' | 'fail' | 'cancel' | 'retry';

/** What each move makes of a job; what is missing is refused. */
export const JOB_MOVES: Readonly<Record<JobState, Partial<Record<JobMove, JobState>>>> = {
  active: { pause: 'paused', resume: 'active', finish: 'done', fail: 'failed', cancel: 'cancelled' },
  paused: { pause: 'paused', resume: 'active', finish: 'done', fail: 'failed', cancel: 'cancelled' },
  done: { retry: 'active' },
  failed: { retry: 'active' },
  cancelled: { retry: 'active' },
};

export function mayMove(from: TaskState, to: TaskState): boolean {
  return TASK_MOVES[from][to] !== undefined;
}

export function moveJob(from: JobState, move: JobMove): JobState {
  const to = JOB_MOVES[from][move];
  if (to === undefined) throw new Error(`a job that is ${from} cannot ${move}`);
  return to;
}

const BEGIN = '<!-- transitions: begin -->';
const END = '<!-- transitions: end -->';

/** The document with both tables drawn between its marks, as Mermaid state diagrams. */
export function drawInto(document: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the document has no '${BEGIN}' and '${END}'`);
  const jobs = Object.entries(JOB_MOVES).flatMap(([from, moves]) =>
    Object.entries(moves).map(([move, to]) => `    ${from} --> ${to}: ${move}`),
  );
  const tasks = Object.entries(TASK_MOVES).flatMap(([from, moves]) =>
    Object.entries(moves).map(([to, why]) => `    ${from} --> ${to}: ${why}`),
  );
  const drawn = [
    'A job:',
    diagram(['    [*] --> active: submit', ...jobs]),
    'A task:',
    diagram(['    [*] --> ready: claim', ...tasks]),
  ];
  return `${document.slice(0, begin + BEGIN.length)}\n${drawn.join('\n\n')}\n${document.slice(end)}`;
}

function diagram(lines: readonly string[]): string {
  return ['```mermaid', 'stateDiagram-v2', ...lines, '```'].join('\n');
}
