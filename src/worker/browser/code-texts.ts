import type { CodeRef } from '../../model/job.ts';
import type { FarmHttp } from './farm-http.ts';
import { sha256 } from './sha256.ts';

/** Task modules of a page, by their hash: fetched once, checked when they come. */
export class CodeTexts {
  readonly #http: FarmHttp;
  readonly #texts = new Map<string, Promise<string>>();
  readonly #ready = new Map<string, string>();

  constructor(http: FarmHttp) {
    this.#http = http;
  }

  /** Throws where it was not provided. */
  text(hash: string): string {
    const text = this.#ready.get(hash);
    if (text === undefined) throw new Error(`the code ${hash} is not here`);
    return text;
  }

  /** Rejects with one sentence if the code can't be had. */
  async provide(code: CodeRef, inline: string | undefined): Promise<void> {
    let text = this.#texts.get(code.sha256);
    if (text === undefined) {
      text = this.#provide(code, inline);
      this.#texts.set(code.sha256, text);
      // What could not be had may be there the next time.
      text.catch(() => this.#texts.delete(code.sha256));
    }
    this.#ready.set(code.sha256, await text);
  }

  async #provide({ sha256: hash, sourceName }: CodeRef, inline: string | undefined): Promise<string> {
    const bytes = inline === undefined ? await this.#fetch(hash, sourceName) : new TextEncoder().encode(inline);
    if (sha256(bytes) !== hash)
      throw new Error(`the code of ${sourceName} arrived damaged: its SHA-256 is not ${hash}`);
    return new TextDecoder().decode(bytes);
  }

  async #fetch(hash: string, sourceName: string): Promise<Uint8Array> {
    try {
      return await this.#http.getBlob(hash);
    } catch (error) {
      throw new Error(`the code of ${sourceName} could not be fetched: ${(error as Error).message}`);
    }
  }
}
