import type { Farm } from '../client/farm.ts';
import type { Job } from '../client/job.ts';
import type { TaskFailure } from '../model/envelope.ts';
import { type JobProgress, mayGrow } from '../model/job.ts';
import type { Api } from './api.ts';
import { ExitCode } from './errors.ts';
import { type CommandOutcome, printCommands, told } from './exec/print-commands.ts';
import type { Out } from './output/out.ts';
import { type Arrival, printResults } from './output/print-results.ts';
import { printable, printableText } from './output/printable.ts';
import { formatCount } from './output/table.ts';
import type { Failed, ReadBlob } from './output/values.ts';
import { ProgressBar } from './progress.ts';
import { sayWhyItWaits } from './waiting.ts';

export interface AttendOptions {
  readonly out: Out;
  readonly form: 'values' | 'records';
  readonly ordered: boolean;
  readonly defined: boolean;
  readonly quiet: boolean;
  readonly readBlob: ReadBlob;
  readonly api: Api;
  /** The job is one of commands: what they printed is printed, in place of values. */
  readonly commands?: CommandsOptions | undefined;
}

export interface CommandsOptions {
  readonly farm: Farm;
  readonly isSilent?: boolean | undefined;
  readonly tagOf?: ((index: number) => string) | undefined;
  /** The number of a command for people, as `{#}` and its log have it; by itself, one more than its index. */
  readonly numberOf?: ((index: number) => number) | undefined;
  /** Called for each command as it ends, before it is printed. */
  readonly tell?: ((outcome: CommandOutcome) => Promise<void>) | undefined;
}

/** Prints a job's results as they come, with a bar on a terminal, until it has ended; says how it ended. */
export async function attend(job: Job, options: AttendOptions): Promise<JobProgress | undefined> {
  const bar = new ProgressBar(process.stderr, { quiet: options.quiet });
  const failures = new Failures(bar, options.commands);
  void watch(job, bar);
  const told = options.quiet
    ? () => {}
    : sayWhyItWaits(job.id, options.api, (text) => {
        bar.clear();
        process.stderr.write(text);
      });
  const ended = { progress: undefined as JobProgress | undefined };
  try {
    await printAll(arrivals(job, options, ended), options, {
      onFailed: (failed) => failures.tell(failed),
      aside: (write) => {
        failures.flush();
        return options.out.isTerminal || options.commands !== undefined ? bar.aside(write) : write();
      },
    });
    options.out.start();
  } finally {
    told();
    failures.flush();
    bar.end();
  }
  return ended.progress;
}

async function printAll(
  arrivals: AsyncIterable<Arrival>,
  options: AttendOptions,
  watchers: { onFailed: (failed: Failed) => void; aside: (write: () => Promise<void>) => Promise<void> },
): Promise<void> {
  const { commands, form, out, ordered } = options;
  if (commands === undefined) return printResults(arrivals, { ...options, ...watchers });
  const { farm, tell, tagOf, isSilent } = commands;
  const all = tell === undefined ? arrivals : told(arrivals, farm, tell);
  if (form === 'records') return printResults(all, { ...options, ...watchers });
  return printCommands(all, { out, ordered, farm, tagOf, isSilent, ...watchers });
}

export function exitCodeOf(progress: JobProgress): number {
  return progress.state === 'done' ? ExitCode.done : ExitCode.failed;
}

/** One sentence about a job that did not go well; undefined where there is nothing to add. */
export function summaryOf(id: number, progress: JobProgress): string | undefined {
  if (progress.state === 'done')
    return progress.total === 0 ? `manyhands: job ${id} had no inputs, so nothing ran\n` : undefined;
  const cancelled = progress.total - progress.done - progress.failed;
  const counts = [
    `${formatCount(progress.done)} done`,
    ...(progress.failed > 0 ? [`${formatCount(progress.failed)} failed`] : []),
    ...(cancelled > 0 ? [`${formatCount(cancelled)} cancelled`] : []),
  ].join(', ');
  const reason = progress.reason === undefined ? '' : `: ${printable(progress.reason)}`;
  return `manyhands: job ${id} ${progress.state} (${counts})${reason}\n`;
}

async function* arrivals(
  job: Job,
  { ordered, defined }: AttendOptions,
  ended: { progress: JobProgress | undefined },
): AsyncGenerator<Arrival> {
  const batches = job.batches({ order: ordered ? 'index' : 'completion', defined });
  try {
    for (;;) {
      const step = await batches.next();
      if (step.done === true) {
        ended.progress = step.value;
        return;
      }
      if ('next' in step.value) yield { kind: 'mark', next: step.value.next };
      else yield { kind: 'batch', batch: step.value };
    }
  } finally {
    await batches.return(undefined);
  }
}

/** Follows the job beside its results: the bar must neither hold anything up nor break anything. */
async function watch(job: Job, bar: ProgressBar): Promise<void> {
  if (!bar.isShown) return;
  try {
    const { spec } = await job.status();
    for await (const { progress, running } of job.progress()) {
      const { total, done, failed } = progress;
      bar.update({ total, isOpen: mayGrow(spec, progress), done, failed, running });
    }
  } catch {
    // The connection ended; whoever reads the results tells of it.
  }
}

/**
 * Failed tasks on stderr, a line and the place where it was thrown; gathered, because there may be many. A module that
 * can't be loaded is told once, not for each of its tasks.
 */
class Failures {
  readonly #bar: ProgressBar;
  readonly #commands: CommandsOptions | undefined;
  readonly #modules = new Set<string>();
  #text = '';
  #planned: NodeJS.Immediate | undefined;

  constructor(bar: ProgressBar, commands: CommandsOptions | undefined) {
    this.#bar = bar;
    this.#commands = commands;
  }

  tell(failed: Failed): void {
    const { failure } = failed;
    if (failure.name === 'TaskCodeError') {
      if (this.#modules.has(failure.message)) return;
      this.#modules.add(failure.message);
      this.#text += `manyhands: ${below(failure.message)}\n`;
    } else {
      this.#text += this.#headline(failed) + causes(failure);
    }
    const place = placeIn(failure.stack);
    if (place !== undefined) this.#text += `    ${printable(place.trim())}\n`;
    this.#planned ??= setImmediate(() => this.flush());
  }

  #headline({ index, failure, attempts }: Failed): string {
    const who = this.#commands ? `command ${this.#commands.numberOf?.(index) ?? index + 1}` : `task ${index}`;
    const tries = attempts > 1 ? ` after ${attempts} attempts` : '';
    const what = failure.kind === 'error' ? `${failure.name}: ${failure.message}` : failure.message;
    return `${who} failed${tries}: ${below(what)}\n`;
  }

  flush(): void {
    clearImmediate(this.#planned);
    this.#planned = undefined;
    if (this.#text === '') return;
    this.#bar.clear();
    process.stderr.write(this.#text);
    this.#text = '';
  }
}

/** Why it was thrown, below what was thrown: a request that was denied says only there what became of it. */
function causes({ cause }: Pick<TaskFailure, 'cause'>): string {
  if (cause === undefined) return '';
  return `    because of ${below(`${cause.name}: ${cause.message}`)}\n${causes(cause)}`;
}

/** Words of a task, on as many lines as they have: set in, so that they can't be taken for ours, and harmless (T-16). */
function below(text: string): string {
  return printableText(text.trimEnd()).replaceAll(/\n(?=[^\n])/g, '\n    ');
}

/** Where it happened: the first line of a stack of JavaScript, the last of a traceback of Python. */
function placeIn(stack: string | undefined): string | undefined {
  return stack?.match(/^\s+at .*$/m)?.[0] ?? stack?.match(/^\s+File ".*$/gm)?.at(-1);
}
