import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Farm } from '../../client/farm.ts';
import type { BlobRef } from '../../model/envelope.ts';
import type { ExecFile } from '../../worker/exec/exec-code.ts';
import { innerPath } from '../../worker/exec/inner-path.ts';
import { digestFile } from '../../worker/node/digest-file.ts';
import { CommandError, ExitCode, systemWords, UsageError, whyNotMade } from '../errors.ts';
import { makeFolders } from '../make-folders.ts';
import { printable } from '../output/printable.ts';

export interface CollectOptions {
  /** Files go below it, and never anywhere else. */
  readonly directory: string;
  /** What is there with other contents is replaced; else it is left as it is. */
  readonly replaces: boolean;
}

let drafts = 0;

/** Writes what commands have brought back, each file at its path below a directory. */
export class CollectedFiles {
  readonly #farm: Farm;
  readonly #home: string;
  readonly #replaces: boolean;
  #left = 0;
  #firstLeft = '';

  constructor(farm: Farm, { directory, replaces }: CollectOptions) {
    this.#farm = farm;
    this.#replaces = replaces;
    try {
      makeFolders(directory);
      this.#home = realpathSync(directory);
    } catch (error) {
      throw new UsageError(`${directory} can't be made a directory: ${whyNotMade(directory, error)}`, { cause: error });
    }
  }

  async fetch(files: readonly ExecFile[]): Promise<void> {
    for (const { path: name, blob } of files) {
      const inner = innerPath(name);
      if (inner === undefined) throw refused(name);
      try {
        await this.#fetch(inner, blob);
      } catch (error) {
        const words = systemWords(error);
        if (words === undefined) throw error;
        const message = `the collected file ${printable(name)} can't be written: ${words}`;
        throw new CommandError(message, ExitCode.failed, { cause: error });
      }
    }
  }

  /** What was not written, because something else is in its place; undefined: everything was. */
  get unwritten(): string | undefined {
    if (this.#left === 0) return undefined;
    const [subject, what, them] =
      this.#left === 1
        ? ['file is', 'was left as it is', 'it']
        : ['files are', `were left as they are, the first of them`, 'them'];
    return `${this.#left} ${subject} there with other contents and ${what}: ${printable(this.#firstLeft)}; --overwrite replaces ${them}`;
  }

  async #fetch(inner: string, blob: BlobRef): Promise<void> {
    const directory = this.#directoryBelow(path.dirname(inner), inner);
    const target = path.join(directory, path.basename(inner));
    if (!this.#replaces) {
      const found = lstatSync(target, { throwIfNoEntry: false });
      if (found !== undefined) {
        if (found.isFile() && found.size === blob.size && (await digestFile(target)).sha256 === blob.sha256) return;
        if (this.#left === 0) this.#firstLeft = inner;
        this.#left += 1;
        return;
      }
    }
    drafts += 1;
    const draft = path.join(directory, `.manyhands-${process.pid}-${drafts}`);
    try {
      await this.#farm.download(blob, pathToFileURL(draft));
      // It takes the place of a link, and does not follow it.
      renameSync(draft, target);
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
  }

  /** Made where it is missing, one step at a time, so that no link on the way leads out. */
  #directoryBelow(inner: string, name: string): string {
    const home = this.#home;
    let at = home;
    for (const step of inner.split('/')) {
      at = path.join(at, step);
      if (!existsSync(at)) mkdirSync(at);
      at = realpathSync(at);
      if (at !== home && !at.startsWith(home === path.sep ? home : home + path.sep)) throw refused(name);
    }
    return at;
  }
}

function refused(name: string): CommandError {
  return new CommandError(
    `a command brought back a file for ${printable(name)}, which lies outside of this directory: it was not written`,
    ExitCode.failed,
  );
}
