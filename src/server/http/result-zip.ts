import { ValueStatus } from '../../model/envelope.ts';
import type { TaskIndex } from '../../model/ids.ts';
import type { Job } from '../../model/job.ts';
import { PICTURE_HEAD, pictureType } from '../../model/picture-type.ts';
import { ZIP_FILES, ZIP_TEXT_BYTES } from '../../model/result-limits.ts';
import { readColumn } from '../../protocol/column.ts';
import { decodeValue } from '../../protocol/values/value.ts';
import type { BlobStore } from '../../store/blobs.ts';
import type { StoredSegment } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Zip } from '../zip.ts';
import { blobBytes, blobIn, isBlob, outcomesIn, recordLines, type StoredOutcome } from './records.ts';
import { type Reader, segmentsInOrder } from './result-segments.ts';

const QUOTE = 0x22;
const encoder = new TextEncoder();

/**
 * All results as a zip archive: values that are bytes or texts as a file each, all other outcomes as lines of
 * results.ndjson. Read twice where there are such others, since an archive holds one file after the other.
 */
export async function* zipOf(
  core: Core,
  job: Pick<Job, 'id' | 'spec' | 'progress'>,
  reader: Reader,
): AsyncGenerator<Uint8Array> {
  const { id, spec, progress } = job;
  const zip = new Zip(progress.endedAt ?? spec.submittedAt);
  const folder = `job-${id}`;
  const digits = String(Math.max(0, progress.total - 1)).length;
  const nameOf = (index: TaskIndex, ending: string) => `${folder}/${String(index).padStart(digits, '0')}.${ending}`;
  /** Blobs whose content had to be looked at. */
  const texts = new Set<TaskIndex>();
  let next = 0;
  let isFull = false;
  let others = 0;
  for await (const { segment, column } of segmentsInOrder(core, id, reader)) {
    for (const outcome of outcomesIn(segment, readColumn(column))) {
      if (reader.destroyed) return;
      next = outcome.index + 1;
      isFull ||= zip.files >= ZIP_FILES;
      const file = isFull || !mayBeFile(outcome) ? undefined : await fileOf(core.blobs, outcome);
      if (file === undefined) {
        others++;
        continue;
      }
      if (outcome.status === ValueStatus.jsonBlob) texts.add(outcome.index);
      const name = nameOf(outcome.index, file.ending);
      if (file.bytes instanceof Uint8Array) yield* zip.whole(name, file.bytes, file.isDense);
      else yield* zip.streamed(name, file.bytes);
    }
  }
  if (others > 0)
    yield* zip.streamed(
      `${folder}/results.ndjson`,
      otherLines(segmentsInOrder(core, id, reader), core.blobs, next, zip.files, texts),
    );
  yield* zip.end();
}

/** Everything below `end` that got no file: the first so many values that could be files are files. */
async function* otherLines(
  segments: AsyncIterable<StoredSegment>,
  blobs: BlobStore,
  end: TaskIndex,
  files: number,
  texts: ReadonlySet<TaskIndex>,
): AsyncGenerator<Uint8Array> {
  let left = files;
  const wants = (outcome: StoredOutcome): boolean => {
    if (outcome.index >= end) return false;
    const isOne = left > 0 && (texts.has(outcome.index) || isFile(outcome));
    if (isOne) left--;
    return !isOne;
  };
  for await (const { segment, column } of segments) {
    for await (const part of recordLines(segment, readColumn(column), blobs, { wants })) {
      yield typeof part === 'string' ? encoder.encode(part) : part;
    }
  }
}

/** Bytes and texts, as far as that can be told without looking into blobs. */
function isFile({ status, bytes }: StoredOutcome): boolean {
  if (status === ValueStatus.bytes || status === ValueStatus.bytesBlob) return true;
  return status === ValueStatus.json && bytes[0] === QUOTE;
}

function mayBeFile(outcome: StoredOutcome): boolean {
  return isFile(outcome) || outcome.status === ValueStatus.jsonBlob;
}

interface File {
  readonly ending: string;
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>;
  readonly isDense: boolean;
}

async function fileOf(blobs: BlobStore, outcome: StoredOutcome): Promise<File | undefined> {
  const { status, bytes } = outcome;
  if (status === ValueStatus.bytes) return bytesFile(bytes, bytes);
  if (status === ValueStatus.json && bytes[0] === QUOTE) return textFile(bytes);
  if (!isBlob(status)) return undefined;
  const named = blobIn(outcome);
  const { blob, size } = named;
  if (status === ValueStatus.bytesBlob) return bytesFile(await headOf(blobs, named), partsOf(blobs, blob));
  if (size > ZIP_TEXT_BYTES || (await headOf(blobs, named))[0] !== QUOTE) return undefined;
  return textFile(await gathered(partsOf(blobs, blob)));
}

function bytesFile(head: Uint8Array, bytes: File['bytes']): File {
  const picture = pictureType(head);
  return { ending: picture?.ending ?? 'bin', bytes, isDense: picture !== undefined };
}

function textFile(json: Uint8Array): File {
  const text = decodeValue(json, ValueStatus.json) as string;
  return { ending: 'txt', bytes: encoder.encode(text), isDense: false };
}

async function headOf(blobs: BlobStore, { blob, size }: { blob: string; size: number }): Promise<Uint8Array> {
  return gathered(partsOf(blobs, blob, { start: 0, end: Math.min(size, PICTURE_HEAD) }));
}

async function gathered(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

/** Opened only when it is read; pieces are one's own. */
async function* partsOf(
  blobs: BlobStore,
  sha256: string,
  range?: { start: number; end: number },
): AsyncGenerator<Uint8Array> {
  for await (const part of await blobBytes(blobs, sha256, range)) yield Uint8Array.from(part);
}
