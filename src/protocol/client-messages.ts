import Type from 'typebox';
import { AFTER_JOBS } from '../model/pipeline-limits.ts';
import { VARIANTS } from '../model/variant-limits.ts';
import {
  Amounts,
  CodeShape,
  Count,
  Index,
  Labels,
  RangeShape,
  ServerAddresses,
  ShortText,
  Text,
  WireRuns,
} from './shapes.ts';

/**
 * The client's socket: `request` numbers are the client's own, from 1 up; every request gets one `answer` that repeats it,
 * after what it did is on disk.
 */

export const Submit = Type.Object({
  kind: Type.Literal('submit'),
  request: Count,
  name: ShortText,
  code: CodeShape,
  /** The code's text; absent: uploaded as a blob before. */
  inline: Type.Optional(Type.String()),
  /** Other codes for the same tasks, uploaded as blobs before. */
  variants: Type.Optional(Type.Array(CodeShape, { maxItems: VARIANTS - 1 })),
  /** Absent: inputs follow in `inputs` messages until `close`. */
  range: Type.Optional(RangeShape),
  priority: Type.Optional(Type.Integer({ minimum: -1000, maximum: 1000 })),
  weight: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000 })),
  retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
  maxFailures: Type.Optional(Index),
  timeout: Type.Optional(Count),
  requires: Type.Optional(Labels),
  cpus: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 4096 })),
  memory: Type.Optional(Count),
  resources: Type.Optional(Amounts),
  fenced: Type.Optional(Type.Boolean()),
  spawns: Type.Optional(Type.Boolean()),
  /** Jobs that must be done before it begins. */
  after: Type.Optional(Type.Array(Count, { maxItems: AFTER_JOBS })),
  /** The job whose results are its inputs; then there is no range, and no `inputs` follow. */
  source: Type.Optional(Count),
  idempotencyKey: Type.Optional(ShortText),
});

/** With a column: the next inputs of an open job, at most a block. Answered once they are on disk. */
export const Inputs = Type.Object({
  kind: Type.Literal('inputs'),
  request: Count,
  job: Count,
  runs: WireRuns,
});

export const CloseJob = Type.Object({ kind: Type.Literal('close'), request: Count, job: Count, total: Index });

/**
 * Results from a cursor on, then live, then `resultsEnd`. `credit`: bytes the server may send before the client says
 * `credit` again. `completion` gives segments in the order of recording (the cursor is the segment's number); `index`
 * gives them block by block in index order, unordered within a block (the cursor is the first index not yet whole).
 */
export const Results = Type.Object({
  kind: Type.Literal('results'),
  request: Count,
  job: Count,
  order: Type.Union([Type.Literal('completion'), Type.Literal('index')]),
  after: Type.Optional(Index),
  credit: Index,
  /** Leave out values that are undefined. */
  defined: Type.Optional(Type.Boolean()),
});

/** `stream` is the request number of `results`. */
export const Credit = Type.Object({ kind: Type.Literal('credit'), stream: Count, bytes: Count });
export const Unsubscribe = Type.Object({ kind: Type.Literal('unsubscribe'), stream: Count });

export const Act = Type.Object({
  kind: Type.Literal('act'),
  request: Count,
  job: Count,
  action: Type.Union([
    Type.Literal('cancel'),
    Type.Literal('pause'),
    Type.Literal('resume'),
    Type.Literal('retry'),
    Type.Literal('forget'),
  ]),
});

/** Answered with the job's spec and progress; `follow`: `progress` messages come at most a few times a second until it ends. */
export const Status = Type.Object({
  kind: Type.Literal('status'),
  request: Count,
  job: Count,
  follow: Type.Optional(Type.Boolean()),
});

/** What the server says to a client. */

export const ClientWelcome = Type.Object({
  kind: Type.Literal('clientWelcome'),
  protocol: Type.Integer(),
  farm: ShortText,
  /** Where else the farm has servers (P29). */
  servers: Type.Optional(ServerAddresses),
  /** How often what was stored went back in time (P31); absent: never. */
  history: Type.Optional(Count),
});

/** `value` depends on the request: submit → { job, existing }, status → { spec, progress }, else nothing. */
export const Answer = Type.Object({
  kind: Type.Literal('answer'),
  request: Index,
  ok: Type.Boolean(),
  /** unknown, conflict, invalid, forbidden, full, busy, tooLarge, internal */
  code: Type.Optional(ShortText),
  message: Type.Optional(Text),
  value: Type.Optional(Type.Unknown()),
});

/** With a column. `cursor`: resume after this. `attempts`: [index, count] of tasks that took more than one or failed. */
export const ResultBatch = Type.Object({
  kind: Type.Literal('resultBatch'),
  stream: Count,
  job: Count,
  block: Index,
  runs: WireRuns,
  cursor: Index,
  generation: Index,
  attempts: Type.Optional(Type.Array(Type.Tuple([Index, Count]))),
});

/** `index` order only: every task below `next` has been sent. */
export const ResultMark = Type.Object({ kind: Type.Literal('resultMark'), stream: Count, next: Index });

/** Every outcome there will be has been sent; what is missing was cancelled. */
export const ResultsEnd = Type.Object({ kind: Type.Literal('resultsEnd'), stream: Count, progress: Type.Unknown() });

export const ProgressNote = Type.Object({
  kind: Type.Literal('progressNote'),
  job: Count,
  progress: Type.Unknown(),
  running: Index,
  waiting: Index,
});

export const ClientMessage = Type.Union([Submit, Inputs, CloseJob, Results, Credit, Unsubscribe, Act, Status]);
export type ClientMessage = Type.Static<typeof ClientMessage>;
export const ServerToClient = Type.Union([ClientWelcome, Answer, ResultBatch, ResultMark, ResultsEnd, ProgressNote]);
export type ServerToClient = Type.Static<typeof ServerToClient>;
export type Submit = Type.Static<typeof Submit>;
export type Inputs = Type.Static<typeof Inputs>;
export type Results = Type.Static<typeof Results>;
export type Answer = Type.Static<typeof Answer>;
export type ClientWelcome = Type.Static<typeof ClientWelcome>;
export type ResultBatch = Type.Static<typeof ResultBatch>;
