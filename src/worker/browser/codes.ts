import type { CodeRef } from '../../model/job.ts';
import type { FarmHttp } from './farm-http.ts';
import { sha256 } from './sha256.ts';

/** Code of a page, by its hash: fetched once, checked when it comes. */
export class Codes {
  readonly #http: FarmHttp;
  readonly #fetched = new Map<string, Promise<Uint8Array>>();
  readonly #ready = new Map<string, Uint8Array>();

  constructor(http: FarmHttp) {
    this.#http = http;
  }

  /** Throws where it was not provided. */
  bytes(hash: string): Uint8Array {
    const bytes = this.#ready.get(hash);
    if (bytes === undefined) throw new Error(`the code ${hash} is not here`);
    return bytes;
  }

  text(hash: string): string {
    return new TextDecoder().decode(this.bytes(hash));
  }

  /** Rejects with one sentence if the code can't be had. */
  async provide(code: CodeRef, inline: string | undefined): Promise<void> {
    let bytes = this.#fetched.get(code.sha256);
    if (bytes === undefined) {
      bytes = this.#provide(code, inline);
      this.#fetched.set(code.sha256, bytes);
      // What could not be had may be there the next time.
      bytes.catch(() => this.#fetched.delete(code.sha256));
    }
    this.#ready.set(code.sha256, await bytes);
  }

  async #provide({ sha256: hash, sourceName }: CodeRef, inline: string | undefined): Promise<Uint8Array> {
    const bytes = inline === undefined ? await this.#fetch(hash, sourceName) : new TextEncoder().encode(inline);
    if (sha256(bytes) !== hash)
      throw new Error(`the code of ${sourceName} arrived damaged: its SHA-256 is not ${hash}`);
    return bytes;
  }

  async #fetch(hash: string, sourceName: string): Promise<Uint8Array> {
    try {
      return await this.#http.getBlob(hash);
    } catch (error) {
      throw new Error(`the code of ${sourceName} could not be fetched: ${(error as Error).message}`);
    }
  }
}
