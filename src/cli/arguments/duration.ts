import { UsageError } from '../errors.ts';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `30s`, `5m`, `1.5h`, `7d`, `250ms` as milliseconds. A number without a unit is refused: 30 what? */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text.trim());
  const unit = UNITS[match?.[2] ?? ''];
  const amount = Math.round(Number(match?.[1]) * (unit ?? Number.NaN));
  if (!Number.isSafeInteger(amount) || amount < 1) {
    throw new UsageError(`"${text}" is not a duration: write it as 500ms, 30s, 5m, 4h or 7d`);
  }
  return amount;
}

/** For people: two figures at most, `1m 12s`, `3h 5m`, `4.2s`, `12ms`. */
export function formatDuration(millis: number): string {
  if (!Number.isFinite(millis)) return '?';
  if (millis < 1) return '0ms';
  if (millis < 1_000) return `${Math.round(millis)}ms`;
  if (millis < 9_950) return `${(millis / 1_000).toFixed(1)}s`;
  const seconds = Math.round(millis / 1_000);
  if (seconds < 60) return `${seconds}s`;
  const pairs: [number, string, number, string][] = [
    [86_400, 'd', 3_600, 'h'],
    [3_600, 'h', 60, 'm'],
    [60, 'm', 1, 's'],
  ];
  for (const [big, bigName, small, smallName] of pairs) {
    if (seconds < big) continue;
    const rest = Math.floor((seconds % big) / small);
    return rest === 0
      ? `${Math.floor(seconds / big)}${bigName}`
      : `${Math.floor(seconds / big)}${bigName} ${rest}${smallName}`;
  }
  return `${seconds}s`;
}
