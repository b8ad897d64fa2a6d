/** Why something that a person gave cannot be used: what it is, where, what to do. */
export class ReadFault extends Error {
  /** From 1 up; absent: all of it. */
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(problem: string, line?: number, column?: number) {
    const at = line === undefined ? '' : `line ${line}${column === undefined ? '' : `, column ${column}`}: `;
    super(at + problem);
    this.name = 'ReadFault';
    this.line = line;
    this.column = column;
  }
}

/** The line of a text that a fault speaks of, and a mark below its column. */
export function placeIn(text: string, { line, column }: Pick<ReadFault, 'line' | 'column'>): string | undefined {
  const words = line === undefined ? undefined : text.split('\n')[line - 1];
  if (words === undefined || column === undefined) return undefined;
  // Of a very long line what is around the place.
  const from = Math.max(0, column - 60);
  const shown = words.slice(from, column + 60);
  return `${shown}\n${shown.slice(0, column - 1 - from).replace(/[^\t]/g, ' ')}^`;
}
