/** What tar works in: heads are one of these, and files are filled up to a whole number of them. */
const BLOCK = 512;
const encoder = new TextEncoder();

/** Two empty blocks: nothing follows. */
export const TAR_END = new Uint8Array(2 * BLOCK);

/** The head of a file that only its owner may read: POSIX ustar, and from 8 GiB up with the size as GNU, BSD and busybox write it. */
export function tarHead(name: string, size: number, modifiedAt: number): Uint8Array {
  const head = new Uint8Array(BLOCK);
  const put = (at: number, text: string): void => void encoder.encodeInto(text, head.subarray(at));
  put(0, name);
  put(100, octal(0o600, 8));
  put(108, octal(0, 8));
  put(116, octal(0, 8));
  if (size < 8 ** 11) put(124, octal(size, 12));
  else putLarge(head.subarray(124, 136), size);
  put(136, octal(Math.floor(modifiedAt / 1_000), 12));
  put(156, '0');
  put(257, 'ustar\0');
  put(263, '00');
  // The sum is taken with spaces in its own place.
  put(148, ' '.repeat(8));
  put(148, octal(sumOf(head), 7));
  return head;
}

/** What fills the last block of a file. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

/** Big-endian, after a first byte that says so. */
function putLarge(field: Uint8Array, size: number): void {
  new DataView(field.buffer, field.byteOffset + 4).setBigUint64(0, BigInt(size));
  field[0] = 0x80;
}

function sumOf(head: Uint8Array): number {
  let sum = 0;
  for (const byte of head) sum += byte;
  return sum;
}
