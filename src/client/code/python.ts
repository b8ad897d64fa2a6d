import { readFile } from 'node:fs/promises';
import { namesRequirements } from '../../model/python.ts';
import { locate } from './locate.ts';
import { TaskCodeError } from './task-code-error.ts';
import type { TextModule } from './task-module.ts';

/**
 * Reads a file of Python whose function `task` is called for each input. Whether it compiles is seen where it runs, since
 * there may be no Python here. Throws a TaskCodeError for what is plainly no task.
 */
export async function pythonModule(file: URL | string, cwd: string): Promise<TextModule> {
  const { path, sourceName } = locate(file, cwd);
  const bytes = await readFile(path);
  let code: string;
  try {
    code = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new TaskCodeError(`the task module ${sourceName} is no text in UTF-8`);
  }
  if (!/\btask\b/.test(code)) {
    throw new TaskCodeError(
      `the task module ${sourceName} has no function task, which is called for each input; add: def task(input, ctx): ...`,
    );
  }
  return { code, sourceName, runner: namesRequirements(code) ? 'venv' : 'python' };
}
