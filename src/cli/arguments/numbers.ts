import { UsageError } from '../errors.ts';

/** A parser of whole numbers within bounds, whose complaint names the option. */
export function wholeNumber(option: string, least: number, most: number = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = /^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`;
      throw new UsageError(`${option} takes a whole number ${bounds}, not "${text}"`);
    }
    return value;
  };
}

export function positiveNumber(option: string) {
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || value <= 0) throw new UsageError(`${option} takes a number above 0, not "${text}"`);
    return value;
  };
}
