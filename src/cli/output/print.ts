import { printableText } from './printable.ts';

/** Prints on standard output. A terminal would obey control characters in a text; a pipe or a file gets it as it is (T-16). */
export function print(text: string): void {
  process.stdout.write(process.stdout.isTTY === true ? printableText(text) : text);
}

export function printJson(...things: readonly unknown[]): void {
  print(things.map((thing) => `${JSON.stringify(thing)}\n`).join(''));
}
