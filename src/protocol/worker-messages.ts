import Type from 'typebox';
import { NEARBY_BLOBS } from '../model/blob-limits.ts';
import {
  Amounts,
  CodeShape,
  Count,
  Index,
  Labels,
  RangeShape,
  ServerAddresses,
  Sha256,
  ShortText,
  Text,
  WireRuns,
  WireSpawned,
} from './shapes.ts';

/** What a worker says. Rules P1… are in PROTOCOL.md. Those marked "with a column" carry values. */

/** The first message. `key`: 32 hex digits, random, made once by the worker process; its id is derived from it. */
export const Hello = Type.Object({
  kind: Type.Literal('hello'),
  protocol: Type.Integer(),
  key: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  name: ShortText,
  device: Type.Union([Type.Literal('node'), Type.Literal('browser'), Type.Literal('image'), Type.Literal('other')]),
  slots: Type.Integer({ minimum: 1, maximum: 4096 }),
  runners: Type.Array(ShortText, { maxItems: 16 }),
  labels: Labels,
  resources: Amounts,
  memory: Type.Optional(Index),
  platform: Type.Optional(ShortText),
  /** What it still runs or keeps outcomes of. */
  held: Type.Array(Type.Object({ lease: Index, runs: WireRuns }), { maxItems: 65_536 }),
});

/** With a column: outcomes in the order of `runs`; statuses tell failures. Behind them, the inputs that tasks gave their job (P28). */
export const Outcomes = Type.Object({
  kind: Type.Literal('outcomes'),
  lease: Index,
  job: Count,
  runs: WireRuns,
  /** Microseconds that these tasks took on their slot, together. */
  micros: Index,
  spawned: Type.Optional(WireSpawned),
});

/** Tasks without an outcome, given back: asked for by `recall`, or because the worker leaves or can't run them (`reason`). */
export const Released = Type.Object({
  kind: Type.Literal('released'),
  lease: Index,
  runs: WireRuns,
  reason: Type.Optional(ShortText),
});

export const TaskLog = Type.Object({
  kind: Type.Literal('log'),
  lease: Index,
  job: Count,
  index: Index,
  stream: Type.Union([Type.Literal('stdout'), Type.Literal('stderr'), Type.Literal('log')]),
  text: Text,
});

export const TaskProgress = Type.Object({
  kind: Type.Literal('progress'),
  job: Count,
  index: Index,
  fraction: Type.Number(),
  text: Type.Optional(ShortText),
});

/** For runtimes that do not see WebSocket pings; any message renews the leases. It is answered in kind, so that they hear something. */
export const Beat = Type.Object({ kind: Type.Literal('beat') });

/** The large blobs (NEARBY_BLOB_BYTES) that it has on its disk now, all of them: tasks that need them are best given to it. */
export const Have = Type.Object({ kind: Type.Literal('have'), blobs: Type.Array(Sha256, { maxItems: NEARBY_BLOBS }) });

/** It takes no more tasks, as if it had been drained: it will say `bye` when what runs has ended and is acknowledged. */
export const Leaving = Type.Object({ kind: Type.Literal('leaving') });

/** It leaves for good: what it held and did not deliver is free. */
export const Bye = Type.Object({ kind: Type.Literal('bye'), reason: Type.Optional(ShortText) });

/** What the server says to a worker. */

export const Welcome = Type.Object({
  kind: Type.Literal('welcome'),
  protocol: Type.Integer(),
  worker: ShortText,
  farm: ShortText,
  /** Milliseconds: the server pings this often; silence for `silence` means the connection is dead. */
  pingEvery: Index,
  silence: Index,
  /** Where else the farm has servers (P29). */
  servers: Type.Optional(ServerAddresses),
});

/** Before the first tasks of a job on this connection. `code` inline where small, else GET /v1/blobs/SHA256. */
export const JobNotice = Type.Object({
  kind: Type.Literal('job'),
  job: Count,
  name: ShortText,
  code: CodeShape,
  inline: Type.Optional(Type.String()),
  range: Type.Optional(RangeShape),
  /** Milliseconds for one task. */
  timeout: Type.Optional(Index),
  /** Bytes for one task. */
  memory: Type.Optional(Index),
  /** What each task takes while it runs, where that is not one slot: the worker never runs more side by side than it has. */
  cpus: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  resources: Type.Optional(Amounts),
  /** Its tasks may add others to it (P28). */
  spawns: Type.Optional(Type.Boolean()),
});

/** With a column, except for range jobs: the inputs in the order of `runs`. */
export const Tasks = Type.Object({
  kind: Type.Literal('tasks'),
  lease: Index,
  job: Count,
  runs: WireRuns,
  /** One at a time, each reported by itself. */
  alone: Type.Optional(Type.Boolean()),
});

export const Ack = Type.Object({
  kind: Type.Literal('ack'),
  lease: Index,
  verdict: Type.Union([
    Type.Literal('recorded'),
    Type.Literal('duplicate'),
    Type.Literal('superseded'),
    Type.Literal('unknown'),
  ]),
  runs: WireRuns,
});

export const Recall = Type.Object({ kind: Type.Literal('recall'), lease: Index, runs: WireRuns });
export const Revoke = Type.Object({ kind: Type.Literal('revoke'), lease: Index, runs: WireRuns });

/** The worker may forget this job's code and facts. */
export const JobOver = Type.Object({ kind: Type.Literal('jobOver'), job: Count });

export const Dismiss = Type.Object({
  kind: Type.Literal('dismiss'),
  how: Type.Union([Type.Literal('drain'), Type.Literal('undrain'), Type.Literal('stop')]),
});

/** The last message before a close: `code` is for programs, `detail` for people. `elsewhere`: one of `servers` has room (P29). */
export const Refused = Type.Object({
  kind: Type.Literal('refused'),
  code: Type.Union([
    Type.Literal('upgrade'),
    Type.Literal('busy'),
    Type.Literal('invalid'),
    Type.Literal('revoked'),
    Type.Literal('elsewhere'),
  ]),
  detail: Text,
  retryAfter: Type.Optional(Index),
  servers: Type.Optional(ServerAddresses),
});

export const WorkerMessage = Type.Union([Hello, Outcomes, Released, TaskLog, TaskProgress, Beat, Have, Leaving, Bye]);
export type WorkerMessage = Type.Static<typeof WorkerMessage>;
export const ServerToWorker = Type.Union([
  Welcome,
  JobNotice,
  Tasks,
  Ack,
  Recall,
  Revoke,
  JobOver,
  Dismiss,
  Refused,
  Beat,
]);
export type ServerToWorker = Type.Static<typeof ServerToWorker>;
export type Hello = Type.Static<typeof Hello>;
export type Outcomes = Type.Static<typeof Outcomes>;
export type JobNotice = Type.Static<typeof JobNotice>;
export type Tasks = Type.Static<typeof Tasks>;
export type Welcome = Type.Static<typeof Welcome>;
export type Refused = Type.Static<typeof Refused>;
