import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { findProgram } from '../confinement.ts';

/** The program of npm, a script for Node; undefined: it is not here. */
export function findNpm(): string | undefined {
  const isWindows = process.platform === 'win32';
  const found = findProgram(isWindows ? 'npm.cmd' : 'npm');
  if (found === undefined) return undefined;
  const real = realpathSync(found);
  if (real.endsWith('.js')) return real;
  const beside = join(dirname(real), 'node_modules/npm/bin/npm-cli.js');
  return existsSync(beside) ? beside : undefined;
}

/**
 * What npm is given of an environment: the worker's own, such that what is compiled or chosen for the Node that runs it is for
 * the one that runs the tasks.
 */
export function npmEnvironment(): NodeJS.ProcessEnv {
  const home = dirname(process.execPath);
  const headers = dirname(home);
  return {
    ...process.env,
    PATH: [home, process.env['PATH']].join(delimiter),
    ...(existsSync(join(headers, 'include/node/node.h')) && { npm_config_nodedir: headers }),
  };
}
