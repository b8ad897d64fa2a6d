import { StoreError } from '../../src/store/store.ts';

interface Held {
  readonly apply: () => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Stands before the disk of a memory store: lets changes through, holds them back, or refuses them. */
export class Gate {
  /** Changes that have reached the disk. */
  applied = 0;
  /** Why changes are refused; undefined: they are not. */
  refuses: StoreError['code'] | undefined;
  readonly #held: Held[] = [];
  #holds = false;

  readonly pass = (apply: () => void): Promise<void> => {
    if (!this.#holds) return this.#let(apply);
    return new Promise((resolve, reject) => this.#held.push({ apply, resolve, reject }));
  };

  /** From now on changes wait. */
  hold(): void {
    this.#holds = true;
  }

  get held(): number {
    return this.#held.length;
  }

  /** The first waiting change goes through; the others wait on. */
  step(): void {
    const first = this.#held.shift();
    if (first !== undefined) this.#let(first.apply).then(first.resolve, first.reject);
  }

  /** The waiting changes go through or are refused, and so does what comes. */
  release(): void {
    this.#holds = false;
    for (const { apply, resolve, reject } of this.#held.splice(0)) this.#let(apply).then(resolve, reject);
  }

  async #let(apply: () => void): Promise<void> {
    const code = this.refuses;
    if (code !== undefined) throw new StoreError(code, `the test says ${code}`);
    apply();
    this.applied++;
  }
}
