import { VARIANTS } from '../model/variant-limits.ts';
import { TaskCodeError } from './code/task-code-error.ts';
import type { AnyTask, TaskFunction } from './task.ts';
import type { TaskCode } from './task-code.ts';

/** A command line as a task, such as `./render {}`: what `manyhands exec` runs. Its results are `{ stdout, stderr, exitCode }`. */
export interface CommandVariant {
  readonly command: string;
  /** Labels that a worker must have for it, such as `{ arch: 'arm64', os: 'linux' }`. */
  readonly requires?: Readonly<Record<string, string>>;
}

type OneOrMore<Source> = Source | readonly Source[];

/** The same task for several kinds of devices, by how they are run. */
export interface VariantSources<Task = never> {
  /** A module in TypeScript or JavaScript, or a function. */
  readonly js?: OneOrMore<Task | URL | TaskCode>;
  /** A WebAssembly program. */
  readonly wasi?: OneOrMore<URL | TaskCode>;
  /** A file of Python. */
  readonly python?: OneOrMore<URL | TaskCode>;
  readonly exec?: OneOrMore<CommandVariant | TaskCode>;
}

type Runner = keyof VariantSources;
type Source = AnyTask | URL | TaskCode | CommandVariant;

const RUNNERS: readonly Runner[] = ['js', 'wasi', 'python', 'exec'];

/** A task in several variants, to be given to `farm.map` or `farm.run` in place of a function. */
export class Variants<Task extends AnyTask> {
  /** @internal What types it has. */
  declare readonly task?: Task;
  readonly #sources: readonly (readonly [Runner, Source])[];

  /** @internal */
  constructor(sources: VariantSources<AnyTask>) {
    for (const name of Object.keys(sources)) {
      if (!RUNNERS.includes(name as Runner))
        throw new TypeError(`there is no variant ${JSON.stringify(name)}; there are ${RUNNERS.join(', ')}`);
    }
    this.#sources = RUNNERS.flatMap((runner) => listOf(sources[runner]).map((source) => [runner, source] as const));
    const { length } = this.#sources;
    if (length === 0) throw new TypeError(`variants needs at least one of ${RUNNERS.join(', ')}`);
    if (length > VARIANTS) throw new TypeError(`a job has at most ${VARIANTS} variants, not ${length}`);
  }

  /** @internal Complete codes; `read` makes them of modules and functions. */
  async codes(read: (source: URL | AnyTask) => Promise<TaskCode>): Promise<TaskCode> {
    const codes = await Promise.all(this.#sources.map(([runner, source]) => codeOf(runner, source, read)));
    const [first, ...others] = codes as [TaskCode, ...TaskCode[]];
    return others.length === 0 ? first : { ...first, variants: others };
  }
}

/**
 * The same task in several variants, of which each worker gets the one that is fastest there, as measured on the job; a
 * worker that can run only one of them gets that one. You promise that all of them give the same results: which one has
 * run is not told by the result. Types come from the function; with modules alone, name them:
 * `variants<typeof import('./task.ts').default>({ js: …, wasi: … })`.
 */
export function variants<Task extends AnyTask = (input: unknown) => unknown>(sources: VariantSources): Variants<Task>;
export function variants<In, Out>(sources: VariantSources<TaskFunction<In, Out>>): Variants<TaskFunction<In, Out>>;
export function variants(sources: VariantSources<AnyTask>): Variants<AnyTask> {
  return new Variants(sources);
}

function listOf<Each>(value: OneOrMore<Each> | undefined): readonly Each[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as Each];
}

async function codeOf(
  runner: Runner,
  source: Source,
  read: (source: URL | AnyTask) => Promise<TaskCode>,
): Promise<TaskCode> {
  if (typeof source === 'object' && 'command' in source) {
    const { command, requires } = source;
    const code = {
      runner: 'exec',
      code: JSON.stringify({ command }),
      sourceName: command,
      ...(requires && { requires }),
    };
    return matching(runner, code as TaskCode);
  }
  const isMade = typeof source === 'object' && !(source instanceof URL);
  return matching(runner, isMade ? source : await read(source));
}

/** Whoever names the wrong file should hear of it before anything runs. */
function matching(wanted: Runner, code: TaskCode): TaskCode {
  const runner = code.runner === undefined || code.runner === 'node' || code.runner === 'npm' ? 'js' : code.runner;
  if (runner === wanted) return code;
  throw new TaskCodeError(`the variant ${wanted} is ${code.sourceName}, which is for the runner ${runner}`);
}
