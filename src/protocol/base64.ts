/** Base64 as RFC 4648 has it, for a realm that knows neither Buffer nor atob. */

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const NOT_A_DIGIT = 255;
const VALUES = new Uint8Array(128).fill(NOT_A_DIGIT);
for (let i = 0; i < DIGITS.length; i++) VALUES[DIGITS.charCodeAt(i)] = i;

export function toBase64(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out += (DIGITS[word >> 18] as string) + (DIGITS[(word >> 12) & 63] as string);
    out += i + 1 < bytes.length ? (DIGITS[(word >> 6) & 63] as string) : '=';
    out += i + 2 < bytes.length ? (DIGITS[word & 63] as string) : '=';
  }
  return out;
}

/** Undefined: this is not base64. Padding may be left out, since some languages do. */
export function fromBase64(base64: string): Uint8Array | undefined {
  let length = base64.length;
  while (length > 0 && base64.length - length < 2 && base64[length - 1] === '=') length--;
  if (length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  let word = 0;
  let bits = 0;
  let to = 0;
  for (let i = 0; i < length; i++) {
    const value = VALUES[base64.charCodeAt(i)] ?? NOT_A_DIGIT;
    if (value === NOT_A_DIGIT) return undefined;
    word = ((word << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[to++] = (word >> bits) & 255;
  }
  return bytes;
}
