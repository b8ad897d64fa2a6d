const LINE_FEED = 10;

export interface BlockOptions {
  /** Bytes of a block: it ends with the last line that fits, or with the first where none does. */
  readonly size: number;
  /** Lines of a block, in place of its size. */
  readonly lines: number | undefined;
}

/** Cuts a stream of lines into blocks of whole lines. */
export async function* cutBlocks(bytes: AsyncIterable<Uint8Array>, options: BlockOptions): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of bytes) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = endOfBlock(rest, options); end > 0; end = endOfBlock(rest, options)) {
      yield Uint8Array.from(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  }
  if (rest.length > 0) yield Uint8Array.from(rest);
}

/** Where the first block ends; 0: that cannot be told before there is more. */
function endOfBlock(bytes: Uint8Array, { size, lines }: BlockOptions): number {
  if (lines !== undefined) {
    let end = 0;
    for (let count = 0; count < lines; count++) {
      end = bytes.indexOf(LINE_FEED, end) + 1;
      if (end === 0) return 0;
    }
    return end;
  }
  if (bytes.length < size) return 0;
  const last = bytes.lastIndexOf(LINE_FEED, size - 1) + 1;
  return last > 0 ? last : bytes.indexOf(LINE_FEED, size) + 1;
}
