/** Bits: of a million blobs one in seventeen names that are not here is taken for one that may be. */
const BITS = 24;

/**
 * Which names may be here, in two MiB however many there are: a bit for each way that a name can begin. Values hold many
 * hashes that are no blobs, and the disk shall not be asked for each.
 */
export class KnownNames {
  readonly #bits = new Uint8Array(2 ** (BITS - 3));

  add(sha256: string): void {
    const bit = bitOf(sha256);
    this.#bits[bit >>> 3] = (this.#bits[bit >>> 3] as number) | (1 << (bit & 7));
  }

  mayHave(sha256: string): boolean {
    const bit = bitOf(sha256);
    return ((this.#bits[bit >>> 3] as number) & (1 << (bit & 7))) !== 0;
  }
}

function bitOf(sha256: string): number {
  return Number.parseInt(sha256.slice(0, BITS / 4), 16);
}
