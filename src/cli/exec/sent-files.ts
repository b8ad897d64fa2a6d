import { statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Farm } from '../../client/farm.ts';
import type { BlobRef } from '../../model/envelope.ts';
import type { CommandTemplate, SentFile } from '../../worker/exec/exec-code.ts';
import { innerPath } from '../../worker/exec/inner-path.ts';
import { UsageError } from '../errors.ts';

/** Checks that every file that commands are to read is there, before anything runs. */
export function checkSentFiles(template: CommandTemplate, lists: Iterable<readonly string[]>): void {
  let sequence = 0;
  for (const args of lists) {
    sequence += 1;
    for (const file of template.sent(args, sequence)) {
      if (innerPath(file) === undefined)
        throw new UsageError(`--send ${file}: it lies outside of this directory, and has no place on a worker`);
      const found = statSync(file, { throwIfNoEntry: false });
      if (found === undefined) throw new UsageError(`--send ${file}: there is no such file (for command ${sequence})`);
      if (!found.isFile()) throw new UsageError(`--send ${file}: it is no file; name the files in it`);
    }
  }
}

/** Brings files to the farm, each once. */
export class FileSender {
  readonly #farm: Farm;
  readonly #sent = new Map<string, Promise<BlobRef>>();

  constructor(farm: Farm) {
    this.#farm = farm;
  }

  async send(files: readonly string[]): Promise<SentFile[]> {
    return await Promise.all(
      files.map(async (file): Promise<SentFile> => {
        const inner = innerPath(file) as string;
        let blob = this.#sent.get(inner);
        if (blob === undefined) this.#sent.set(inner, (blob = this.#farm.upload(pathToFileURL(path.resolve(inner)))));
        const executable = (statSync(inner).mode & 0o100) !== 0;
        return { path: inner, blob: await blob, ...(executable && { executable }) };
      }),
    );
  }
}
