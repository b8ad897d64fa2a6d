import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListMultipartUploadsOutput, S3 } from '@aws-sdk/client-s3';
import {
  BUCKET_CONNECT_TIME,
  BUCKET_CONNECTIONS,
  BUCKET_PATIENCE,
  BUCKET_RETRY_MAX,
  BUCKET_RETRY_MIN,
  BUCKET_SILENCE,
  BUCKET_START_PATIENCE,
} from '../../model/bucket-limits.ts';
import { StoreError } from '../store.ts';
import { bucketFailureOf } from './bucket-failure.ts';
import { BucketError, type BucketPlace, nameOfPlace } from './bucket-place.ts';

/** The name of the object that says whose blobs these are. */
const MARK = 'manyhands-farm';

/** An upload in parts that has not come to its end. */
export interface OpenParts {
  /** Without the prefix. */
  readonly key: string;
  readonly parts: string;
  /** Wall clock, ms since 1970. */
  readonly since: number;
}

export interface BucketOptions {
  /** Milliseconds for which a request waits for a bucket that does not answer. */
  readonly patience?: number;
}

async function clientFor({ endpoint, region, inPath }: BucketPlace): Promise<S3> {
  // Most servers have no bucket, and are spared 22 MB.
  const sdk = await import('@aws-sdk/client-s3').catch((cause: unknown) => {
    throw new BucketError(
      'the client of S3 is not installed: npm install @aws-sdk/client-s3 where manyhands is installed',
      { cause },
    );
  });
  return new sdk.S3({
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    forcePathStyle: inPath,
    followRegionRedirects: true,
    // Each request is signed with the SHA-256 of what it brings; other servers than Amazon's do not know more sums than that.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // We try again ourselves, for as long as the patience lasts; the second try is for a clock that is set wrong.
    maxAttempts: 2,
    requestHandler: {
      connectionTimeout: BUCKET_CONNECT_TIME,
      socketTimeout: BUCKET_SILENCE,
      httpAgent: { maxSockets: BUCKET_CONNECTIONS },
      httpsAgent: { maxSockets: BUCKET_CONNECTIONS },
    },
    logger: QUIET,
  });
}

const QUIET = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** Objects in a bucket, all below one prefix. What does not answer is asked again, for as long as patience lasts. */
export class Bucket {
  /** For people. */
  readonly name: string;
  readonly #client: S3;
  readonly #place: BucketPlace;
  readonly #patience: number;
  #isClosed = false;

  private constructor(client: S3, place: BucketPlace, patience: number) {
    this.#client = client;
    this.#place = place;
    this.#patience = patience;
    this.name = nameOfPlace(place);
  }

  /**
   * Opens a bucket, and tries whether objects can be written, read and deleted there; nothing is left. Rejects with a
   * {@link BucketError}.
   */
  static async open(place: BucketPlace, { patience = BUCKET_PATIENCE }: BucketOptions = {}): Promise<Bucket> {
    const bucket = new Bucket(await clientFor(place), place, patience);
    try {
      await bucket.#probe();
      return bucket;
    } catch (error) {
      bucket.close();
      throw error;
    }
  }

  /** The farm whose blobs lie here; undefined: nobody's. */
  async owner(): Promise<string | undefined> {
    const found = await this.#ask(async () => {
      const { Body } = await this.#client.getObject(this.#at(MARK));
      return await Body?.transformToString();
    }).catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    return found?.trim();
  }

  async own(farm: string): Promise<void> {
    await this.put(MARK, Buffer.from(`${farm}\n`));
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#ask(() => this.#client.putObject({ ...this.#at(key), Body: bytes, ContentLength: bytes.length }));
  }

  /** Begins an upload in parts. */
  async begin(key: string): Promise<string> {
    const { UploadId } = await this.#ask(() => this.#client.createMultipartUpload(this.#at(key)));
    if (UploadId === undefined) throw new StoreError('busy', `${this.name} began an upload without a name`);
    return UploadId;
  }

  /** Parts are numbered from 1; returns what names its content. */
  async putPart(key: string, parts: string, number: number, bytes: Uint8Array): Promise<string> {
    const part = { UploadId: parts, PartNumber: number, Body: bytes, ContentLength: bytes.length };
    const { ETag } = await this.#ask(() => this.#client.uploadPart({ ...this.#at(key), ...part }));
    return ETag ?? '';
  }

  /** Makes one object of all parts. Said again after a lost answer, it is the same. */
  async complete(key: string, parts: string, tags: readonly string[], size: number): Promise<void> {
    const Parts = tags.map((ETag, i) => ({ ETag, PartNumber: i + 1 }));
    try {
      await this.#ask(() =>
        this.#client.completeMultipartUpload({ ...this.#at(key), UploadId: parts, MultipartUpload: { Parts } }),
      );
    } catch (error) {
      if (!named(error, 'NoSuchUpload')) throw error;
      const { ContentLength } = await this.#ask(() => this.#client.headObject(this.#at(key)));
      if (ContentLength !== size) throw error;
    }
  }

  /** What is not there, or may not be given up by this key, is left: docs/scale.md names the rule that clears it away. */
  async abort(key: string, parts: string): Promise<void> {
    await this.#ask(() => this.#client.abortMultipartUpload({ ...this.#at(key), UploadId: parts })).catch(notPossible);
  }

  async delete(key: string): Promise<void> {
    await this.#ask(() => this.#client.deleteObject(this.#at(key))).catch((error: unknown) => {
      if (!isAbsent(error)) throw error;
    });
  }

  /**
   * Bytes from `start` up to and without `end`; goes on where it was cut. It ends early where the object does, or if there is none.
   */
  async *read(key: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    let at = start;
    while (at < end) {
      const before = at;
      try {
        const body = await this.#ask(() => this.#open(key, at, end));
        for await (const piece of body) {
          at += piece.length;
          yield piece;
        }
        if (at === before) return;
      } catch (error) {
        if (isAbsent(error) || named(error, 'InvalidRange')) return;
        // It was cut on the way: as long as something comes, it is worth another try.
        if (at === before || error instanceof StoreError || !bucketFailureOf(error).passes) throw this.#told(error);
      }
    }
  }

  /** Uploads in parts that were begun and not ended; none where the server cannot tell. */
  async *openParts(): AsyncGenerator<OpenParts> {
    const { bucket: Bucket, prefix: Prefix } = this.#place;
    let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
    while (from !== undefined) {
      const page: ListMultipartUploadsOutput | undefined = await this.#ask(
        async (at = from) => await this.#client.listMultipartUploads({ Bucket, Prefix, ...at }),
      ).catch(notPossible);
      for (const { Key = '', UploadId, Initiated } of page?.Uploads ?? []) {
        if (UploadId === undefined || Initiated === undefined || !Key.startsWith(Prefix)) continue;
        yield { key: Key.slice(Prefix.length), parts: UploadId, since: Initiated.getTime() };
      }
      const goesOn = page?.IsTruncated === true && page.NextKeyMarker !== undefined;
      from = goesOn ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : undefined;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#client.destroy();
  }

  /** Deleting first: a key that may write but not delete leaves nothing behind. */
  async #probe(): Promise<void> {
    const key = `manyhands-probe-${randomBytes(8).toString('hex')}`;
    const bytes = randomBytes(16);
    try {
      await this.#within(BUCKET_START_PATIENCE, () => this.#client.deleteObject(this.#at(key)));
      await this.put(key, bytes);
      const found: Uint8Array[] = [];
      for await (const piece of this.read(key, 0, bytes.length)) found.push(piece);
      await this.delete(key);
      if (Buffer.concat(found).equals(bytes)) return;
    } catch (error) {
      throw new BucketError(this.#sentence(error), { cause: error });
    }
    throw new BucketError(`${this.name} gives back other bytes than it was given: is an S3 server running there?`);
  }

  async #open(key: string, at: number, end: number): Promise<AsyncIterable<Uint8Array>> {
    const { Body } = await this.#client.getObject({ ...this.#at(key), Range: `bytes=${at}-${end - 1}` });
    return (Body ?? []) as AsyncIterable<Uint8Array>;
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#place.bucket, Key: `${this.#place.prefix}${key}` };
  }

  async #ask<Value>(act: () => Promise<Value>): Promise<Value> {
    return await this.#within(this.#patience, act);
  }

  async #within<Value>(patience: number, act: () => Promise<Value>): Promise<Value> {
    const until = performance.now() + patience;
    for (let wait = BUCKET_RETRY_MIN; ; wait = Math.min(2 * wait, BUCKET_RETRY_MAX)) {
      try {
        return await act();
      } catch (error) {
        // Who asks decides what it means that something is not there.
        if (isAbsent(error) || named(error, 'NoSuchUpload') || named(error, 'InvalidRange')) throw error;
        if (!bucketFailureOf(error).passes || this.#isClosed || performance.now() + wait > until)
          throw this.#told(error);
      }
      await sleep(wait * (0.5 + Math.random() / 2));
    }
  }

  #told(error: unknown): StoreError {
    return error instanceof StoreError ? error : new StoreError('busy', this.#sentence(error), { cause: error });
  }

  #sentence(error: unknown): string {
    return error instanceof StoreError ? error.message : `${this.name} ${bucketFailureOf(error).sentence}`;
  }
}

function named(error: unknown, name: string): boolean {
  const of = (each: unknown): boolean => (each as Error | undefined)?.name === name;
  return of(error) || of((error as Error).cause);
}

/** A bucket that is not there is another matter. */
function isAbsent(error: unknown): boolean {
  return named(error, 'NoSuchKey') || named(error, 'NotFound');
}

/** Servers that do not do all of S3, and keys that may not. */
function notPossible(error: unknown): undefined {
  const { name = '', $metadata } = ((error as Error).cause ?? error) as {
    name?: string;
    $metadata?: { httpStatusCode?: number };
  };
  if (/^(NoSuchUpload|NoSuchKey|NotFound|NotImplemented|MethodNotAllowed|AccessDenied)$/.test(name)) return undefined;
  if ($metadata?.httpStatusCode === 501 || $metadata?.httpStatusCode === 405) return undefined;
  throw error;
}
