import { PYODIDE_FILES, PYODIDE_SNAPSHOT, type PyodideManifest } from '../../model/python.ts';
import { SNAPSHOT_PATIENCE } from '../../model/python-limits.ts';
import type { FarmHttp } from './farm-http.ts';
import { sha256Soon } from './sha256.ts';
import type { PyodideParts } from './slot-messages.ts';

/** The Pyodide of the farm's server: fetched when the first job in Python comes. The browser keeps it for the next visit. */
export class PyodideStore {
  readonly #http: FarmHttp;
  #fetching: Promise<PyodideParts> | undefined;
  #parts: PyodideParts | undefined;

  constructor(http: FarmHttp) {
    this.#http = http;
  }

  /** Throws where it was not provided. */
  get parts(): PyodideParts {
    if (this.#parts === undefined) throw new Error('Pyodide is not here');
    return this.#parts;
  }

  /** Rejects with one sentence if it can't be had. */
  async provide(): Promise<void> {
    this.#fetching ??= this.#fetchAll();
    try {
      this.#parts = await this.#fetching;
    } catch (error) {
      this.#fetching = undefined;
      throw new Error(`Pyodide, which runs Python here, could not be fetched: ${(error as Error).message}`);
    }
  }

  async #fetchAll(): Promise<PyodideParts> {
    const { files } = (await (await this.#http.get('/v1/pyodide')).json()) as PyodideManifest;
    const snapshot = this.#fetchSnapshot();
    const parts = await Promise.all(
      PYODIDE_FILES.map(async (name) => [name, await this.#fetch(files[name].sha256)] as const),
    );
    return Object.fromEntries([...parts, ...(await snapshot)]) as PyodideParts;
  }

  /** Only if there is one: it carries its own checksum, and whoever finds it damaged does without. */
  async #fetchSnapshot(): Promise<[typeof PYODIDE_SNAPSHOT, Blob][]> {
    try {
      const path = `/v1/pyodide/${PYODIDE_SNAPSHOT}`;
      const response = await this.#http.getOnce(path, AbortSignal.timeout(SNAPSHOT_PATIENCE));
      return [[PYODIDE_SNAPSHOT, await response.blob()]];
    } catch {
      return [];
    }
  }

  async #fetch(hash: string): Promise<Blob> {
    const response = await this.#http.get(`/v1/pyodide/${hash}`);
    const bytes = await response.arrayBuffer();
    if ((await sha256Soon(new Uint8Array(bytes))) !== hash)
      throw new Error(`a file arrived damaged: its SHA-256 is not ${hash}`);
    return new Blob([bytes], { type: response.headers.get('content-type') ?? '' });
  }
}
