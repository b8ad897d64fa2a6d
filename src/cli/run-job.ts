import { codeOfFile } from '../client/code/task-file.ts';
import type { TaskModule } from '../client/code/task-module.ts';
import type { Farm } from '../client/farm.ts';
import type { Job } from '../client/job.ts';
import { revive } from '../client/json-form.ts';
import { Range } from '../client/range.ts';
import { isPython, needsPython } from '../model/python.ts';
import { VARIANTS } from '../model/variant-limits.ts';
import { findPython } from '../worker/node/python/python-runner.ts';
import type { Api } from './api.ts';
import { attend } from './attend.ts';
import type { RunOptions } from './commands/run.ts';
import { CommandError, ExitCode, UsageError } from './errors.ts';
import { findJob } from './find-job.ts';
import { openInputs, parseInput } from './inputs/inputs.ts';
import { JobRun } from './job-run.ts';
import { seekFarm } from './open-farm.ts';
import { Out, OutputClosed } from './output/out.ts';

/** Submits, prints, waits; resolves with the exit code. What is wrong with the module or the inputs is told before anything is started. */
export async function runJob(module: string, args: string[], options: RunOptions): Promise<number> {
  const say = options.quiet ? () => {} : (text: string) => void process.stderr.write(text);
  // One waits for a process, the other loads modules: together they take as long as one of them.
  const [code, { open }, inputs] = await together([
    codeOf(module, options),
    seekFarm({ ...options, mustStay: options.detach || namesJobs(options), say }),
    inputsOf(args, options),
  ]);
  const runners = [code, ...code.variants].map(({ runner }) => runner);
  if (options.deterministic && !runners.includes('wasi')) {
    throw new UsageError(`--deterministic is for WebAssembly programs, and ${module} is none`);
  }
  if (/\.[ct]sv$/.test(options.out ?? ''))
    throw new UsageError(
      `--out ${options.out}: records are lines of JSON; name it .jsonl, or save a table on the page of the job afterwards`,
    );
  const out = options.out === undefined ? Out.stdout() : Out.file(options.out);
  // From here on there is something to be cleaned up by whoever is told to leave.
  const run = new JobRun(say);
  const { farm, api } = await open();
  try {
    if (farm.embedded && runners.every(isPython)) await demandPython(module);
    const jobs = await namedJobs(options, api);
    const source = jobs.source === undefined ? inputs : farm.job(jobs.source);
    const job = await farm.map(code, source, { ...jobOptions(options), ...(jobs.after && { after: jobs.after }) });
    if (options.detach) return await detach(job, farm);
    run.begin(job, farm);
    if (options.install) say(`manyhands: before its first task a worker installs ${options.install.join(', ')}\n`);
    const exitCode = run.finish(
      await attend(job, {
        out,
        form: options.json || options.out !== undefined ? 'records' : 'values',
        ordered: options.unordered !== true,
        defined: options.defined === true,
        quiet: options.quiet === true,
        readBlob: (ref) => farm.download(ref),
        api,
      }),
    );
    if (run.isSubmitted) return exitCode;
    // The job has ended before its inputs have: a standard input that says nothing would hold up an orderly end.
    out.close();
    return run.leave(exitCode);
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

async function codeOf(module: string, { variant = [], install }: RunOptions) {
  if (variant.length >= VARIANTS) throw new UsageError(`a job has at most ${VARIANTS} variants, the module among them`);
  const [code, ...variants] = await together<[TaskModule, ...TaskModule[]]>([
    codeOfFile(module, undefined, install),
    ...variant.map((each) => codeOfFile(each)),
  ]);
  return { ...code, variants };
}

/** A server of this command alone would wait for it for ever. */
async function demandPython(module: string): Promise<void> {
  if (findPython() !== undefined) return;
  const { PyodideFiles } = await import('../server/pyodide.ts');
  if (PyodideFiles.find() === undefined) throw new CommandError(needsPython(module), ExitCode.failed);
}

/** All of them, or the failure of the first one in the list that fails. */
export async function together<Results extends unknown[]>(promises: { [Key in keyof Results]: Promise<Results[Key]> }) {
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

export function jobOptions(options: RunOptions): Parameters<Farm['map']>[2] & object {
  const { name, priority, retries, maxFailures, timeout, requires, cpus, memory, resource: resources } = options;
  const { deterministic, spawns } = options;
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
    spawns,
  });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** The id is printed once the job can do without us. */
export async function detach(job: Job, farm: Farm): Promise<number> {
  await job.submitted;
  process.stdout.write(`${job.id}\n`);
  await farm.close();
  return ExitCode.done;
}
