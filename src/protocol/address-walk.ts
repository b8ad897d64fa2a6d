/**
 * The addresses behind one name, each of which may be another server (P29). To connect tries them in an order by itself; one
 * that was connected to and then failed is not tried again before the others.
 */
export class AddressWalk {
  readonly #failed = new Set<string>();
  #known: readonly string[] = [];
  /** To be tried first. */
  #first: string | undefined;
  #connected: string | undefined;
  #reason: string | undefined;

  /** In which order to try those that the name has now. */
  order(addresses: readonly string[]): readonly string[] {
    this.#known = addresses;
    const fit = addresses.filter((address) => !this.#failed.has(address));
    const left = fit.length === 0 ? addresses : fit;
    const at = this.#first === undefined ? -1 : left.indexOf(this.#first);
    return at <= 0 ? left : [...left.slice(at), ...left.slice(0, at)];
  }

  /** The one that is connected to. */
  get connected(): string | undefined {
    return this.#connected;
  }

  /** The name stands for more than one server. One that has an address of each version of IP is a single one. */
  get several(): boolean {
    const ofSix = this.#known.filter((address) => address.includes(':')).length;
    return Math.max(ofSix, this.#known.length - ofSix) > 1;
  }

  connecting(): void {
    this.#connected = undefined;
  }

  connectedTo(address: string | undefined): void {
    this.#connected = address;
    this.#first = address;
  }

  /**
   * The connection failed. `another`: there is an address that was not tried since one worked. Else `reason` is what the first
   * said that could be connected to, which tells more than that others could not.
   */
  failed(reason: string): { readonly another: boolean; readonly reason: string } {
    const address = this.#connected;
    this.#connected = undefined;
    // Where none could be connected to, all were tried.
    if (address === undefined) return this.#all(reason);
    this.#reason ??= reason;
    this.#failed.add(address);
    if (this.#known.some((other) => !this.#failed.has(other))) return { another: true, reason };
    this.#first = this.#known[this.#known.indexOf(address) + 1];
    return this.#all(reason);
  }

  worked(): void {
    this.#failed.clear();
    this.#reason = undefined;
  }

  #all(last: string): { readonly another: false; readonly reason: string } {
    const reason = this.#reason ?? last;
    this.worked();
    return { another: false, reason };
  }
}
