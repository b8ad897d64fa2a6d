import { codeOfFile } from '../client/code/task-file.ts';
import type { Farm } from '../client/farm.ts';
import type { Job } from '../client/job.ts';
import { revive } from '../client/json-form.ts';
import { Range } from '../client/range.ts';
import { findPython } from '../worker/node/python/python-runner.ts';
import type { Api } from './api.ts';
import { attend, exitCodeOf, summaryOf } from './attend.ts';
import type { RunOptions } from './commands/run.ts';
import { CommandError, ExitCode, UsageError } from './errors.ts';
import { findJob } from './find-job.ts';
import { openInputs, parseInput } from './inputs/inputs.ts';
import { Interrupts } from './interrupts.ts';
import { type OpenFarm, seekFarm } from './open-farm.ts';
import { Out, OutputClosed } from './output/out.ts';

/** Submits, prints, waits; resolves with the exit code. What is wrong with the module or the inputs is told before anything is started. */
export async function runJob(module: string, args: string[], options: RunOptions): Promise<number> {
  const say = options.quiet ? () => {} : (text: string) => void process.stderr.write(text);
  // One waits for a process, the other loads modules: together they take as long as one of them.
  const [code, open, inputs] = await together([
    codeOfFile(module),
    seekFarm({ ...options, mustStay: options.detach || namesJobs(options), say }),
    inputsOf(args, options),
  ]);
  if (options.deterministic && code.runner !== 'wasi') {
    throw new UsageError(`--deterministic is for WebAssembly programs, and ${module} is none`);
  }
  const out = options.out === undefined ? Out.stdout() : Out.file(options.out);
  // From here on there is something to be cleaned up by whoever is told to leave.
  const run = new Run(say);
  const { farm, api } = await open();
  try {
    if (farm.embedded && code.runner === 'python' && findPython() === undefined) {
      throw new CommandError(`${module} needs python3, which this machine does not have`, ExitCode.failed);
    }
    const jobs = await namedJobs(options, api);
    const source = jobs.source === undefined ? inputs : farm.job(jobs.source);
    const job = await farm.map(code, source, { ...jobOptions(options), ...(jobs.after && { after: jobs.after }) });
    if (options.detach) return await detach(job, farm);
    return await run.attend(job, { farm, api }, out, options);
  } catch (error) {
    if (run.interrupted) run.leave(ExitCode.interrupted);
    if (error instanceof OutputClosed) await run.unread();
    throw error;
  } finally {
    run.end();
    out.close();
    // The job may have failed because of its inputs, which has been told by then.
    await farm.close().catch(() => {});
  }
}

/** All of them, or the failure of the first one in the list that fails. */
async function together<Results extends unknown[]>(promises: { [Key in keyof Results]: Promise<Results[Key]> }) {
  const settled = await Promise.allSettled(promises);
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<unknown>).value) as Results;
}

async function inputsOf(
  args: string[],
  { range, inputs, format }: RunOptions,
): Promise<Iterable<unknown> | AsyncIterable<unknown>> {
  if (range !== undefined) return new Range(range.start, range.step, range.count);
  if (inputs !== undefined) return openInputs(inputs, format, revive);
  return args.length === 0 ? [undefined] : args.map((argument) => parseInput(argument, revive));
}

function namesJobs({ after, resultsOf }: RunOptions): boolean {
  return after !== undefined || resultsOf !== undefined;
}

async function namedJobs({ after, resultsOf }: RunOptions, api: Api): Promise<{ after?: number[]; source?: number }> {
  return {
    ...(after && { after: await Promise.all(after.map((job) => findJob(job, api))) }),
    ...(resultsOf !== undefined && { source: await findJob(resultsOf, api) }),
  };
}

function jobOptions(options: RunOptions): Parameters<Farm['map']>[2] & object {
  const { name, priority, retries, maxFailures, timeout, requires, cpus, memory, resource: resources } = options;
  const { deterministic } = options;
  const given = Object.entries({
    name,
    priority,
    retries,
    maxFailures,
    timeout,
    requires,
    cpus,
    memory,
    resources,
    deterministic,
  });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** The id is printed once the job can do without us. */
async function detach(job: Job, farm: Farm): Promise<number> {
  await job.submitted;
  process.stdout.write(`${job.id}\n`);
  await farm.close();
  return ExitCode.done;
}

/** One job and whoever watches it. */
class Run {
  readonly #say: (text: string) => void;
  readonly #interrupts: Interrupts;
  #job: Job | undefined;
  #submitted = false;
  #hasOwnServer = false;

  constructor(say: (text: string) => void) {
    this.#say = say;
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

  async attend(job: Job, { farm, api }: OpenFarm, out: Out, options: RunOptions): Promise<number> {
    this.#job = job;
    this.#hasOwnServer = farm.embedded;
    job.submitted.then(
      () => (this.#submitted = true),
      () => {},
    );
    const progress = await attend(job, {
      out,
      form: options.json || options.out !== undefined ? 'records' : 'values',
      ordered: options.unordered !== true,
      defined: options.defined === true,
      quiet: options.quiet === true,
      readBlob: (ref) => farm.download(ref),
      api,
    });
    if (progress !== undefined) this.#say(summaryOf(job.id, progress) ?? '');
    if (this.interrupted) this.leave(ExitCode.interrupted);
    return progress === undefined ? ExitCode.failed : exitCodeOf(progress);
  }

  /** What a server keeps goes on without this program, which its user may not expect. */
  #sayWhatStays(): void {
    if (this.#job === undefined || this.#hasOwnServer) return;
    const { id } = this.#job;
    if (this.#submitted) this.#say(`manyhands: job ${id} goes on: manyhands results ${id}\n`);
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
