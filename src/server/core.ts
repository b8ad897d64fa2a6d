import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, TaskIndex, WorkerId } from '../model/ids.ts';
import { hasEnded, type Job, type JobProgress, wasClosedAt } from '../model/job.ts';
import type { Write } from '../model/records.ts';
import { countRuns } from '../model/runs.ts';
import type { Change } from '../scheduler/commands.ts';
import type { Explanation, GivenBatch } from '../scheduler/explain.ts';
import { predecessorsOf } from '../scheduler/pipelines.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { Store, StoreError } from '../store/store.ts';
import { tellWhenBroken } from './broken-store.ts';
import type { Clock } from './clock.ts';
import { Forgetting } from './forgetting.ts';
import type { Effect } from './group.ts';
import { InputCache } from './input-cache.ts';
import { type JobAction, JobActs } from './job-acts.ts';
import { JobNotices } from './job-notices.ts';
import { JobReaders } from './job-readers.ts';
import { LiveJobs } from './live-jobs.ts';
import { type Brain, Loop } from './loop.ts';
import { Pipelines } from './pipelines.ts';
import { readBrain } from './read-brain.ts';
import { notNow, RequestError, Requests } from './requests.ts';
import type { ResultQuery, ResultSink, ResultStream } from './result-stream.ts';
import { noElsewhere, Siblings, type SiblingsActs } from './siblings.ts';
import { Submissions, type SubmitSpec, type Submitted } from './submissions.ts';
import { TaskLogs } from './task-logs.ts';
import { WorkerGateway } from './worker-gateway.ts';
import { WorkerHistories } from './worker-history.ts';

export type { JobAction, SubmitSpec };

/**
 * One server's inside: the loop, what is durable of the live jobs, the streams that read results. HTTP and the client
 * gateway ask it; it owns the worker gateway. It knows no sockets.
 */
export class Core {
  readonly farm: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly loop: Loop;
  readonly live: LiveJobs;
  readonly readers: JobReaders;
  readonly workerGateway: WorkerGateway;
  readonly logs: TaskLogs;
  readonly workerHistories: WorkerHistories;
  readonly forgetting: Forgetting;
  /** Other servers that share the store; undefined: nobody can. */
  readonly siblings: Siblings | undefined;
  readonly #clock: Clock;
  readonly #inputs = new InputCache();
  readonly #notices: JobNotices;
  readonly #requests: Requests;
  readonly #submissions: Submissions;
  readonly #pipelines: Pipelines;
  readonly #jobActs: JobActs;
  #ended = false;
  /** Everything that changed and is on disk: the feed's source. */
  onChange: (change: Change) => void = () => {};
  onBroken: (error: StoreError) => void = () => {};
  onNotSaved: (error: StoreError) => void = () => {};
  onSaved: () => void = () => {};
  /** The brain was read from disk again: the workers that it knew have to come back. */
  onRebuilt: () => void = () => {};
  /** The data went back in time (D25): what was told of it may not be so any more. */
  readonly onRewound: (() => void)[] = [];
  onForgotten: (job: JobId) => void = () => {};
  readonly elsewhere = noElsewhere();
  /** A fault of ours that ended one request and nothing else (F-36). */
  onFault: (error: unknown) => void = () => {};
  readonly tallies = { done: 0, failed: 0, lost: 0, retried: 0 };

  constructor(options: { store: Store; blobs: BlobStore; clock: Clock }) {
    const store = tellWhenBroken(options.store, (error) => this.#end(error));
    this.store = store;
    this.blobs = options.blobs;
    this.farm = store.farm;
    this.#clock = options.clock;
    this.live = new LiveJobs(options.clock);
    this.workerHistories = new WorkerHistories(options.clock.wall());
    this.#notices = new JobNotices(store, options.blobs, this.#inputs);
    this.loop = this.#newLoop();
    if (store.shared !== undefined)
      this.siblings = new Siblings({
        shared: store.shared,
        store,
        clock: options.clock,
        loop: this.loop,
        acts: this.#siblingsActs(),
      });
    this.readers = new JobReaders(store);
    this.forgetting = new Forgetting(store, options.clock);
    this.#requests = new Requests(this.loop);
    this.#submissions = new Submissions({
      store,
      blobs: options.blobs,
      clock: options.clock,
      requests: this.#requests,
      notices: this.#notices,
      totalOf: (job) => this.live.get(job)?.progress.total ?? 0,
      check: async (asked) => {
        await this.#pipelines.check(asked);
        for (const id of predecessorsOf(asked)) await this.siblings?.mustKnow(id);
      },
    });
    this.#pipelines = new Pipelines({
      core: this,
      clock: options.clock,
      acts: {
        isMine: () => this.siblings?.isFirst !== false,
        addInputs: (job, first, count, column) => this.#submissions.addInputs(job, first, count, column),
        close: (job, total) => this.#close(job, total),
        cancel: (job, reason) => this.#requests.ask((request) => ({ kind: 'jobCancelled', request, job, reason })),
      },
    });
    this.logs = new TaskLogs(this.loop, options.clock);
    this.#jobActs = new JobActs({
      core: this,
      requests: this.#requests,
      opened: ({ id, spec, progress }) => {
        this.live.know(id, spec, progress);
        this.#notices.know(id, spec);
        this.siblings?.known(id, progress);
      },
    });
    this.workerGateway = new WorkerGateway({
      loop: this.loop,
      clock: options.clock,
      blobs: options.blobs,
      farm: this.farm,
      notices: this.#notices,
      logs: this.logs,
    });
    this.workerGateway.siblings = this.siblings;
    this.workerGateway.elsewhere = this.elsewhere;
  }

  #newLoop(): Loop {
    return new Loop({
      store: this.store,
      clock: this.#clock,
      inputs: this.#inputs,
      rebuild: () => this.#rebuild(),
      outbox: {
        perform: (effect) => this.#perform(effect),
        committed: (writes, asked) => {
          this.onSaved();
          this.#committed(writes);
          this.siblings?.committed(writes, asked);
        },
        endedElsewhere: async (jobs) => (await this.siblings?.endedOf(jobs)) ?? new Set(),
        nothingClaimed: () => this.siblings?.hungry(),
        failed: (error, effects) => {
          this.onNotSaved(error);
          this.#requests.notSaved(error, effects);
        },
        rebuilt: () => {
          this.workerGateway.restart();
          this.#beginPipelines();
          this.onRebuilt();
        },
        broken: (error) => this.#end(error),
      },
    });
  }

  async start(): Promise<void> {
    await this.loop.start();
    this.siblings?.start();
    await this.siblings?.refresh().catch(() => {}); // The next pulse asks again.
    this.#beginPipelines();
  }

  #beginPipelines(): void {
    if (this.siblings?.isFirst === false) return;
    for (const job of this.live.ids) this.#beginPipeline(job);
  }

  /** Of several servers the first one passes results on. */
  #beginPipeline(job: JobId): void {
    const spec = this.live.spec(job);
    if (spec !== undefined && this.siblings?.isFirst !== false) this.#pipelines.begin(job, spec);
  }

  /** Another job still takes its results as inputs. */
  feeds(job: JobId): boolean {
    return this.#pipelines.feeds(job);
  }

  /** What goes on by itself does so no more. */
  stop(): void {
    this.siblings?.stop();
    this.#pipelines.stop();
  }

  #end(error: StoreError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onBroken(error);
  }

  async submit(asked: SubmitSpec, owner: string, open: boolean, code?: string, about?: string): Promise<Submitted> {
    const submitted = await this.#submissions.submit(asked, owner, open, code, about);
    this.#beginPipeline(submitted.job);
    return submitted;
  }

  /** `ok` also for what is stored already; the message of a `conflict` says where to go on (P17). */
  addInputs(job: JobId, first: TaskIndex, count: number, column: PackedColumn): Promise<void> {
    return this.#feedByHand(job, () => this.#submissions.addInputs(job, first, count, column));
  }

  closeJob(job: JobId, total: number): Promise<void> {
    return this.#feedByHand(job, () => this.#close(job, total));
  }

  #feedByHand(job: JobId, act: () => Promise<void>): Promise<void> {
    const allowed = () => this.#pipelines.byHand(job, act);
    return this.siblings?.knowingAll(job, allowed) ?? allowed();
  }

  #siblingsActs(): SiblingsActs {
    return {
      found: ({ id, spec, progress }) => {
        this.live.know(id, spec, progress);
        this.#notices.know(id, spec);
        this.#beginPipeline(id);
      },
      progressed: (job, progress, { counted }) => {
        this.tallies.done += counted.done ?? 0;
        this.tallies.failed += counted.failed ?? 0;
        this.#progressed(job, progress);
        this.#pump(job);
      },
      live: () => this.live.ids,
      serversChanged: () => {
        this.#beginPipelines();
        this.elsewhere.serversChanged();
      },
      wentElsewhere: (worker) => this.workerGateway.wentElsewhere(worker),
      elsewhere: this.elsewhere,
    };
  }

  async #close(job: JobId, total: number): Promise<void> {
    const known = await this.readJob(job);
    if (known !== undefined && wasClosedAt(total, known.spec, known.progress)) return;
    await this.#requests.ask((request) => ({ kind: 'jobClosed', request, job, total }));
  }

  act(job: JobId, action: JobAction): Promise<void> {
    return this.#jobActs.act(job, action);
  }

  async actOnWorker(worker: WorkerId, action: 'drain' | 'undrain' | 'stop'): Promise<void> {
    if (this.loop.scheduler?.worker(worker) === undefined && (await this.elsewhere.act(worker, action))) return;
    await this.#requests.ask((request) =>
      action === 'stop'
        ? { kind: 'workerStopped', request, worker }
        : { kind: 'workerDrained', request, worker, drain: action === 'drain' },
    );
  }

  /** What is durable of a job, live or ended. */
  async readJob(job: JobId): Promise<Pick<Job, 'id' | 'spec' | 'progress'> | undefined> {
    return this.live.get(job) ?? this.store.readJob(job);
  }

  /** Why a task waits (R27). */
  explain(job: JobId, index: TaskIndex): Explanation {
    const scheduler = this.loop.scheduler;
    if (scheduler === undefined) return { state: 'waiting', reasons: ['The server cannot write to its store now.'] };
    return scheduler.explain(job, index, this.#clock.now());
  }

  /** Why no more of a job runs; undefined: it is not open. */
  explainJob(job: JobId): Omit<Explanation, 'state'> | undefined {
    const scheduler = this.loop.scheduler;
    if (scheduler === undefined) return { reasons: ['The server cannot write to its store now.'] };
    const { state, ...explanation } = scheduler.explainJob(job);
    return state === 'unknown' ? undefined : explanation;
  }

  /** What a worker has to do; nothing while the server cannot write. */
  given(worker: WorkerId): GivenBatch[] {
    return this.loop.scheduler?.given(worker, this.#clock.now()) ?? [];
  }

  /** Those that are connected; of several with one token, one. */
  workersByToken(): ReadonlyMap<string, WorkerId> {
    return new Map(this.loop.scheduler?.workers().map(({ worker }) => [worker.token, worker.id]));
  }

  /** The caller pumps it once when it is ready to receive. */
  async openStream(job: JobId, query: ResultQuery, sink: ResultSink): Promise<ResultStream> {
    let known = await this.readJob(job);
    // It may have ended while it was read, or another server was given it a moment ago.
    while (known !== undefined && !hasEnded(known.progress.state) && !this.live.has(job)) {
      if (this.loop.scheduler === undefined) throw notNow(this.loop.trouble);
      await this.siblings?.refresh();
      known = await this.readJob(job);
    }
    if (known === undefined) throw new RequestError('unknown', `there is no job ${job}`);
    const progress = this.live.get(job)?.progress ?? known.progress;
    return this.readers.open({ ...known, progress }, query, sink);
  }

  async #rebuild(): Promise<Brain> {
    const { recovered, scheduler, epoch } = await readBrain(this.store, this.#clock);
    this.readers.began(recovered.history ?? 0, this.onRewound);
    this.forgetting.recovered(recovered.forgetting);
    for (const job of this.live.ids) if (!recovered.jobs.some(({ id }) => id === job)) await this.#endedMeanwhile(job);
    this.live.clear();
    for (const job of recovered.jobs) {
      this.live.know(job.id, job.spec, job.progress);
      this.#notices.know(job.id, job.spec);
    }
    this.siblings?.rebuilt(recovered.jobs, epoch);
    return { scheduler, epoch };
  }

  /** Another server ended it, or forgot it, while this one did not look: who reads of it must hear. */
  async #endedMeanwhile(job: JobId): Promise<void> {
    const [before, stored] = [this.live.get(job)?.progress, await this.store.readJob(job)];
    if (before === undefined || (stored !== undefined && !hasEnded(stored.progress.state))) return;
    if (stored === undefined) this.onForgotten(job);
    this.#progressed(job, stored?.progress ?? { ...before, state: 'cancelled', reason: 'forgotten' });
    this.#pump(job);
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'reply':
        this.#requests.answered(effect);
        return;
      case 'publish':
        this.#published(effect.change);
        return;
      case 'claimMore':
      case 'dropBlock':
        return; // The loop does these itself.
      default:
        this.workerGateway.perform(effect);
    }
  }

  #published(change: Change): void {
    if (change.kind === 'job') this.live.counted(change.job, change.waiting, change.running);
    this.onChange(change);
  }

  /** What is on disk now is what streams and watchers may know. */
  #committed(writes: readonly Write[]): void {
    const touched = new Set<JobId>();
    for (const write of writes) {
      if (write.kind === 'job') this.live.know(write.job, write.spec, write.progress);
      else if (write.kind === 'progress') this.#progressed(write.job, write.progress);
      else if (write.kind === 'segment') {
        const { segment, column } = write;
        this.tallies.failed += segment.failed;
        this.tallies.done += countRuns(segment.runs) - segment.failed;
        this.workerHistories.recorded(segment);
        this.readers.recorded({ segment, column });
        touched.add(segment.job);
        continue;
      } else continue;
      touched.add(write.job);
    }
    for (const job of touched) this.#pump(job);
  }

  #progressed(job: JobId, progress: JobProgress): void {
    const before = this.live.progressed(job, progress);
    if (before !== undefined) {
      this.tallies.lost += progress.lost - before.lost;
      this.tallies.retried += progress.retried - before.retried;
    }
    this.readers.progressed(job, progress);
  }

  #pump(job: JobId): void {
    const live = this.live.get(job);
    if (live === undefined) return;
    this.readers.pump(job, live.progress);
    if (hasEnded(live.progress.state)) this.#jobOver(job);
  }

  #jobOver(job: JobId): void {
    this.live.forget(job);
    this.#notices.forget(job);
    this.logs.forget(job);
    this.workerGateway.jobOver(job);
  }
}
