import { once } from 'node:events';
import { statSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { formatSize } from '../model/size.ts';
import { CommandError, ExitCode, explain, whyNotMade } from './errors.ts';
import { apiOf, type ServerOptions } from './find-server.ts';

/**
 * Fetches the server's archive. The file bears its name only once it is whole and on disk: until then an older backup of
 * that name stays what it was.
 */
export async function backup(file: string, options: ServerOptions): Promise<void> {
  const api = await apiOf(options);
  if (file !== '-') refuseDirectory(file);
  const response = await api.open('GET', 'v1/backup');
  if (file === '-') return toStdout(response);
  const partial = `${file}.partial`;
  const handle = await openPrivately(partial, file);
  let size: number;
  try {
    size = await writeTo(handle, response, file);
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  process.stderr.write(
    `saved ${formatSize(size)} in ${file}; it holds the tokens of this farm, so keep it as safe as the server.\n` +
      `To restore: mkdir DIR && tar -xf ${file} -C DIR && manyhands serve --data DIR\n`,
  );
}

/** Told before the server takes the trouble. */
function refuseDirectory(file: string): void {
  if (!statSync(file, { throwIfNoEntry: false })?.isDirectory()) return;
  throw notWritten(file, Object.assign(new Error(), { code: 'EISDIR' }));
}

async function openPrivately(partial: string, file: string): Promise<FileHandle> {
  try {
    await rm(partial, { force: true });
    return await open(partial, 'wx', 0o600);
  } catch (error) {
    throw notWritten(file, error);
  }
}

async function writeTo(handle: FileHandle, response: IncomingMessage, file: string): Promise<number> {
  let size = 0;
  try {
    for await (const part of parts(response)) {
      await handle.writeFile(part).catch((error: unknown) => {
        throw notWritten(file, error);
      });
      size += part.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return size;
}

async function toStdout(response: IncomingMessage): Promise<void> {
  for await (const part of parts(response)) {
    if (!process.stdout.write(part)) await once(process.stdout, 'drain');
  }
}

async function* parts(response: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const part of response) yield part as Buffer;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(
      'the backup was cut off before it was whole, and nothing of it is kept: try again',
      ExitCode.failed,
      {
        cause: error,
      },
    );
  }
}

function notWritten(file: string, error: unknown): CommandError {
  return new CommandError(
    `the backup can't be written to ${file}: ${whyNotMade(file, error)}`,
    explain(error).exitCode,
    { cause: error },
  );
}
