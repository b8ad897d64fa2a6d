import { statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Moved } from '../client/surroundings.ts';
import { formatSize } from '../model/size.ts';
import type { TransferOptions } from './commands/blobs.ts';
import { UsageError, whyNotMade } from './errors.ts';
import { apiOf, mustFindServer } from './find-server.ts';
import { connectTo } from './open-farm.ts';
import { print } from './output/print.ts';
import { printable } from './output/printable.ts';

/** Milliseconds between two lines of progress: as fast as eyes follow. */
const TOLD_EVERY = 250;

/** Nothing is sent unless all of the files can be. */
export async function upload(files: readonly string[], options: TransferOptions): Promise<void> {
  for (const file of files) {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) throw new UsageError(`${file}: there is no such file`);
    if (!found.isFile()) throw new UsageError(`${file} is no file: it cannot be stored as one`);
  }
  await using farm = await connectTo(await mustFindServer(options));
  for (const file of files) {
    const told = progressOf(file, options);
    const { sha256 } = await farm.upload(pathToFileURL(file), told.moved).finally(told.over);
    print(`${sha256}  ${printable(file)}\n`);
  }
}

export async function download(sha256: string, to: string | undefined, options: TransferOptions): Promise<void> {
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw new UsageError(`"${sha256}" names no blob: its name is a SHA-256, 64 of the digits 0-9 and a-f`);
  }
  const size = await (await apiOf(options)).sizeOf(`v1/blobs/${sha256}`);
  if (size === undefined) throw new UsageError(`the farm has no blob ${sha256}`);
  await using farm = await connectTo(await mustFindServer(options));
  const file = to ?? sha256;
  const told = progressOf(file, options);
  try {
    await farm.download({ sha256, size }, pathToFileURL(file), told.moved);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError(`${file} can't be written: ${whyNotMade(file, error)}`, { cause: error });
  } finally {
    told.over();
  }
}

/** One line on a terminal, which is gone when it is over. */
function progressOf(file: string, { quiet }: TransferOptions): { moved: Moved; over: () => void } {
  if (quiet || !process.stderr.isTTY) return { moved: () => {}, over: () => {} };
  let toldAt = Number.NEGATIVE_INFINITY;
  const moved: Moved = (bytes, of) => {
    const now = performance.now();
    if (now - toldAt < TOLD_EVERY) return;
    toldAt = now;
    const part = of === 0 ? 100 : Math.floor((100 * bytes) / of);
    process.stderr.write(`\r\x1b[K${printable(file)}: ${part} % of ${formatSize(of)}`);
  };
  return { moved, over: () => void process.stderr.write('\r\x1b[K') };
}
