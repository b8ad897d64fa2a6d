import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CodeRef } from '../../model/job.ts';
import { DISK_FULL } from '../runner.ts';
import { isFull } from './blob-transfer.ts';
import type { FarmHttp } from './farm-http.ts';
import { HttpError } from './farm-http.ts';

/** Tries to fetch code from a server that is there before its tasks fail: about ten seconds. */
const TRIES = 7;

/** Task modules in a directory, named by their hash: fetched once, checked each time they are taken into use. */
export class CodeStore {
  readonly #directory: string;
  readonly #http: Pick<FarmHttp, 'get' | 'isAway'>;
  readonly #fetching = new Map<string, Promise<void>>();
  readonly #ready = new Set<string>();

  constructor(directory: string, http: Pick<FarmHttp, 'get' | 'isAway'>) {
    this.#directory = directory;
    this.#http = http;
  }

  path = (sha256: string): string => join(this.#directory, `${sha256}.mjs`);

  /** Rejects with one sentence if the code can't be had. */
  async provide(code: CodeRef, inline: string | undefined): Promise<void> {
    const { sha256 } = code;
    if (this.#ready.has(sha256)) return;
    const known = this.#fetching.get(sha256);
    if (known !== undefined) return known;
    const fetching = this.#provide(code, inline).finally(() => this.#fetching.delete(sha256));
    this.#fetching.set(sha256, fetching);
    await fetching;
  }

  async #provide(code: CodeRef, inline: string | undefined): Promise<void> {
    const { sha256, sourceName } = code;
    const cached = await readFile(this.path(sha256)).catch(() => undefined);
    if (cached === undefined || digestOf(cached) !== sha256) {
      const bytes = inline === undefined ? await this.#fetch(code) : Buffer.from(inline);
      if (digestOf(bytes) !== sha256)
        throw new Error(`the code of ${sourceName} arrived damaged: its SHA-256 is not ${sha256}`);
      await this.#write(sha256, bytes);
    }
    this.#ready.add(sha256);
  }

  async #write(sha256: string, bytes: Buffer): Promise<void> {
    // Under a name of its own first: other workers share the directory.
    const draft = `${this.path(sha256)}.${randomBytes(6).toString('hex')}`;
    try {
      await mkdir(this.#directory, { recursive: true });
      await writeFile(draft, bytes);
      await rename(draft, this.path(sha256));
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw isFull(error) ? new Error(DISK_FULL) : error;
    }
  }

  async #fetch({ sha256, sourceName }: CodeRef): Promise<Buffer> {
    for (let tries = 1; ; ) {
      try {
        const parts: Buffer[] = [];
        for await (const part of await this.#http.get(`/v1/blobs/${sha256}`)) parts.push(part as Buffer);
        return Buffer.concat(parts);
      } catch (error) {
        const final = error instanceof HttpError && error.final;
        if (final || tries === TRIES)
          throw new Error(`the code of ${sourceName} could not be fetched: ${(error as Error).message}`);
        await sleep(150 * 2 ** (tries - 1), undefined, { ref: false });
        if (!this.#http.isAway) tries += 1;
      }
    }
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
