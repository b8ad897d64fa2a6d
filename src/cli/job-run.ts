import type { Farm } from '../client/farm.ts';
import type { Job } from '../client/job.ts';
import type { JobProgress } from '../model/job.ts';
import { exitCodeOf, summaryOf } from './attend.ts';
import { ExitCode } from './errors.ts';
import { Interrupts } from './interrupts.ts';

/** One job and whoever watches it. */
export class JobRun {
  readonly #say: (text: string) => void;
  readonly #interrupts: Interrupts;
  /** What else `results` is to be told, to bring what this command would have brought. */
  readonly #more: string;
  #job: Job | undefined;
  #submitted = false;
  #hasOwnServer = false;

  constructor(say: (text: string) => void, more = '') {
    this.#say = say;
    this.#more = more;
    // The first Ctrl-C cancels and waits for what was under way, the second leaves.
    this.#interrupts = new Interrupts(
      () => {
        const job = this.#job;
        if (job === undefined) return this.leave(ExitCode.interrupted);
        say(`\nmanyhands: job ${job.id} is being cancelled; Ctrl-C again leaves at once\n`);
        job.cancel().catch(() => this.leave(ExitCode.interrupted));
      },
      () => this.#sayWhatStays(),
    );
  }

  get interrupted(): boolean {
    return this.#interrupts.interrupted;
  }

  /** All inputs have reached the server. */
  get isSubmitted(): boolean {
    return this.#submitted;
  }

  begin(job: Job, farm: Farm): void {
    this.#job = job;
    this.#hasOwnServer = farm.embedded;
    job.submitted.then(
      () => (this.#submitted = true),
      () => {},
    );
  }

  /** Says how the job ended, and with which exit code. */
  finish(progress: JobProgress | undefined): number {
    if (progress !== undefined && this.#job !== undefined) this.#say(summaryOf(this.#job.id, progress) ?? '');
    if (this.interrupted) this.leave(ExitCode.interrupted);
    return progress === undefined ? ExitCode.failed : exitCodeOf(progress);
  }

  /** What a server keeps goes on without this program, which its user may not expect. */
  #sayWhatStays(): void {
    if (this.#job === undefined || this.#hasOwnServer) return;
    const { id } = this.#job;
    if (this.#submitted) this.#say(`manyhands: job ${id} goes on: manyhands results ${id}${this.#more}\n`);
    else this.#say(`manyhands: job ${id} waits for inputs that will not come: manyhands cancel ${id}\n`);
  }

  /**
   * Nobody wants the rest. A job that has all its inputs is the server's to finish, as when this program had died; one
   * whose inputs would never be complete would wait for ever, and is ended.
   */
  async unread(): Promise<never> {
    if (!this.#submitted) await this.#job?.cancel().catch(() => {});
    return this.leave(ExitCode.done);
  }

  /** At once: a standard input that says nothing would hold up an orderly end. A server of our own, and its data, go with us. */
  leave(exitCode: number): never {
    process.exit(exitCode);
  }

  end(): void {
    this.#interrupts.end();
  }
}
