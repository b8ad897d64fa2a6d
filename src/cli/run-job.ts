import type { Farm } from '../client/farm.ts';
import type { Job } from '../client/job.ts';
import { Range } from '../client/range.ts';
import type { TaskCode } from '../client/task-code.ts';
import { attend, exitCodeOf, summaryOf } from './attend.ts';
import type { RunOptions } from './commands/run.ts';
import { ExitCode } from './errors.ts';
import { openInputs, parseInput } from './inputs/inputs.ts';
import { Interrupts } from './interrupts.ts';
import { openFarm } from './open-farm.ts';
import { Out, OutputClosed } from './output/out.ts';

const asIs = (value: unknown): unknown => value;

/** Submits, prints, waits; resolves with the exit code. */
export async function runJob(code: TaskCode, args: string[], options: RunOptions): Promise<number> {
  const inputs = await inputsOf(args, options);
  const out = options.out === undefined ? Out.stdout() : Out.file(options.out);
  const say = options.quiet ? () => {} : (text: string) => void process.stderr.write(text);
  const farm = await openFarm({ ...options, mustStay: options.detach, say });
  const controls = new Controls(say);
  try {
    const job = await farm.map(code, inputs, jobOptions(options));
    if (options.detach) return await detach(job, farm);
    controls.job = job;
    const progress = await attend(job, {
      out,
      form: options.json || options.out !== undefined ? 'records' : 'values',
      ordered: options.unordered !== true,
      defined: options.defined === true,
      quiet: options.quiet === true,
      readBlob: (ref) => farm.download(ref),
    });
    if (controls.interrupted) return ExitCode.interrupted;
    if (progress === undefined) return ExitCode.failed;
    say(summaryOf(job.id, progress) ?? '');
    return exitCodeOf(progress);
  } catch (error) {
    if (controls.interrupted) return ExitCode.interrupted;
    if (!(error instanceof OutputClosed)) throw error;
    // Nobody wants the rest: a job of our own server ends with it, any other is the server's to finish.
    if (!farm.embedded) process.exit(ExitCode.done);
    await controls.job?.cancel();
    return ExitCode.done;
  } finally {
    controls.end();
    await closeQuietly(farm);
    out.close();
  }
}

async function inputsOf(
  args: string[],
  { range, inputs, format }: RunOptions,
): Promise<Iterable<unknown> | AsyncIterable<unknown>> {
  if (range !== undefined) return new Range(range.start, range.step, range.count);
  if (inputs !== undefined) return openInputs(inputs, format, asIs);
  return args.length === 0 ? [undefined] : args.map((argument) => parseInput(argument, asIs));
}

function jobOptions(options: RunOptions): Parameters<Farm['map']>[2] & object {
  const { name, priority, retries, maxFailures, timeout, requires, cpus, memory } = options;
  const given = Object.entries({ name, priority, retries, maxFailures, timeout, requires, cpus, memory });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** The id is printed once the job can do without us. */
async function detach(job: Job, farm: Farm): Promise<number> {
  await job.submitted;
  process.stdout.write(`${job.id}\n`);
  await farm.close();
  return ExitCode.done;
}

/** The job may have failed because of its inputs, which has been told by then. */
async function closeQuietly(farm: Farm): Promise<void> {
  await farm.close().catch(() => {});
}

/** What Ctrl-C does to a job: the first cancels it and waits for what was under way, the second leaves. */
class Controls {
  job: Job | undefined;
  readonly #interrupts: Interrupts;

  constructor(say: (text: string) => void) {
    this.#interrupts = new Interrupts(() => {
      if (this.job === undefined) process.exit(ExitCode.interrupted);
      say(`\nmanyhands: job ${this.job.id} is being cancelled; Ctrl-C again leaves at once\n`);
      this.job.cancel().catch(() => process.exit(ExitCode.interrupted));
    });
  }

  get interrupted(): boolean {
    return this.#interrupts.interrupted;
  }

  end(): void {
    this.#interrupts.end();
  }
}
