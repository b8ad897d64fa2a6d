/**
 * A binary heap of things whose keys only ever grow. Growth needs no notice: a key is looked at again when its thing
 * comes to the top. Things that no longer want to be there are dropped at the top as well.
 */
export class LazyHeap<T> {
  readonly #entries: { key: number; item: T }[] = [];
  readonly #members = new Set<T>();
  readonly #key: (item: T) => number;
  readonly #wanted: (item: T) => boolean;

  constructor(key: (item: T) => number, wanted: (item: T) => boolean) {
    this.#key = key;
    this.#wanted = wanted;
  }

  get size(): number {
    return this.#entries.length;
  }

  add(item: T): void {
    if (this.#members.has(item)) return;
    this.#members.add(item);
    this.#entries.push({ key: this.#key(item), item });
    this.#up(this.#entries.length - 1);
  }

  /** The one with the least key, left in place. */
  top(): T | undefined {
    for (;;) {
      const first = this.#entries[0];
      if (first === undefined) return undefined;
      if (!this.#wanted(first.item)) {
        this.#removeTop();
        continue;
      }
      const key = this.#key(first.item);
      if (key <= first.key) return first.item;
      first.key = key;
      this.#down();
    }
  }

  #removeTop(): void {
    const last = this.#entries.pop()!;
    this.#members.delete((this.#entries[0] ?? last).item);
    if (this.#entries.length === 0) return;
    this.#entries[0] = last;
    this.#down();
  }

  #up(from: number): void {
    const entries = this.#entries;
    const entry = entries[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (entries[parent]!.key <= entry.key) break;
      entries[at] = entries[parent]!;
      at = parent;
    }
    entries[at] = entry;
  }

  #down(): void {
    const entries = this.#entries;
    const entry = entries[0]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && entries[child + 1]!.key < entries[child]!.key) child++;
      if (entries[child]!.key >= entry.key) break;
      entries[at] = entries[child]!;
      at = child;
    }
    entries[at] = entry;
  }
}
