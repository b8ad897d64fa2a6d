import type { Batch, Piece } from './batch.ts';
import { piecesOf } from './batch.ts';
import { InOrder } from './in-order.ts';
import type { Out } from './out.ts';
import { printableText } from './printable.ts';
import { type LineOptions, toPlainLines, toRecords } from './records.ts';

/** What a result stream brings: outcomes, and in index order the word that everything below `next` has come. */
export type Arrival =
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'mark'; readonly next: number };

export interface PrintOptions extends LineOptions {
  readonly out: Out;
  readonly form: 'values' | 'records';
  readonly ordered: boolean;
  /** Does each write, so that a progress bar can step aside meanwhile. */
  readonly aside?: (write: () => Promise<void>) => Promise<void>;
}

/** Bytes after which lines are written while more is at hand: large enough that the call costs nothing. */
const WRITE_BYTES = 256 * 1024;

/** Prints results as they come, in big pieces; resolves when the stream has ended and everything is written. */
export async function printResults(arrivals: AsyncIterable<Arrival>, options: PrintOptions): Promise<void> {
  const order = options.ordered ? new InOrder() : undefined;
  const lines = new Lines(options);
  for await (const arrival of arrivals) {
    await lines.add(piecesIn(arrival, order));
    await lines.flush();
  }
  await lines.add(order?.end() ?? []);
  await lines.flush();
}

function piecesIn(arrival: Arrival, order: InOrder | undefined): Piece[] {
  if (arrival.kind === 'mark') return order?.mark(arrival.next) ?? [];
  return order === undefined ? piecesOf(arrival.batch) : order.add(arrival.batch);
}

/** Lines on their way out. */
class Lines {
  readonly #options: PrintOptions;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(options: PrintOptions) {
    this.#options = options;
  }

  async add(pieces: readonly Piece[]): Promise<void> {
    const toLines = this.#options.form === 'records' ? toRecords : toPlainLines;
    for (const piece of pieces) {
      const part = await toLines(piece, this.#options);
      if (part.length === 0) continue;
      this.#parts.push(part);
      this.#bytes += part.length;
      if (this.#bytes >= WRITE_BYTES) await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (this.#bytes === 0) return;
    const bytes = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    const { out, aside = (write) => write() } = this.#options;
    // A terminal would obey control characters in a result; a pipe or a file gets it byte for byte (T-16).
    await aside(() => out.write(out.isTerminal ? printableText(bytes.toString('utf8')) : bytes));
  }
}
