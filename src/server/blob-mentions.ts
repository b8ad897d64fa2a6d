import { NEARBY_BLOB_BYTES } from '../model/blob-limits.ts';
import type { TaskIndex } from '../model/ids.ts';
import type { Column } from '../protocol/column.ts';
import type { LargeInput } from '../scheduler/events.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { ValueBlob } from './column-contents.ts';

/** Letters of a blob's name. */
const LENGTH = 64;
const QUOTE = 0x22;

/** A name, and the place of its first letter. */
export interface Mention {
  readonly name: string;
  readonly at: number;
}

/**
 * The names of blobs that stand as whole texts anywhere in values, however deep: 64 hex digits between quotes. Nothing is
 * decoded. Wherever such a name lies, one of its letters has a place that 64 divides, so that only these places are looked
 * at: of most values that is one byte in 64.
 */
export function namesIn(bytes: Uint8Array): Mention[] {
  const names: Mention[] = [];
  for (let at = 0; at < bytes.length; at += LENGTH) {
    if (!isHex(bytes[at])) continue;
    let start = at;
    while (at - start < LENGTH && isHex(bytes[start - 1])) start--;
    let end = at + 1;
    while (isHex(bytes[end])) end++;
    if (end - start === LENGTH && bytes[start - 1] === QUOTE && bytes[end] === QUOTE) {
      names.push({ name: String.fromCharCode(...bytes.subarray(start, end)), at: start });
    }
    // What is left of a longer run of digits is no name either.
    at += Math.floor((end - 1 - at) / LENGTH) * LENGTH;
  }
  return names;
}

/** The same for what comes in pieces, which may part a name. */
async function namesInStream(pieces: AsyncIterable<Uint8Array>, found: (name: string) => void): Promise<void> {
  let tail: Uint8Array = new Uint8Array();
  for await (const piece of pieces) {
    const seam = Buffer.concat([tail, piece.subarray(0, LENGTH + 1)]);
    for (const { name } of [...namesIn(seam), ...namesIn(piece)]) found(name);
    tail = Uint8Array.from((piece.length > LENGTH ? piece : seam).subarray(-LENGTH - 1));
  }
}

/**
 * Those of the blobs that values are, or name, which are here, and their sizes, so that their job refers to them (D9).
 * Asking makes each young again, so that it is not collected before that is on disk.
 */
export async function mentionedBlobs(
  blobs: BlobStore,
  mentions: readonly Mention[],
  values: readonly ValueBlob[],
): Promise<Map<string, number>> {
  const wanted = new Set([...mentions, ...values.map(({ sha256: name }) => ({ name }))].map(({ name }) => name));
  for (const { sha256, isText } of values) {
    if (!isText) continue;
    const bytes = await blobs.read(sha256);
    if (bytes === undefined) continue;
    await namesInStream(bytes, (name) => {
      if (blobs.mayHave(name)) wanted.add(name);
    });
  }
  const sizes = await Promise.all([...wanted].map(async (name) => [name, await blobs.size(name)] as const));
  return new Map(sizes.filter((each): each is [string, number] => each[1] !== undefined));
}

/** Which tasks need which large blobs, of a block that begins at `first`. */
export function largeInputs(
  { lengths }: Column,
  first: TaskIndex,
  mentions: readonly Mention[],
  sizes: ReadonlyMap<string, number>,
): LargeInput[] {
  const large: LargeInput[] = [];
  let position = 0;
  let end = lengths[0] ?? 0;
  for (const { name, at } of mentions) {
    while (at >= end) end += lengths[++position] ?? Number.POSITIVE_INFINITY;
    if ((sizes.get(name) ?? 0) >= NEARBY_BLOB_BYTES) large.push({ index: first + position, blob: name });
  }
  return large;
}

/** Lower-case, as blobs are named. */
function isHex(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66));
}
