const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** For people: `512 MiB`, `1.5 GiB`, `900 B`. */
export function formatSize(bytes: number): string {
  let amount = bytes;
  let power = 0;
  while (amount >= 1024 && power < UNITS.length - 1) {
    amount /= 1024;
    power++;
  }
  const figures = amount >= 100 || Number.isInteger(amount) ? amount.toFixed(0) : amount.toFixed(1);
  return `${figures} ${UNITS[power]}`;
}
