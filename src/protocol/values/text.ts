/**
 * Text to UTF-8 and back. Every runtime we know has these two classes, but neither belongs to the language, so the
 * pure realm has no types for them. In Node they are as fast as Buffer's own methods (measured in bench/values.ts).
 */
declare const TextEncoder: new () => {
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
};
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };

const encoder = new TextEncoder();
// Fatal, because a value with a replacement character in it would be a silent change.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const encodeInto = (text: string, target: Uint8Array): { read: number; written: number } =>
  encoder.encodeInto(text, target);

/** Throws a TypeError on bytes that are not UTF-8. */
export const decodeText = (bytes: Uint8Array): string => decoder.decode(bytes);

/** The bytes of a text of UTF-16 code units `from` (inclusive) to `to`; the text has no lone surrogates. */
export function utf8Length(text: string, from: number, to: number): number {
  let bytes = to - from;
  for (let index = from; index < to; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    // A surrogate pair is two units and four bytes: each half adds one to the one it is counted as already.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
