import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { constants, homedir, setPriority } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import { SNAPSHOT_TIME } from '../model/python-limits.ts';

const MAKER = fileURLToPath(new URL('../worker/node/python/entry/snapshot.ts', import.meta.url));

/** A snapshot as it lies on the disk, compressed. */
export interface SnapshotFile {
  readonly path: string;
  /** Of its bytes. */
  readonly sha256: string;
}

/**
 * The memory of Pyodide after its start, with which workers need not start it from the beginning. It is made when it is first
 * wanted, in some seconds, and kept in the cache of the user that the server runs as: all servers of this user give the
 * same one. Nobody else can write it, so no worker gets what another has made. The server itself never holds its bytes.
 */
export class PyodideSnapshot {
  readonly #directory: string;
  readonly #version: string;
  readonly #cache: string;
  #made: Promise<SnapshotFile | undefined> | undefined;

  /** Of the Pyodide in a directory. */
  constructor(directory: string, version: string, cache = userCache()) {
    this.#directory = directory;
    this.#version = version;
    this.#cache = cache;
  }

  /** Undefined: it cannot be made or kept here. `idly`: when there is nothing better to do; it keeps no program from its end. */
  file({ idly = false } = {}): Promise<SnapshotFile | undefined> {
    this.#made ??= this.#have(idly).catch(() => undefined);
    return this.#made;
  }

  /** Sees to it that it is there when it is wanted, where it has never been made. */
  async prepare(): Promise<void> {
    if (!existsSync(await this.place())) await this.file({ idly: true });
  }

  async #have(idly: boolean): Promise<SnapshotFile> {
    const file = await this.place();
    const kept = await whole(file);
    if (kept !== undefined) return kept;
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    try {
      const target = await open(draft, 'wx', 0o600);
      try {
        await make(this.#directory, target, idly);
      } finally {
        await target.close();
      }
      const made = await whole(draft);
      if (made === undefined) throw new Error('Pyodide gave no snapshot');
      await rename(draft, file);
      return { ...made, path: file };
    } finally {
      await rm(draft, { force: true });
    }
  }

  /** Where it is kept: another build of Pyodide, and other code that makes it, give another snapshot. */
  async place(): Promise<string> {
    const { size } = await stat(path.join(this.#directory, 'pyodide.asm.wasm'));
    return path.join(this.#cache, `pyodide-${this.#version}-${size}.${FORM}`);
  }
}

/** Raised when what is in a snapshot changes by our own doing. */
const FORM = 'snapshot1';

/** In a process without an environment: whatever it finds there would become a part of the snapshot. */
async function make(directory: string, target: FileHandle, idly: boolean): Promise<void> {
  const child = spawn(process.execPath, [MAKER, directory], {
    env: { TZ: 'UTC' },
    stdio: ['ignore', target.fd, 'ignore'],
    timeout: SNAPSHOT_TIME,
    windowsHide: true,
  });
  if (idly) {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    child.unref();
  }
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error(`Pyodide could not be started here (${code})`);
}

/** Looks through a snapshot; undefined: there is none, or it is cut off or damaged. */
async function whole(file: string): Promise<SnapshotFile | undefined> {
  let bytes = 0;
  const count = new Writable({
    write(chunk: Buffer, _, done) {
      bytes += chunk.length;
      done();
    },
  });
  try {
    await pipeline(createReadStream(file), createGunzip(), count);
    return bytes === 0 ? undefined : { path: file, sha256: await hashOf(file) };
  } catch {
    return undefined;
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function userCache(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  return path.join(XDG_CACHE_HOME || LOCALAPPDATA || path.join(homedir(), '.cache'), 'manyhands');
}
