import { mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Farm } from '../../client/farm.ts';
import type { ExecFile } from '../../worker/exec/exec-code.ts';
import { innerPath } from '../../worker/exec/inner-path.ts';
import { CommandError, ExitCode } from '../errors.ts';
import { printable } from '../output/printable.ts';

let drafts = 0;

/** Writes what commands have brought back below the current directory, and never anywhere else. */
export async function fetchFiles(farm: Farm, files: readonly ExecFile[]): Promise<void> {
  const home = realpathSync('.');
  for (const { path: name, blob } of files) {
    const inner = innerPath(name);
    if (inner === undefined) throw refused(name);
    const directory = directoryBelow(home, path.dirname(inner), name);
    drafts += 1;
    const draft = path.join(directory, `.manyhands-${process.pid}-${drafts}`);
    try {
      await farm.download(blob, pathToFileURL(draft));
      // It takes the place of a link, and does not follow it.
      renameSync(draft, path.join(directory, path.basename(inner)));
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
  }
}

/** Made where it is missing, one step at a time, so that no link on the way leads out. */
function directoryBelow(home: string, inner: string, name: string): string {
  let at = home;
  for (const step of inner.split('/')) {
    at = path.join(at, step);
    mkdirSync(at, { recursive: true });
    at = realpathSync(at);
    if (at !== home && !at.startsWith(home + path.sep)) throw refused(name);
  }
  return at;
}

function refused(name: string): CommandError {
  return new CommandError(
    `a command brought back a file for ${printable(name)}, which lies outside of this directory: it was not written`,
    ExitCode.failed,
  );
}
