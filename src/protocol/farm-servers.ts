import { AddressWalk } from './address-walk.ts';

/** A server of a farm, and what lets a peer in there. */
interface Door {
  readonly address: string;
  readonly token: string | undefined;
}

/** The servers of one farm as a far end reaches them (P29), and the one that it is with, to which transfers by HTTP go, too. */
export class FarmServers {
  readonly addresses: readonly string[];
  readonly #tokens: ReadonlyMap<string, string | undefined>;
  readonly #token: string | undefined;
  readonly #walks = new Map<string, AddressWalk>();
  #current: string;
  #place: string | undefined;

  constructor(doors: readonly Door[]) {
    this.#tokens = new Map(doors.map(({ address, token }) => [address, token]));
    this.#token = doors.find(({ token }) => token !== undefined)?.token;
    this.addresses = [...this.#tokens.keys()];
    this.#current = this.addresses[0] ?? '';
  }

  get current(): string {
    return this.#current;
  }

  /** Whether that is another place than before, down to the address behind the name. */
  joined(server: string): boolean {
    const before = this.#place;
    this.#current = server;
    this.#place = `${server} ${this.walkOf(server).connected ?? ''}`;
    return before !== undefined && before !== this.#place;
  }

  /** One that has none of its own takes that of another: they are of one farm. */
  tokenOf(server: string): string | undefined {
    return this.#tokens.get(server) ?? this.#token;
  }

  walkOf(server: string): AddressWalk {
    let walk = this.#walks.get(server);
    if (walk === undefined) this.#walks.set(server, (walk = new AddressWalk()));
    return walk;
  }
}
