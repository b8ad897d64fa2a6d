/** Figures as people read them. A narrow space stands between number and unit, so that they are never torn apart. */

const SPACE = '\u202f';
const grouped = new Intl.NumberFormat('en-US');
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 });

export function count(value: number): string {
  return grouped.format(value);
}

const measured = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 6 });

/** Any number, to six digits. */
export function measure(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e12 || size < 1e-4)) return String(Number(value.toPrecision(6)));
  // Minus zero is zero to people.
  return measured.format(value + 0);
}

/** For narrow places: long ones as 12.3M. */
export function briefCount(value: number): string {
  return value < 10_000_000 ? grouped.format(value) : short.format(value);
}

/** Of something a second. */
export function rate(value: number): string {
  if (value >= 100) return grouped.format(Math.round(value));
  if (value >= 10) return value.toFixed(0);
  if (value >= 0.1 || value === 0) return value === 0 ? '0' : value.toFixed(1);
  return value.toFixed(2);
}

/** Whole percents, and 100 only for all of it. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return `0${SPACE}%`;
  return `${part >= whole ? 100 : Math.min(99, Math.floor((part / whole) * 100))}${SPACE}%`;
}

const UNITS: readonly [millis: number, name: string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
];

/** Two units at most: `3 h 5 min`, `1 min 12 s`, `4.2 s`, `12 ms`, `80 µs`. */
export function duration(millis: number): string {
  if (!Number.isFinite(millis) || millis < 0) return '–';
  if (millis < 0.9995) return `${Math.round(millis * 1_000)}${SPACE}µs`;
  if (millis < 9.95) return `${millis.toFixed(1)}${SPACE}ms`;
  if (millis < 999.5) return `${Math.round(millis)}${SPACE}ms`;
  if (millis < 9_950) return `${(millis / 1_000).toFixed(1)}${SPACE}s`;
  const rounded = Math.round(millis / 1_000) * 1_000;
  for (const [i, [unit, name]] of UNITS.entries()) {
    if (rounded < unit) continue;
    const [smaller, smallerName] = UNITS[i + 1] ?? [Number.POSITIVE_INFINITY, ''];
    const rest = Math.floor((rounded % unit) / smaller);
    const whole = `${count(Math.floor(rounded / unit))}${SPACE}${name}`;
    return rest === 0 ? whole : `${whole} ${rest}${SPACE}${smallerName}`;
  }
  return `0${SPACE}s`;
}

/** Coarser, since the eye should not jump with every second: `just now`, `12 s ago`, `3 min ago`. */
export function ago(millis: number): string {
  if (millis < 2_000) return 'just now';
  const [unit, name] = UNITS.find(([unit]) => millis >= unit) ?? [1_000, 's'];
  return `${count(Math.floor(millis / unit))}${SPACE}${name} ago`;
}

/** How long something will take: rough, as the guess is. */
export function about(millis: number): string {
  if (millis < 1_000) return `less than a second`;
  if (millis < 60_000) return `${Math.ceil(millis / 1_000)}${SPACE}s`;
  if (millis < 3_600_000) return `${Math.round(millis / 60_000)}${SPACE}min`;
  if (millis < 86_400_000) return duration(Math.round(millis / 600_000) * 600_000);
  return duration(Math.round(millis / 3_600_000) * 3_600_000);
}

export function bytes(value: number): string {
  if (value < 1_024) return `${count(value)}${SPACE}B`;
  for (const [i, unit] of ['KiB', 'MiB', 'GiB', 'TiB'].entries()) {
    const scaled = value / 1_024 ** (i + 1);
    if (scaled < 1_023.5 || unit === 'TiB') return `${scaled.toFixed(scaled < 9.95 ? 1 : 0)}${SPACE}${unit}`;
  }
  return `${value}${SPACE}B`;
}

export function plural(value: number, noun: string, many = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : many}`;
}
