import { spawnSync } from 'node:child_process';

const looks = {
  root: () => process.getuid?.() === 0,
  'a Linux kernel': () => process.platform === 'linux',
  ip: () => isProgram('ip', '-V'),
  nft: () => isProgram('nft', '--version'),
  gcc: () => isProgram('gcc', '--version'),
} as const;

function isProgram(name: string, version: string): boolean {
  return spawnSync(name, [version], { stdio: 'ignore' }).status === 0;
}

/**
 * For the options of a test: skips it where something that it needs is missing, and says what. `.ci/run` provides all of
 * it, so there nothing is skipped: what is missing then fails.
 */
export function needs(...things: (keyof typeof looks)[]): { skip?: string } {
  if (process.env['CI'] === 'true') return {};
  const missing = things.filter((thing) => !looks[thing]());
  return missing.length === 0 ? {} : { skip: `needs ${missing.join(' and ')}` };
}
