import { readFile } from 'node:fs/promises';

/** Runs one command line (without `node` and the program's name) and returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  if (argv.length === 1 && argv[0] === '--version') {
    // package.json lies two folders up in the repository (src/cli) as well as in the published package (dist/cli).
    const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
    process.stdout.write(`${(JSON.parse(text) as { version: string }).version}\n`);
    return 0;
  }
  process.stderr.write('manyhands: only --version is understood so far\n');
  return 2;
}
