import type { Command } from 'commander';
import { UsageError } from '../errors.ts';

/** What people may have read of and this version does not have yet: not listed, and honest when it is asked for. */
const COMMANDS: Readonly<Record<string, string>> = {
  exec: 'tasks are functions of JavaScript or TypeScript modules so far, see "manyhands run"',
};

export function addLater(program: Command): void {
  for (const [name, instead] of Object.entries(COMMANDS)) {
    program
      .command(`${name} [anything...]`, { hidden: true })
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw new UsageError(`"manyhands ${name}" is not in this version yet; ${instead}`);
      });
  }
}
