import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { constants, homedir, setPriority } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { SNAPSHOT_TIME } from '../model/python-limits.ts';

const MAKER = fileURLToPath(new URL('../worker/node/python/entry/snapshot.ts', import.meta.url));

/**
 * The memory of Pyodide after its start, with which workers need not start it from the beginning. It is made when it is first
 * wanted, in some seconds, and kept in the cache of the user that the server runs as: all servers of this user give the
 * same one. Nobody else can write it, so no worker gets what another has made.
 */
export class PyodideSnapshot {
  readonly #directory: string;
  readonly #version: string;
  readonly #cache: string;
  #made: Promise<Buffer | undefined> | undefined;

  /** Of the Pyodide in a directory. */
  constructor(directory: string, version: string, cache = userCache()) {
    this.#directory = directory;
    this.#version = version;
    this.#cache = cache;
  }

  /** Compressed; undefined: it cannot be made here. */
  packed(): Promise<Buffer | undefined> {
    this.#made ??= this.#have().catch(() => undefined);
    return this.#made;
  }

  /** Sees to it that it is there when it is wanted, when there is nothing better to do: it keeps no program from its end. */
  async prepare(): Promise<void> {
    this.#made ??= this.#have({ idly: true }).catch(() => undefined);
    await this.#made;
  }

  async #have({ idly = false } = {}): Promise<Buffer> {
    const { file } = this;
    const kept = await readFile(file).catch(() => undefined);
    if (kept !== undefined && (await isWhole(kept))) return kept;
    const made = await make(this.#directory, idly);
    // Without a place to keep it, it is made again at the next start.
    await keep(file, made).catch(() => {});
    return made;
  }

  /** Where it is kept: another build of Pyodide, and other code that makes it, give another snapshot. */
  get file(): string {
    const mark = createHash('sha256').update(readFileSync(path.join(this.#directory, 'pyodide.asm.wasm')));
    return path.join(this.#cache, `pyodide-${this.#version}-${mark.digest('hex').slice(0, 12)}.${FORM}`);
  }
}

/** Raised when what is in a snapshot changes by our own doing. */
const FORM = 'snapshot1';

/** In a process without an environment: whatever it finds there would become a part of the snapshot. */
async function make(directory: string, idly: boolean): Promise<Buffer> {
  const child = spawn(process.execPath, [MAKER, directory], {
    env: { TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: SNAPSHOT_TIME,
    windowsHide: true,
  });
  if (idly) {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    child.unref();
    (child.stdout as Socket).unref();
  }
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const [made, code] = await Promise.all([buffer(child.stdout), ended]);
  if (code !== 0 || !(await isWhole(made))) throw new Error(`Pyodide could not be started here (${code})`);
  return made;
}

async function keep(file: string, bytes: Buffer): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, bytes, { mode: 0o600 });
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

function isWhole(packed: Buffer): Promise<boolean> {
  return promisify(gunzip)(packed).then(
    (plain) => plain.length > 0,
    () => false,
  );
}

function userCache(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  return path.join(XDG_CACHE_HOME || LOCALAPPDATA || path.join(homedir(), '.cache'), 'manyhands');
}
