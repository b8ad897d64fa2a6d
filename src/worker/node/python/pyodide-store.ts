import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { PYODIDE_SNAPSHOT, type PyodideManifest } from '../../../model/python.ts';
import { SNAPSHOT_PATIENCE } from '../../../model/python-limits.ts';
import { type FarmHttp, HttpError } from '../farm-http.ts';

/** Tries to fetch a file from a server that is there before the tasks fail that need it: about ten seconds. */
const TRIES = 7;

/** The Pyodide of the farm's server, in a directory: fetched when the first job in Python comes, and kept. */
export class PyodideStore {
  readonly #directory: string;
  readonly #http: FarmHttp;
  #ready: Promise<string> | undefined;
  #path = '';

  /** `directory`: where tasks may read. */
  constructor(directory: string, http: FarmHttp) {
    this.#directory = directory;
    this.#http = http;
  }

  /** Where it lies, once it has been provided. */
  readonly path = (): string => this.#path;

  /** Rejects with one sentence if it can't be had. */
  async provide(): Promise<void> {
    this.#ready ??= this.#fetchAll();
    try {
      this.#path = await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw new Error(`Pyodide, which runs Python here, could not be fetched: ${(error as Error).message}`);
    }
  }

  async #fetchAll(): Promise<string> {
    const { version, files } = JSON.parse((await this.#get('/v1/pyodide')).toString()) as PyodideManifest;
    const names = Object.entries(files);
    const mark = createHash('sha256').update(names.map(([, { sha256 }]) => sha256).join());
    const folder = join(this.#directory, `pyodide-${Number.parseInt(version, 10)}-${mark.digest('hex').slice(0, 12)}`);
    await mkdir(folder, { recursive: true });
    const all = names.map(([name, { sha256 }]) => this.#provide(join(folder, name), sha256));
    await Promise.all([...all, this.#provideSnapshot(join(folder, PYODIDE_SNAPSHOT))]);
    return folder;
  }

  /** Only if there is one: it carries its own checksum, and whoever finds it damaged does without. */
  async #provideSnapshot(path: string): Promise<void> {
    try {
      const kept = await readFile(path).catch(() => undefined);
      if (kept !== undefined && (await isWhole(kept))) return;
      const bytes = this.#getOnce(`/v1/pyodide/${PYODIDE_SNAPSHOT}`);
      const late = sleep(SNAPSHOT_PATIENCE, undefined, { ref: false });
      const got = await Promise.race([bytes, late]);
      if (got !== undefined) await this.#write(path, got);
    } catch {
      // Python starts without it, only slower.
    }
  }

  async #provide(path: string, sha256: string): Promise<void> {
    const kept = await readFile(path).catch(() => undefined);
    if (kept !== undefined && digestOf(kept) === sha256) return;
    const bytes = await this.#get(`/v1/pyodide/${sha256}`);
    if (digestOf(bytes) !== sha256) throw new Error(`a file arrived damaged: its SHA-256 is not ${sha256}`);
    await this.#write(path, bytes);
  }

  async #write(path: string, bytes: Buffer): Promise<void> {
    // Under a name of its own first: other workers may share the directory.
    const draft = `${path}.${randomBytes(6).toString('hex')}`;
    await writeFile(draft, bytes);
    await rename(draft, path);
  }

  async #getOnce(path: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of await this.#http.get(path)) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }

  async #get(path: string): Promise<Buffer> {
    for (let tries = 1; ; ) {
      try {
        return await this.#getOnce(path);
      } catch (error) {
        if ((error instanceof HttpError && error.final) || tries === TRIES) throw error;
        await sleep(150 * 2 ** (tries - 1), undefined, { ref: false });
        if (!this.#http.isAway) tries += 1;
      }
    }
  }
}

async function isWhole(packed: Buffer): Promise<boolean> {
  return promisify(gunzip)(packed).then(
    () => true,
    () => false,
  );
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
