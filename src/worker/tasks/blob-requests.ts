import type { BlobRef } from '../../model/envelope.ts';
import type { FromTask, StoredBlob, ToTask } from './task-channel.ts';

/** What tasks ask of their worker by `ctx.blob`, until it has answered. */
export class BlobRequests {
  readonly #send: (message: FromTask) => void;
  readonly #open = new Map<number, { resolve(bytes: Uint8Array | undefined): void; reject(error: Error): void }>();
  #number = 0;

  constructor(send: (message: FromTask) => void) {
    this.#send = send;
  }

  /** Resolves once it is within reach, with its bytes where they came along. */
  get(sha256: string): Promise<Uint8Array | undefined> {
    return this.ask(sha256).here;
  }

  /** The same, and the number of the request, by which the worker is told that the blob has been read. */
  ask(sha256: string): { request: number; here: Promise<Uint8Array | undefined> } {
    if (!/^[0-9a-f]{64}$/.test(sha256)) {
      throw new TypeError('a blob is named by its SHA-256, 64 lower-case hex digits');
    }
    const here = this.#ask((request) => ({ kind: 'wantBlob', request, sha256 }));
    return { request: this.#number, here };
  }

  /** Resolves once the server has what `store` keeps for the worker. */
  async put(bytes: Uint8Array, store: (bytes: Uint8Array) => StoredBlob): Promise<BlobRef> {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('ctx.blob needs a SHA-256 or a Uint8Array');
    return await this.give(store(bytes));
  }

  /** Resolves once the server has it. */
  async give(blob: StoredBlob): Promise<BlobRef> {
    await this.#ask((request) => ({ kind: 'giveBlob', request, blob }));
    return { sha256: blob.sha256, size: blob.size };
  }

  settle({ request, error }: ToTask & { kind: 'blob' }, bytes?: Uint8Array): void {
    const waiting = this.#open.get(request);
    this.#open.delete(request);
    if (error === undefined) waiting?.resolve(bytes);
    else waiting?.reject(new Error(error));
  }

  #ask(message: (request: number) => FromTask): Promise<Uint8Array | undefined> {
    this.#number += 1;
    const request = this.#number;
    return new Promise((resolve, reject) => {
      this.#open.set(request, { resolve, reject });
      this.#send(message(request));
    });
  }
}
