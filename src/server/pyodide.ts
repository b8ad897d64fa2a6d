import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { PYODIDE_FILES, type PyodideFile, type PyodideManifest } from '../model/python.ts';
import { PyodideSnapshot } from './pyodide-snapshot.ts';

/** Its files are looked at by one who has waited for seconds already: the last percent of their size is not worth more. */
const GZIP_LEVEL = 6;

/** The package `pyodide`, as it lies on this machine, for workers that have no Python of their own. */
export class PyodideFiles {
  readonly #directory: string;
  readonly #version: string;
  #manifest: Promise<PyodideManifest> | undefined;
  readonly snapshot: PyodideSnapshot;
  readonly #packed = new Map<PyodideFile, Promise<Buffer>>();

  private constructor(directory: string, version: string) {
    this.#directory = directory;
    this.#version = version;
    this.snapshot = new PyodideSnapshot(directory, version);
  }

  /** What is installed beside this program, or where it was started; undefined: nothing, or something too old. */
  static find(): PyodideFiles | undefined {
    for (const from of [import.meta.url, path.join(process.cwd(), 'start')]) {
      try {
        const manifest = createRequire(from).resolve('pyodide/package.json');
        const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
        // Before that, its parts had other names.
        if (Number.parseInt(version, 10) >= 314) return new PyodideFiles(path.dirname(manifest), version);
      } catch {
        // Not from there.
      }
    }
    return undefined;
  }

  manifest(): Promise<PyodideManifest> {
    this.#manifest ??= this.#read();
    return this.#manifest;
  }

  /** The name of the file with these bytes. */
  async named(sha256: string): Promise<PyodideFile | undefined> {
    const { files } = await this.manifest();
    return PYODIDE_FILES.find((name) => files[name].sha256 === sha256);
  }

  plain(name: PyodideFile): Promise<Buffer> {
    return readFile(path.join(this.#directory, name));
  }

  /** Made once, and kept: a farm of phones asks for it again and again. */
  packed(name: PyodideFile): Promise<Buffer> {
    let made = this.#packed.get(name);
    if (made === undefined) {
      made = this.plain(name).then((plain) => promisify(gzip)(plain, { level: GZIP_LEVEL }));
      this.#packed.set(name, made);
    }
    return made;
  }

  async #read(): Promise<PyodideManifest> {
    const files = await Promise.all(
      PYODIDE_FILES.map(async (name) => {
        const bytes = await this.plain(name);
        return [name, { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length }] as const;
      }),
    );
    return { version: this.#version, files: Object.fromEntries(files) as PyodideManifest['files'] };
  }
}
