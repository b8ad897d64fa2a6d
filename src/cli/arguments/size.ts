import { UsageError } from '../errors.ts';

const POWERS = ['', 'k', 'm', 'g', 't'];

/** `512M`, `2G`, `64KiB` or plain bytes; a K is 1024 whichever way it is written. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = Math.round(Number(match?.[1]) * 1024 ** POWERS.indexOf((match?.[2] ?? '').toLowerCase()));
  if (match === null || !Number.isSafeInteger(bytes) || bytes < 1) {
    throw new UsageError(`"${text}" is not a size: write it as 64K, 512M or 2G`);
  }
  return bytes;
}
