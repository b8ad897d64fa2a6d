import type { JobId } from '../model/ids.ts';
import { hasEnded, type Job } from '../model/job.ts';
import type { Core } from './core.ts';
import { RequestError, type Requests } from './requests.ts';

export type JobAction = 'cancel' | 'pause' | 'resume' | 'retry' | 'forget';

/** What people do to a job that is there: said again, it changes nothing. */
export class JobActs {
  readonly #core: Core;
  readonly #requests: Requests;
  readonly #opened: (job: Job) => void;

  /** `opened`: an ended job is open again on disk, and the brain is told next. */
  constructor(parts: { core: Core; requests: Requests; opened: (job: Job) => void }) {
    this.#core = parts.core;
    this.#requests = parts.requests;
    this.#opened = parts.opened;
  }

  async act(job: JobId, action: JobAction): Promise<void> {
    await this.#core.siblings?.mustKnow(job);
    const known = await this.#read(job, action);
    if (known === undefined && action === 'forget' && (await this.#core.forgetting.finish(job))) return;
    if (known === undefined) throw new RequestError('unknown', `there is no job ${job}`);
    const ended = hasEnded(known.progress.state);
    if (action === 'retry') return this.#retry(known, ended);
    if (action === 'forget') return this.#forget(job, ended);
    if (action === 'cancel' && ended) return;
    if (ended)
      throw new RequestError(
        'conflict',
        `job ${job} has ended (${known.progress.state}): there is nothing to ${action}`,
      );
    if (action === 'cancel')
      await this.#requests.ask((request) => ({ kind: 'jobCancelled', request, job, reason: 'cancelled by request' }));
    else
      await this.#requests.ask((request) => ({ kind: action === 'pause' ? 'jobPaused' : 'jobResumed', request, job }));
  }

  /** What may only be done to an ended job is not refused because another server ended it a moment ago. */
  async #read(job: JobId, action: JobAction): ReturnType<Core['readJob']> {
    const known = await this.#core.readJob(job);
    const { siblings } = this.#core;
    if (siblings === undefined || known === undefined || hasEnded(known.progress.state)) return known;
    if (action !== 'retry' && action !== 'forget') return known;
    await siblings.refresh();
    return this.#core.readJob(job);
  }

  async #retry(job: Pick<Job, 'id' | 'progress'>, ended: boolean): Promise<void> {
    if (!ended) throw new RequestError('conflict', `job ${job.id} is still running: retry it when it has ended`);
    const { store } = this.#core;
    if ((await store.reopen(job.id)) === 0)
      throw new RequestError('conflict', `job ${job.id} has no failed task to retry`);
    const reopened = await store.readJob(job.id);
    // A pulse may have found it open meanwhile.
    if (this.#core.siblings?.knows(job.id)) return;
    if (reopened === undefined) throw new RequestError('unknown', `there is no job ${job.id}`);
    this.#opened(reopened);
    await this.#requests.ask((request) => ({ kind: 'jobReopened', request, job: reopened }));
  }

  async #forget(job: JobId, ended: boolean): Promise<void> {
    if (!ended) throw new RequestError('conflict', `job ${job} is still running: cancel it first`);
    if (this.#core.feeds(job)) throw new RequestError('conflict', `another job still takes the results of job ${job}`);
    this.#core.logs.forget(job);
    await this.#core.forgetting.forget(job);
    this.#core.onForgotten(job);
  }
}
