import type { WorkerFailure } from '../failures.ts';
import type { FailureWords } from './task-failure.ts';
import { failureOf } from './task-failure.ts';

export type TaskFunction = (input: unknown, context: object) => unknown;

/** Loads a task module. What is wrong with it comes back as the failure of each of its tasks, in one sentence. */
export async function loadTask(
  load: () => Promise<object>,
  sourceName: string,
  words: FailureWords,
): Promise<TaskFunction | WorkerFailure> {
  let module: { default?: unknown };
  try {
    module = await load();
  } catch (error) {
    const { name, message, stack } = failureOf(error, words);
    const kind = error instanceof SyntaxError ? 'does not compile' : 'threw while it was loaded';
    return codeFailure(`the task module ${sourceName} ${kind}: ${name}: ${message}`, stack);
  }
  const task = module.default;
  if (typeof task === 'function') return task as TaskFunction;
  if (!('default' in module)) {
    return codeFailure(
      `the task module ${sourceName} has no default export, which is the function that is called for each input; add: export default async (input) => { … }`,
    );
  }
  return codeFailure(`the default export of the task module ${sourceName} is ${described(task)}, not a function`);
}

function described(value: unknown): string {
  if (typeof value === 'string') return 'a string';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** The failure of every task whose code is not as it should be. */
export function codeFailure(message: string, stack?: string): WorkerFailure {
  return { kind: 'error', name: 'TaskCodeError', message, ...(stack !== undefined && { stack }) };
}
