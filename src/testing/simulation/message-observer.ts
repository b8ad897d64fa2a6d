import type { JobId, LeaseId, TaskIndex, WorkerId } from '../../model/ids.ts';
import { hasEnded, type JobProgress } from '../../model/job.ts';
import { indexesOf } from '../../model/runs.ts';
import type { Answer, ClientMessage, ServerToClient } from '../../protocol/client-messages.ts';
import { type Decoded, decodeServerToWorker, type Frame, splitFrame } from '../../protocol/frames.ts';
import { fromWireRuns, type WireRuns } from '../../protocol/shapes.ts';
import type { ServerToWorker } from '../../protocol/worker-messages.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import type { Link } from './link.ts';
import type { Observer } from './observer.ts';
import type { ServerProcess } from './server-process.ts';
import type { World } from './world.ts';

type Request = Exclude<ClientMessage, { kind: 'credit' | 'unsubscribe' }>;

/** Sees what leaves a server: what it says must be on disk already, so that it stays true after any crash (S2, S8). */
export class MessageObserver {
  /** Tasks that a worker ever reported as failed, by `job/index`: nothing else may be recorded as failed. */
  readonly failuresSent = new Set<string>();
  count = 0;
  toWorkers = 0;
  readonly #world: World;
  readonly #seen: Observer;
  readonly #workers = new WeakMap<Link, WorkerId>();
  /** The code of each job that was told last. */
  readonly #codes = new WeakMap<Link, Map<JobId, string>>();
  readonly #requests = new WeakMap<Link, Map<number, Request>>();
  /** `lease/index` of what workers gave back. */
  readonly #released = new Set<string>();

  constructor(world: World, seen: Observer) {
    this.#world = world;
    this.#seen = seen;
  }

  /** A worker tells of failures. */
  failed(job: JobId, indexes: readonly TaskIndex[]): void {
    for (const index of indexes) this.failuresSent.add(`${job}/${index}`);
  }

  /** A worker gives tasks back. */
  released(lease: LeaseId, runs: WireRuns): void {
    for (const index of indexesOf(runsOf(runs))) this.#released.add(`${lease}/${index}`);
  }

  arrived(process: ServerProcess, link: Link, frame: Frame | undefined): void {
    if (link.asking.kind === 'client') {
      if (frame !== undefined) this.#asked(link, frame);
      return;
    }
    const worker = this.#workers.get(link);
    const heard = worker === undefined ? undefined : process.heard.get(worker);
    if (heard?.link === link) heard.at = this.#world.now;
  }

  #asked(link: Link, frame: Frame): void {
    const message = splitFrame(frame).json as ClientMessage;
    if (!('request' in message)) return;
    let requests = this.#requests.get(link);
    if (requests === undefined) this.#requests.set(link, (requests = new Map()));
    requests.set(message.request, message);
  }

  departed(
    process: ServerProcess,
    link: Link,
    frame: Frame,
    disk: MemoryDisk,
  ): { readonly decoded?: Decoded<ServerToWorker> } {
    this.count++;
    if (link.asking.kind === 'client') {
      const message = splitFrame(frame).json as ServerToClient;
      this.#world.note(() => `${process.name} → ${link.asking.node}: ${brief(message)}`);
      // Whoever does not know yet that the store failed over speaks of what is lost.
      if (process.timeline === disk.timeline) this.#toClient(link, message, disk);
      return {};
    }
    const decoded = decodeServerToWorker(frame, link.asking.json);
    // A beat comes with time, like a ping, not with work.
    if (decoded.message.kind !== 'beat') this.toWorkers++;
    this.#world.note(() => `${process.name} → ${link.asking.node}: ${brief(decoded.message)}`);
    this.#toWorker(process, link, decoded.message, disk);
    return { decoded };
  }

  #toWorker(process: ServerProcess, link: Link, message: ServerToWorker, disk: MemoryDisk): void {
    switch (message.kind) {
      case 'welcome':
        this.#workers.set(link, message.worker);
        process.heard.set(message.worker, { link, at: this.#world.now });
        return;
      case 'job':
        return this.#toldOfCode(link, message.job, message.code.sha256);
      case 'recall':
        return this.#world.sometimes('tasks were recalled');
      case 'revoke':
        return this.#world.sometimes('tasks were revoked');
    }
    if (process.timeline !== disk.timeline) return;
    switch (message.kind) {
      case 'ack':
        return this.#acked(message);
      case 'tasks':
        return this.#granted(message.lease, message.job, disk);
    }
  }

  #toldOfCode(link: Link, job: JobId, sha256: string): void {
    const codes = this.#codes.get(link) ?? new Map<JobId, string>();
    this.#codes.set(link, codes);
    const before = codes.get(job);
    codes.set(job, sha256);
    if (before !== undefined && before !== sha256) this.#world.sometimes('a worker was given another code of a job');
  }

  #acked(ack: ServerToWorker & { kind: 'ack' }): void {
    if (ack.verdict === 'unknown') return this.#world.sometimes('an outcome of an unknown lease was refused');
    this.#world.sometimes(`acked ${ack.verdict}`);
    // Leases that are over are not remembered for ever, so this is also said of what never was (R6).
    if (ack.verdict === 'superseded') return;
    const lease = this.#seen.leases.get(ack.lease);
    if (lease === undefined)
      return this.#world.fail('S3', `lease ${ack.lease} was never issued, but acked as ${ack.verdict}`);
    const job = this.#seen.jobs.get(lease.job);
    if (job === undefined) return;
    for (const index of indexesOf(runsOf(ack.runs))) {
      if (job.knows(ack.lease, index)) continue;
      // A network that repeats messages makes a worker run what it gave back: nobody waits for it.
      if (ack.verdict === 'duplicate' && this.#released.has(`${ack.lease}/${index}`)) continue;
      this.#world.fail('S2', `task ${lease.job}/${index} was acked as ${ack.verdict} but is not on disk`);
    }
  }

  #granted(id: LeaseId, job: JobId, disk: MemoryDisk): void {
    const lease = this.#seen.leases.get(id);
    if (lease === undefined || lease.job !== job) this.#world.fail('S2', `lease ${id} left before its row was on disk`);
    // It may have been ended by another server since; when the row of the lease was written, it had not.
    if (disk.clock !== undefined) return;
    const progress = disk.jobs.get(job)?.progress;
    if (progress === undefined || hasEnded(progress.state))
      this.#world.fail('S8', `tasks of job ${job} left for a worker after it was ${progress?.state ?? 'forgotten'}`);
  }

  #toClient(link: Link, message: ServerToClient, disk: MemoryDisk): void {
    switch (message.kind) {
      case 'answer':
        return this.#answered(this.#requests.get(link)?.get(message.request), message, disk);
      case 'resultBatch':
        return this.#told(message.job, message.runs);
      case 'progressNote':
        return this.#progressTold(message.job, message.progress as JobProgress, disk);
    }
  }

  #answered(request: Request | undefined, answer: Answer, disk: MemoryDisk): void {
    if (!answer.ok) return this.#world.sometimes(`a request was refused: ${answer.code}`);
    if (request === undefined) return this.#world.fail('S2', `request ${answer.request} was answered but never came`);
    if (request.kind === 'submit') return this.#submitted(answer, disk);
    const job = disk.jobs.get(request.job);
    if (request.kind === 'act' && request.action === 'forget') {
      if (job !== undefined || disk.forgetting.has(request.job))
        this.#world.fail('S2', `job ${request.job} was said to be forgotten, but is there`);
      return;
    }
    if (job === undefined) return;
    const { progress } = job;
    if (request.kind === 'status')
      return this.#progressTold(request.job, (answer.value as { progress: JobProgress }).progress, disk);
    // Another server may have been told the opposite since.
    const undone = disk.clock !== undefined && request.kind === 'act' && /pause|resume/.test(request.action);
    const wrong = !undone && !isTrue(request, progress, job.inputsEnd);
    if (wrong) this.#world.fail('S2', `${brief(request)} was answered ok, but is not on disk`);
  }

  #submitted(answer: Answer, disk: MemoryDisk): void {
    const { job, existing } = answer.value as { job: JobId; existing: boolean };
    if (existing) this.#world.sometimes('a submit was sent again');
    if (!disk.jobs.has(job)) this.#world.fail('S2', `job ${job} was accepted but is not on disk`);
  }

  #told(id: JobId, runs: WireRuns): void {
    const job = this.#seen.jobs.get(id);
    if (job === undefined || job.generation > 0) return;
    for (const index of indexesOf(runsOf(runs)))
      if (!job.has(index)) this.#world.fail('S2', `the result of task ${id}/${index} left before it was on disk`);
  }

  #progressTold(id: JobId, told: JobProgress, disk: MemoryDisk): void {
    const stored = disk.jobs.get(id)?.progress;
    if (stored === undefined || told.generation !== stored.generation) return;
    if (told.segments > stored.segments || (hasEnded(told.state) && !hasEnded(stored.state)))
      this.#world.fail('S2', `progress of job ${id} left before it was on disk`);
  }
}

/** Whether what was asked is so on disk. */
function isTrue(request: Request, progress: JobProgress, inputsEnd: TaskIndex): boolean {
  const over = hasEnded(progress.state);
  if (request.kind === 'inputs') {
    const [start, count] = request.runs[0] as [number, number];
    return inputsEnd >= start + count;
  }
  if (request.kind === 'close') return !progress.open;
  if (request.kind !== 'act') return true;
  if (request.action === 'cancel') return over || progress.generation > 0;
  if (request.action === 'pause') return over || progress.state === 'paused';
  if (request.action === 'resume') return over || progress.state === 'active';
  return progress.generation > 0;
}

function runsOf(runs: WireRuns) {
  return fromWireRuns(runs) ?? [];
}

/** One line for people. */
export function brief(message: { readonly kind: string }): string {
  const { kind, ...rest } = message;
  return `${kind} ${JSON.stringify(rest).slice(0, 200)}`;
}
