import { buildProgram } from '../../src/cli/program.ts';
import { routes } from '../support/described.ts';

/** Why the command would not take these arguments; undefined: it would. Nothing is started. */
export async function refusalOf(args: readonly string[]): Promise<string | undefined> {
  const program = buildProgram('', () => {});
  for (const command of program.commands) command.action(() => {}).configureOutput({ writeErr: () => {} });
  try {
    await program.parseAsync(args, { from: 'user' });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Options that are given as `--name=value`, by their names. */
export function optionsIn(args: readonly string[]): Map<string, string> {
  return new Map(
    args.flatMap((each) =>
      [...each.matchAll(/^--([\w-]+)=(.*)$/gs)].map(([, name, value]) => [name, value] as [string, string]),
    ),
  );
}

/** Whether a probe, which has no token, gets an answer there. */
export function isOpenPath(path: string): boolean {
  return routes.some((route) => route.method === 'GET' && route.path === path && route.access === 'public');
}

/** The port of an address of the farm, such as `http://farm:7070`. */
export function portOf(url: string): number {
  return Number(new URL(url).port);
}
