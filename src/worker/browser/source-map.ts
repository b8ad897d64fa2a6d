/** Where a place of a bundled module was before it was bundled. Lines and columns count from 1, as stack traces do. */
export class SourceMap {
  readonly #sources: readonly string[];
  /** For each line of the bundle its segments: column, and source, line and column there; all counted from 0. */
  readonly #lines: readonly (readonly Segment[])[];

  /** Undefined: the module brings none. */
  static of(module: string): SourceMap | undefined {
    const [, data] = /\n\/\/# sourceMappingURL=data:application\/json;base64,(\S+)\s*$/.exec(module) ?? [];
    if (data === undefined) return undefined;
    try {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      return new SourceMap(JSON.parse(new TextDecoder().decode(bytes)) as { sources: string[]; mappings: string });
    } catch {
      // Not made by our client: the lines of the module have to do.
      return undefined;
    }
  }

  private constructor({ sources, mappings }: { readonly sources: readonly string[]; readonly mappings: string }) {
    this.#sources = sources;
    this.#lines = segmentsOf(mappings);
  }

  /** As `source:line:column`; undefined: it is of the bundler's own. */
  placeOf(line: number, column: number): string | undefined {
    let found: Segment | undefined;
    for (const segment of this.#lines[line - 1] ?? []) {
      if (segment[0] > column - 1) break;
      found = segment;
    }
    const source = found === undefined ? undefined : this.#sources[found[1]];
    return found === undefined || source === undefined ? undefined : `${source}:${found[2] + 1}:${found[3] + 1}`;
  }
}

type Segment = readonly [column: number, source: number, sourceLine: number, sourceColumn: number];

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Every number is told as the difference to the one before of its kind; columns begin anew with each line. */
function segmentsOf(mappings: string): Segment[][] {
  let [source, sourceLine, sourceColumn] = [0, 0, 0];
  return mappings.split(';').map((line) => {
    let column = 0;
    const segments: Segment[] = [];
    for (const text of line === '' ? [] : line.split(',')) {
      const [byColumn = 0, bySource, byLine = 0, bySourceColumn = 0] = numbersIn(text);
      column += byColumn;
      if (bySource === undefined) continue;
      source += bySource;
      sourceLine += byLine;
      sourceColumn += bySourceColumn;
      segments.push([column, source, sourceLine, sourceColumn]);
    }
    return segments;
  });
}

/** Five bits a digit, the lowest first; a sixth says that more follow, and the lowest bit of the whole is the sign. */
function numbersIn(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const letter of text) {
    const digit = DIGITS.indexOf(letter);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}
