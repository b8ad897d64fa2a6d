import { accessSync, constants, rmdirSync, statSync } from 'node:fs';
import { SNAPSHOT_DELAY } from '../model/python-limits.ts';
import { type ServerOptions, StartError } from '../server/config.ts';
import { PyodideFiles } from '../server/pyodide.ts';
import { type RunningServer, startServer } from '../server/server.ts';
import { announce } from './announce.ts';
import type { ServeOptions } from './commands/serve.ts';
import { ExitCode, NoServerError, systemWords, UsageError } from './errors.ts';
import { dataDirectoryOf } from './find-server.ts';
import { startLocalWorker } from './local-worker.ts';
import { makeFolders } from './make-folders.ts';

/** Serves until it is told to stop; resolves with the exit code. */
export async function serve(options: ServeOptions): Promise<number> {
  const dataDir = dataDirectoryOf(options);
  const made = makeWritable(dataDir);
  refuseNoImages(options.bootImages);
  let broken: Error | undefined;
  const stopped = Promise.withResolvers<void>();
  const { lan, host, port, publicUrl, allowOrigin, keep, bootImages, netboot } = options;
  const server = await start(made, {
    dataDir,
    ...(options.store !== 'sqlite' && { database: options.store }),
    ...(options.blobs !== undefined && { blobs: options.blobs }),
    ...(lan && { lan }),
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(publicUrl !== undefined && { publicUrl }),
    ...(allowOrigin !== undefined && { allowOrigins: allowOrigin }),
    ...(keep !== undefined && { keep }),
    ...(bootImages !== undefined && { bootImages }),
    ...(netboot && { netboot }),
    onBroken: (error) => {
      broken = error;
      stopped.resolve();
    },
  });
  stopOnSignals(() => {
    if (!options.json) process.stderr.write(STOPPING);
    stopped.resolve();
  });
  process.stdout.write(announce(server, options));
  // Whoever is the first to run Python here shall not wait for it.
  const preparing = setTimeout(() => void PyodideFiles.find()?.snapshot.prepare(), SNAPSHOT_DELAY);
  const worker = options.workers
    ? startLocalWorker(server, options.workers, options.allow ? { allow: options.allow } : {})
    : undefined;
  await worker?.joined;
  await stopped.promise;
  clearTimeout(preparing);
  await worker?.stop();
  await server.close();
  if (broken !== undefined) throw broken;
  return ExitCode.done;
}

/** A database or a bucket that cannot be used is a server that does not answer. Folders that were made for nothing go again. */
async function start(made: readonly string[], options: ServerOptions): Promise<RunningServer> {
  try {
    return await startServer(options);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    removeEmpty(made);
    const option = { refused: '--store', bucket: '--blobs' }[error.code as string];
    throw option === undefined ? error : new NoServerError(`${option}: ${error.message}`, { cause: error });
  }
}

function removeEmpty(folders: readonly string[]): void {
  try {
    for (const folder of folders.toReversed()) rmdirSync(folder);
  } catch {
    // Somebody has put something there.
  }
}

const STOPPING =
  'manyhands: stopping; jobs are kept, and workers come back when a server is here again; Ctrl-C again ends at once\n';

function stopOnSignals(stop: () => void): void {
  let asked = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Who asks again has lost patience; what was acknowledged is on disk whatever happens.
      if (asked) process.exit(ExitCode.interrupted);
      asked = true;
      stop();
    });
  }
}

/** Tells in one sentence why nothing can be kept there; returns the folders that it made. */
function makeWritable(dataDir: string): string[] {
  try {
    const there = statSync(dataDir, { throwIfNoEntry: false });
    if (there?.isDirectory() === false) throw new Error('it is a file, not a directory');
    const made = makeFolders(dataDir, 0o700);
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    return made;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Another server has made it just now, and is told to have it.
    if (code === 'EEXIST') return [];
    const why = code === 'ENOENT' ? 'no folder can be made there' : (systemWords(error) ?? message);
    throw new UsageError(`the data directory ${dataDir} can't be used: ${why}; choose another with --data DIR`, {
      cause: error,
    });
  }
}

/** A directory that is only empty may be filled later. */
function refuseNoImages(directory: string | undefined): void {
  if (directory === undefined || statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new UsageError(`--boot-images ${directory}: there is no such directory; build images with make -C os os-image`);
}
