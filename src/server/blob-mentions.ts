import type { BlobStore } from '../store/blobs.ts';
import type { ValueBlob } from './column-contents.ts';

/** Letters of a blob's name. */
const LENGTH = 64;
const QUOTE = 0x22;

/**
 * The names of blobs that stand as whole texts anywhere in values, however deep: 64 hex digits between quotes. Nothing is
 * decoded. Wherever such a name lies, one of its letters has a place that 64 divides, so that only these places are looked
 * at: of most values that is one byte in 64.
 */
export function namesIn(bytes: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at < bytes.length; at += LENGTH) {
    if (!isHex(bytes[at])) continue;
    let start = at;
    while (at - start < LENGTH && isHex(bytes[start - 1])) start--;
    let end = at + 1;
    while (isHex(bytes[end])) end++;
    if (end - start === LENGTH && bytes[start - 1] === QUOTE && bytes[end] === QUOTE) {
      names.push(String.fromCharCode(...bytes.subarray(start, end)));
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
    for (const name of namesIn(seam)) found(name);
    for (const name of namesIn(piece)) found(name);
    tail = Uint8Array.from((piece.length > LENGTH ? piece : seam).subarray(-LENGTH - 1));
  }
}

/**
 * Those of the blobs that values are, or name, which are here, so that their job refers to them (D9). Asking makes each young again, so that it is not collected before that is on disk.
 */
export async function mentionedBlobs(
  blobs: BlobStore,
  names: readonly string[],
  values: readonly ValueBlob[],
): Promise<string[]> {
  const wanted = new Set([...names, ...values.map(({ sha256 }) => sha256)]);
  for (const { sha256, isText } of values) {
    if (!isText) continue;
    const bytes = await blobs.read(sha256);
    if (bytes === undefined) continue;
    await namesInStream(bytes, (name) => {
      if (blobs.mayHave(name)) wanted.add(name);
    });
  }
  const all = [...wanted];
  const sizes = await Promise.all(all.map((name) => blobs.size(name)));
  return all.filter((_, i) => sizes[i] !== undefined);
}

/** Lower-case, as blobs are named. */
function isHex(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66));
}
