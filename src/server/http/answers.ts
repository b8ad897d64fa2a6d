import Type from 'typebox';
import { Amounts, CodeShape, Count, Index, Labels, RangeShape, Sha256 } from '../../protocol/shapes.ts';

/** What answers look like, for whoever reads the description of the API. Tests hold every answer against it. */

const Wall = Type.Number({ description: 'Milliseconds since 1970.' });
const oneOf = <const Word extends string>(...words: Word[]) => Type.Union(words.map((word) => Type.Literal(word)));

export const JobState = oneOf('active', 'paused', 'done', 'failed', 'cancelled');
export const RoleName = oneOf('admin', 'submit', 'work', 'read', 'enrol');

export const Spec = Type.Object({
  name: Type.String(),
  owner: Type.String({ description: 'The id of the token that submitted it.' }),
  code: CodeShape,
  variants: Type.Optional(Type.Array(CodeShape, { description: 'Other codes that give the same results.' })),
  range: Type.Optional(RangeShape),
  priority: Type.Integer(),
  weight: Type.Number(),
  retries: Index,
  maxFailures: Type.Optional(Index),
  timeout: Type.Optional(Type.Number({ description: 'Milliseconds.' })),
  requires: Labels,
  cpus: Type.Number(),
  memory: Type.Optional(Type.Number({ description: 'Bytes.' })),
  resources: Amounts,
  fenced: Type.Boolean(),
  spawns: Type.Optional(Type.Boolean({ description: 'Its tasks may add others to it.' })),
  after: Type.Optional(Type.Array(Type.Integer(), { description: 'Jobs that must be done before it begins.' })),
  source: Type.Optional(Type.Integer({ description: 'The job whose results are its inputs.' })),
  submittedAt: Wall,
  idempotencyKey: Type.Optional(Type.String()),
});

export const Progress = Type.Object({
  state: JobState,
  open: Type.Boolean({ description: 'More inputs may come.' }),
  total: Index,
  done: Index,
  failed: Index,
  cancelled: Index,
  retried: Index,
  lost: Index,
  copied: Type.Optional(Type.Integer({ description: 'Second copies that slow tasks were given.' })),
  recalled: Type.Optional(Type.Integer({ description: "Tasks taken back from a worker's queue for another." })),
  segments: Type.Integer({ description: 'The cursor of completion order.' }),
  generation: Type.Integer({ description: 'Raised by retry.' }),
  busyMicros: Type.Number({ description: 'Sum of the times of all tasks.' }),
  startedAt: Type.Optional(Wall),
  endedAt: Type.Optional(Wall),
  reason: Type.Optional(Type.String({ description: 'Why it ended early.' })),
});

export const JobAnswer = Type.Object({
  id: Count,
  spec: Spec,
  progress: Progress,
  waiting: Type.Integer({ description: 'Tasks that could run and do not.' }),
  running: Index,
});
export const JobPage = Type.Object({ jobs: Type.Array(JobAnswer), next: Type.Optional(Count) });
export const InputsTaken = Type.Object({ job: Count, from: Index, count: Index, total: Index });

export const Failure = Type.Object({
  kind: Type.Optional(oneOf('error', 'timeout', 'crash', 'memory', 'poison', 'cancelled')),
  name: Type.String(),
  message: Type.String(),
  stack: Type.Optional(Type.String()),
  exitCode: Type.Optional(Type.Integer()),
  signal: Type.Optional(Type.String()),
  cause: Type.Optional(
    Type.Unknown({ description: 'Why it was thrown: a name, a message and perhaps a cause again.' }),
  ),
});

/** One line of results, or where to go on. */
export const RecordLine = Type.Union([
  Type.Object({
    index: Index,
    status: oneOf('done', 'failed'),
    value: Type.Optional(
      Type.Unknown({ description: 'Absent: undefined, or the task failed, or it is only told which blob it is in.' }),
    ),
    blob: Type.Optional(Sha256),
    size: Type.Optional(Index),
    type: Type.Optional(oneOf('json', 'bytes')),
    error: Type.Optional(Failure),
    attempts: Type.Optional(Type.Integer({ description: 'Absent: one.' })),
  }),
  Type.Object({ cursor: Type.String() }),
]);

const Shown = Type.Union(
  [Type.Object({ value: Type.Unknown() }), Type.Object({ blob: Sha256, size: Index, type: oneOf('json', 'bytes') })],
  { description: 'A value where it is small, else what and how much it is.' },
);

export const TaskAnswer = Type.Object({
  job: Count,
  index: Index,
  jobName: Type.String(),
  status: oneOf('waiting', 'running', 'done', 'failed', 'cancelled'),
  input: Type.Optional(Shown),
  output: Type.Optional(Shown),
  error: Type.Optional(Failure),
  reasons: Type.Optional(Type.Array(Type.String())),
  worker: Type.Optional(Type.String()),
  attempt: Type.Optional(Type.Integer({ description: 'Which attempt gave the outcome.' })),
  attempts: Type.Array(
    Type.Object({ worker: Type.String(), outcome: Type.String(), endedAt: Wall, message: Type.String() }),
    { description: 'Those that failed, were lost, or were slower than another copy.' },
  ),
  batch: Type.Optional(
    Type.Object(
      { startedAt: Wall, elapsedMicros: Type.Number(), tasks: Count },
      { description: 'What is measured: the tasks that ran one after the other with this one.' },
    ),
  ),
  links: Type.Object({ input: Type.String(), output: Type.String(), logs: Type.String(), explain: Type.String() }),
});

export const ExplainAnswer = Type.Object({
  state: oneOf('waiting', 'running', 'done', 'failed', 'cancelled'),
  reasons: Type.Array(Type.String(), { description: 'Sentences, the most important first.' }),
});

export const JobExplainAnswer = Type.Object({
  reasons: Type.Array(Type.String(), { description: 'Sentences, the most important first; none: nothing waits.' }),
  variants: Type.Optional(
    Type.Array(Type.String(), { description: 'Of a job with variants: which of them runs where, and why.' }),
  ),
});

const Bar = {
  worker: Type.String({ description: 'Empty: the server made the outcome itself.' }),
  lease: Index,
  from: Wall,
  first: Type.Integer({ description: 'The index of its first task.' }),
  tasks: Count,
};

export const TimelineAnswer = Type.Object({
  job: Count,
  at: Wall,
  batches: Type.Integer({ description: 'Recorded in that time; "bars" holds every "step"-th of them.' }),
  step: Count,
  bars: Type.Array(
    Type.Object({
      ...Bar,
      seq: Type.Integer({ description: 'Batches are numbered in the order in which they ended.' }),
      to: Wall,
      micros: Type.Number({ description: 'Microseconds that its tasks took on their slot, together.' }),
      failed: Index,
    }),
  ),
  running: Type.Array(Type.Object(Bar), { description: 'What workers have now: it runs, or is queued there.' }),
  attempts: Type.Array(
    Type.Object({
      index: Index,
      worker: Type.String(),
      lease: Index,
      outcome: Type.String(),
      tasks: Type.Optional(Count),
      startedAt: Type.Optional(Wall),
      endedAt: Wall,
      message: Type.String(),
    }),
    { description: 'What came to nothing: failed and tried again, lost, or slower than another copy.' },
  ),
  isCut: Type.Boolean({ description: 'There are more such attempts.' }),
  next: Type.Optional(Count),
});

export const TaskMapAnswer = Type.Object({
  job: Count,
  total: Index,
  from: Index,
  cell: Type.Integer({ description: 'Tasks of a cell.' }),
  states: Type.String({
    description:
      'A letter a cell: d all done, f some failed, r some are with a worker, 1 to 9 so many tenths have ended, c ended with the job, w all wait.',
  }),
  read: Type.Integer({ description: 'Batches that this tells of; fewer than "batches": asking again tells more.' }),
  batches: Index,
});

export const LogPage = Type.Object({
  logs: Type.Array(
    Type.Object({
      cursor: Count,
      index: Index,
      stream: oneOf('stdout', 'stderr', 'log'),
      at: Wall,
      text: Type.String(),
    }),
  ),
  next: Type.Optional(Count),
});

export const WorkerAnswer = Type.Object({
  id: Type.String(),
  name: Type.String(),
  kind: oneOf('node', 'browser', 'image', 'other'),
  slots: Count,
  runners: Type.Array(Type.String()),
  labels: Labels,
  resources: Amounts,
  memory: Type.Optional(Type.Number({ description: 'Bytes.' })),
  platform: Type.Optional(Type.String()),
  token: Type.String({ description: 'The id of the token it joined with.' }),
  state: oneOf('ready', 'draining', 'suspended', 'lost'),
  unable: Type.Optional(
    Type.String({
      description: 'Why it gave tasks back and gets none for a while; gone once a task has succeeded there.',
    }),
  ),
  busy: Index,
  queued: Index,
  done: Index,
  failed: Index,
  lastHeardAt: Wall,
});
export const WorkerList = Type.Object({ workers: Type.Array(WorkerAnswer) });

export const WorkerWork = Type.Object({
  given: Type.Array(
    Type.Object({
      job: Count,
      first: Index,
      tasks: Count,
      since: Type.Number({ description: 'Milliseconds since they were given to it.' }),
      variant: Type.Optional(Type.String({ description: 'Which variant of the job it is, and why.' })),
      runs: Type.Boolean({ description: 'False: it waits behind others there.' }),
    }),
    { description: 'Batches of tasks that have not all ended.' },
  ),
  jobs: Type.Array(
    Type.Object({ job: Count, done: Index, failed: Index, from: Wall, until: Wall, busyMicros: Type.Number() }),
    { description: 'What it has done of the jobs that it worked on last, since the server started.' },
  ),
  since: Type.Number({
    description: 'When the server started, in milliseconds since 1970: earlier work is not in "jobs".',
  }),
});

const token = {
  id: Type.String(),
  role: RoleName,
  name: Type.String(),
  createdAt: Wall,
  expiresAt: Type.Optional(Wall),
  revokedAt: Type.Optional(Wall),
  enrolledBy: Type.Optional(
    Type.String({ description: 'Of a machine that swapped another token for it: that token.' }),
  ),
  machine: Type.Optional(Type.String()),
};
export const TokenAnswer = Type.Object(token);
export const NewTokenAnswer = Type.Object({ token: Type.String({ description: 'The token itself.' }), ...token });
export const TokenList = Type.Object({ tokens: Type.Array(TokenAnswer) });
export const BootAnswer = Type.Object({
  images: Type.Array(
    Type.Object({
      architecture: Type.String(),
      version: Type.String(),
      isCurrent: Type.Boolean({ description: 'Its worker speaks the protocol of this server.' }),
      hasDisk: Type.Boolean({ description: 'There is an ISO, which can be made into one that knows this farm.' }),
      files: Type.Record(Type.String(), Index, { description: 'Bytes of each file.' }),
    }),
  ),
  machines: Type.Array(
    Type.Object({
      token: Type.String({ description: 'The id of its token.' }),
      name: Type.String(),
      cards: Type.Array(Type.String(), { description: 'Addresses of its network cards.' }),
      isShutOut: Type.Boolean({ description: 'Its token was revoked.' }),
      worker: Type.Optional(Type.String({ description: 'As which it is here now.' })),
    }),
    { description: 'Machines that have joined by an image, or from the network.' },
  ),
  netboot: Type.Boolean({ description: 'Machines of this network are booted without being asked who they are.' }),
  server: Type.String({ description: 'Where machines that boot from an image look for this server.' }),
});
export const BootDownloadAnswer = Type.Object({
  token: Type.String({ description: 'The id of the token in it, by which it can be revoked.' }),
  expiresAt: Wall,
  until: Wall,
  downloads: Type.Array(Type.Object({ architecture: Type.String(), path: Type.String(), bytes: Index })),
});
export const TicketAnswer = Type.Object({ ticket: Type.String() });

export const ProblemAnswer = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String({ description: 'One sentence: what is wrong, and what to do.' }),
  code: Type.String({ description: 'For programs.' }),
});

/** Those that the description names; they stand in it once and are referred to. */
export const NAMED = {
  Job: JobAnswer,
  JobPage,
  InputsTaken,
  Record: RecordLine,
  Failure,
  Task: TaskAnswer,
  Explanation: ExplainAnswer,
  JobExplanation: JobExplainAnswer,
  TaskMap: TaskMapAnswer,
  Timeline: TimelineAnswer,
  LogPage,
  Worker: WorkerAnswer,
  WorkerList,
  WorkerWork,
  Token: TokenAnswer,
  NewToken: NewTokenAnswer,
  TokenList,
  Boot: BootAnswer,
  BootDownload: BootDownloadAnswer,
  Ticket: TicketAnswer,
  Problem: ProblemAnswer,
} as const;
