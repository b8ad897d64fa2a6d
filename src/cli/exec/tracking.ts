import type { Job } from '../../client/job.ts';
import type { JobView } from '../../model/feed.ts';
import type { ExecOptions } from '../commands/exec.ts';
import { ExitCode, UsageError } from '../errors.ts';
import type { OpenFarm } from '../open-farm.ts';
import { printable } from '../output/printable.ts';
import { asyncOf } from './arguments.ts';
import { resumeOption } from './check-options.ts';
import { CollectedFiles } from './collected-files.ts';
import { type Halt, isServersTask } from './halt.ts';
import type { JobLog } from './job-log.ts';
import type { Plan } from './plan.ts';
import type { CommandOutcome } from './print-commands.ts';
import { ResultFiles } from './result-files.ts';

/** Milliseconds between two looks whether all that ran has ended, before a job is ended that shall not be cut short. */
const SETTLE_LOOK = 100;

export interface NumberedArguments {
  /** From 1 up. */
  readonly sequence: number;
  readonly args: readonly string[];
}

/** What is known here of the commands on their way: their arguments, the log, and how many have failed. */
export class Tracking {
  readonly #plan: Plan;
  readonly #options: ExecOptions;
  readonly #log: JobLog | undefined;
  /** By index of the task, until it is printed and logged. */
  readonly #arguments = new Map<number, NumberedArguments>();
  /** By index of the task: numbers of commands behind some that an earlier run has left out. */
  readonly #numbers = new Map<number, number>();
  #job: Job | undefined;
  #open: OpenFarm | undefined;
  #files: CollectedFiles | undefined;
  readonly #results: ResultFiles | undefined;
  readonly #ended = { fail: 0, success: 0, done: 0 };
  #isEnding = false;

  constructor(plan: Plan, options: ExecOptions, log: JobLog | undefined) {
    this.#plan = plan;
    if (options.results !== undefined) this.#results = new ResultFiles(options.results, plan.code.names);
    this.#options = options;
    this.#log = log;
  }

  /** Whether it wants to hear of each outcome. */
  get isNeeded(): boolean {
    const { collect, halt, results } = this.#options;
    return this.#log !== undefined || collect !== undefined || results !== undefined || !isServersTask(halt);
  }

  /** The commands that an earlier run has left. Refuses a log of other commands. */
  async left(lists: AsyncIterable<readonly string[]>): Promise<AsyncIterable<NumberedArguments>> {
    const before = this.#log?.before ?? new Map<number, { command: string; isDone: boolean }>();
    if (before.size === 0) return numbered(lists);
    const left: NumberedArguments[] = [];
    for await (const { sequence, args } of numbered(lists)) {
      const logged = before.get(sequence);
      const command = this.#commandOf({ sequence, args });
      if (logged !== undefined && logged.command !== command)
        throw new UsageError(
          `${resumeOption(this.#options)}: command ${sequence} was ${JSON.stringify(logged.command)} in the log and is ${JSON.stringify(command)} now: give the same command and inputs, or another --joblog`,
        );
      const isOver = logged !== undefined && (this.#options.resumeFailed !== true || logged.isDone);
      if (!isOver) left.push({ sequence, args });
    }
    return asyncOf(left);
  }

  note(index: number, sequence: number, args: readonly string[]): void {
    if (sequence !== index + 1) this.#numbers.set(index, sequence);
    if (this.#options.tag || this.#log !== undefined || this.#results !== undefined)
      this.#arguments.set(index, { sequence, args });
  }

  readonly numberOf = (index: number): number => this.#numbers.get(index) ?? index + 1;

  tagOf(index: number): string {
    const args = this.#arguments.get(index)?.args.join(' ') ?? '';
    this.#arguments.delete(index);
    return process.stdout.isTTY === true ? printable(args) : args;
  }

  follow(job: Job, open: OpenFarm): void {
    this.#job = job;
    this.#open = open;
    if (this.#options.collect !== undefined)
      this.#files = new CollectedFiles(open.farm, { directory: '.', replaces: true });
  }

  readonly tell = async ({ index, value, failed }: CommandOutcome): Promise<void> => {
    const given = this.#arguments.get(index) ?? { sequence: index + 1, args: [] };
    if (this.#options.tag !== true) this.#arguments.delete(index);
    if (value?.files !== undefined) await this.#files?.fetch(value.files);
    const { columns } = this.#plan.shape;
    if (this.#open !== undefined)
      await this.#results?.write(this.#open.farm, given.sequence, given.args, columns, value);
    this.#log?.add(given.sequence, this.#commandOf(given), value, failed?.failure);
    this.#ended[failed === undefined ? 'success' : 'fail'] += 1;
    this.#ended.done += 1;
    const { halt } = this.#options;
    if (halt !== undefined && !isServersTask(halt) && this.#ended[halt.what] >= halt.count) await this.#end(halt);
  };

  /** The exit code of a job that was ended because enough had been reached; undefined: it was not. */
  get exitCode(): number | undefined {
    const what = this.#options.halt?.what;
    if (!this.#isEnding || what === 'fail') return undefined;
    return what === 'success' || this.#ended.fail === 0 ? ExitCode.done : ExitCode.failed;
  }

  #commandOf({ args, sequence }: NumberedArguments): string {
    return this.#plan.template.command(args, sequence, 1).replaceAll('\n', ' ');
  }

  /** Nothing else is begun; with `soon` what runs goes on to its end. */
  async #end({ when }: Halt): Promise<void> {
    if (this.#isEnding || this.#job === undefined || this.#open === undefined) return;
    this.#isEnding = true;
    const { api } = this.#open;
    const path = `v1/jobs/${this.#job.id}`;
    try {
      if (when === 'now') return await api.post(`${path}/cancel`);
      await api.post(`${path}/pause`);
    } catch {
      // It has ended by itself.
      return;
    }
    const look = async (): Promise<void> => {
      const { running } = await api.get<JobView>(path);
      if (running === 0) await api.post(`${path}/cancel`);
      else setTimeout(() => void look().catch(() => {}), SETTLE_LOOK);
    };
    void look().catch(() => {});
  }
}

async function* numbered(lists: AsyncIterable<readonly string[]>): AsyncGenerator<NumberedArguments> {
  let sequence = 0;
  for await (const args of lists) {
    sequence += 1;
    yield { sequence, args };
  }
}
