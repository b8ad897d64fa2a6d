import { PACKAGES } from '../model/package-limits.ts';
import { AFTER_JOBS } from '../model/pipeline-limits.ts';

export interface JobOptions {
  /** For people; by default the module's or the function's name. */
  readonly name?: string;
  /** The same key gives the same job, however often it is submitted. */
  readonly idempotencyKey?: string;
  /** Higher first, -1000 to 1000; 0. */
  readonly priority?: number;
  /** Share among jobs of the same priority; 1. */
  readonly weight?: number;
  /** Re-runs of a task after its first failure; 0. Lost workers are not counted. */
  readonly retries?: number;
  /** Ends the job when more tasks than this have failed; by default it ends if its first 20 outcomes all failed. */
  readonly maxFailures?: number;
  /** Milliseconds for one attempt of one task. */
  readonly timeout?: number;
  /** Labels that a worker must have. */
  readonly requires?: Readonly<Record<string, string>>;
  /** CPUs of each task; 1. */
  readonly cpus?: number;
  /** Bytes of memory of each task. */
  readonly memory?: number;
  /** Named amounts of each task, such as `{ gpu: 1 }`. */
  readonly resources?: Readonly<Record<string, number>>;
  /** Refuses late results of an attempt that was given up. */
  readonly fenced?: boolean;
  /** Of a WebAssembly program: its clock and its random bytes follow from the code and the task's index; false. */
  readonly deterministic?: boolean;
  /**
   * Packages of npm, such as `sharp@0.33.5`, that are installed where the tasks run: for those with native parts, which
   * cannot be bundled. Only workers that allow it get such tasks.
   */
  readonly install?: readonly string[];
  /** Jobs, or their ids, that must be done before it begins; where one of them fails or is cancelled, so is it. */
  readonly after?: readonly (number | { readonly id: number })[];
  /**
   * Its tasks may add others to it, by `ctx.spawn`. It begins once all its own inputs are there, and ends once nothing is left
   * to do; false.
   */
  readonly spawns?: boolean;
  /** Cancels the job. */
  readonly signal?: AbortSignal;
}

/** What the server is told of them. */
export type SentOptions = Omit<
  JobOptions,
  'signal' | 'name' | 'idempotencyKey' | 'after' | 'deterministic' | 'install'
> & {
  readonly after?: readonly number[];
};

/** The id of what stands for a job. */
export function idOf(job: unknown): unknown {
  return typeof job === 'object' && job !== null && 'id' in job ? job.id : job;
}

const LARGEST = Number.MAX_SAFE_INTEGER;

type Rule = readonly [is: string, fits: (value: unknown) => boolean];

const whole = (least: number, most: number) => (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
const above0 = (most: number) => (value: unknown) => typeof value === 'number' && value > 0 && value <= most;
const text = (least: number) => (value: unknown) => typeof value === 'string' && value.length >= least;
const entries = (value: unknown, fits: (item: unknown) => boolean) =>
  typeof value === 'object' && value !== null && Object.values(value).every(fits);

/** The server closes the connection on what it can't read, so nothing that it would not take may leave. */
const rules: Record<keyof JobOptions, Rule> = {
  name: ['a text', text(0)],
  idempotencyKey: ['a text of 1 to 256 characters', (value) => text(1)(value) && (value as string).length <= 256],
  priority: ['a whole number from -1000 to 1000', whole(-1000, 1000)],
  weight: ['a number above 0, up to 1000', above0(1000)],
  retries: ['a whole number from 0 to 1000', whole(0, 1000)],
  maxFailures: ['a whole number from 0 up', whole(0, Number.MAX_SAFE_INTEGER)],
  timeout: ['a whole number of milliseconds from 1 up', whole(1, Number.MAX_SAFE_INTEGER)],
  requires: ['an object of texts, such as { os: "linux" }', (value) => entries(value, text(0))],
  cpus: ['a number above 0, up to 4096', above0(4096)],
  memory: ['a whole number of bytes from 1 up', whole(1, Number.MAX_SAFE_INTEGER)],
  resources: [
    'an object of numbers from 0 up, such as { gpu: 1 }',
    (value) => entries(value, (item) => item === 0 || above0(Number.MAX_VALUE)(item)),
  ],
  fenced: ['true or false', (value) => typeof value === 'boolean'],
  deterministic: ['true or false', (value) => typeof value === 'boolean'],
  install: [
    `an array of at most ${PACKAGES} packages, such as ["sharp@0.33.5"]`,
    (value) => Array.isArray(value) && value.length <= PACKAGES && value.every(text(1)),
  ],
  after: [
    `an array of at most ${AFTER_JOBS} jobs or ids of jobs`,
    (value) =>
      Array.isArray(value) && value.length <= AFTER_JOBS && value.every((each) => whole(1, LARGEST)(idOf(each))),
  ],
  spawns: ['true or false', (value) => typeof value === 'boolean'],
  signal: ['an AbortSignal', (value) => value instanceof AbortSignal],
};

/** Throws a TypeError that names the option and says what it must be. */
export function checkOptions(options: JobOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof JobOptions] : undefined;
    if (rule === undefined) {
      throw new TypeError(`there is no option ${JSON.stringify(name)}; there are ${Object.keys(rules).join(', ')}`);
    }
    const [is, fits] = rule;
    if (!fits(value)) throw new TypeError(`the option ${name} must be ${is}, but is ${shown(value)}`);
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' || (typeof value === 'object' && value !== null)
    ? (JSON.stringify(value) ?? String(value)).slice(0, 100)
    : String(value);
}
