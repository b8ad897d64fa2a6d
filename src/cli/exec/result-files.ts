import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Farm } from '../../client/farm.ts';
import type { ExecOutput, ExecValue } from '../../worker/exec/exec-code.ts';
import { CommandError, ExitCode, systemWords } from '../errors.ts';
import { makeFolders } from '../make-folders.ts';

/** Bytes of a name in a directory, on all usual file systems. */
const NAME_BYTES = 255;
/** Characters of a digest that tell apart what begins alike and is too long for a name. */
const DIGEST_LENGTH = 16;

/** Writes what each command has printed into a directory of its own, laid out as GNU Parallel's `--results` is. */
export class ResultFiles {
  readonly #root: string;
  readonly #names: readonly string[];

  constructor(root: string, names: readonly string[] = []) {
    this.#root = root;
    this.#names = names;
  }

  /** `columns`: how many of the arguments belong together; there are more where a command takes several lines. */
  async write(farm: Farm, sequence: number, args: readonly string[], columns: number, value?: ExecValue) {
    const directory = path.join(this.#root, ...directoryOf(args, columns, this.#names));
    try {
      makeFolders(directory);
      writeFileSync(path.join(directory, 'seq'), String(sequence));
      for (const stream of ['stdout', 'stderr'] as const)
        await writeOutput(farm, path.join(directory, stream), value?.[stream] ?? '');
    } catch (error) {
      const words = systemWords(error);
      if (words === undefined) throw error;
      throw new CommandError(`--results: ${directory} can't be written: ${words}`, ExitCode.failed, { cause: error });
    }
  }
}

async function writeOutput(farm: Farm, file: string, output: ExecOutput): Promise<void> {
  if (typeof output === 'string') writeFileSync(file, output);
  else if ('base64' in output) writeFileSync(file, Buffer.from(output.base64, 'base64'));
  else await farm.download(output.blob, pathToFileURL(file));
}

/** `1/ARG/2/ARG`, or with the names of the columns in place of their numbers; these are in order. */
export function directoryOf(args: readonly string[], columns: number, names: readonly string[] = []): string[] {
  const steps: string[] = [];
  for (let from = 0; from < args.length; from += columns) {
    const list = args.slice(from, from + columns).map((value, i) => ({ name: names[i] ?? String(i + 1), value }));
    list.sort((a, b) => numberOf(a.name) - numberOf(b.name) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    for (const { name, value } of list) steps.push(stepOf(name), stepOf(value));
  }
  return steps;
}

function numberOf(name: string): number {
  return Number.parseFloat(name) || 0;
}

/** A text as one step of a path that leads nowhere else. */
function stepOf(text: string): string {
  const signs: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\0': '\\0', '/': '\\_' };
  const name = text.replace(/[\\\t\0/]/g, (sign) => signs[sign] as string);
  if (name === '.' || name === '..') return `\\${name}`;
  const bytes = Buffer.from(name);
  if (bytes.length <= NAME_BYTES) return name;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH);
  // What is left of a character that was cut in two goes, too.
  const start = bytes
    .subarray(0, NAME_BYTES - DIGEST_LENGTH - 1)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
  return `${start}-${digest}`;
}
