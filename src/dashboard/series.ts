/** Columns that a plot has at most, whatever it shows. */
const COLUMNS = 240;

/** What is known of the numbers of neighbouring tasks. */
export interface SeriesColumn {
  readonly least: number;
  readonly most: number;
}

/** A number a task, as far as a plot can show them: of neighbours that share a column only the least and the most. */
export class Series {
  #columns: (SeriesColumn | undefined)[] = [];
  #width = 1;
  count = 0;
  least = Number.POSITIVE_INFINITY;
  most = Number.NEGATIVE_INFINITY;
  mean = 0;
  /** The highest index. */
  last = 0;

  /** Tasks that share a column. */
  get width(): number {
    return this.#width;
  }

  get columns(): readonly (SeriesColumn | undefined)[] {
    return this.#columns;
  }

  add(index: number, value: number): void {
    while (index >= COLUMNS * this.#width) this.#halve();
    const at = Math.floor(index / this.#width);
    this.#columns[at] = joined(this.#columns[at], { least: value, most: value });
    this.count++;
    this.last = Math.max(this.last, index);
    this.least = Math.min(this.least, value);
    this.most = Math.max(this.most, value);
    // Not by a sum, which may be larger than any number.
    this.mean += value / this.count - this.mean / this.count;
  }

  /** Two columns become one. */
  #halve(): void {
    const columns: (SeriesColumn | undefined)[] = [];
    for (let at = 0; at < this.#columns.length; at += 2) {
      columns.push(joined(this.#columns[at], this.#columns[at + 1]));
    }
    this.#columns = columns;
    this.#width *= 2;
  }
}

function joined(a: SeriesColumn | undefined, b: SeriesColumn | undefined): SeriesColumn | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { least: Math.min(a.least, b.least), most: Math.max(a.most, b.most) };
}
