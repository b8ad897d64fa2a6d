import type { Millis } from '../model/ids.ts';
import { HELLO_TIME } from '../model/limits.ts';
import { FIRST_TRY_TIME, SERVERS } from '../model/move-limits.ts';

/** What came of a server. */
export interface Failure {
  readonly reason: string;
  /** Milliseconds for which it wants to be left alone. */
  readonly retryAfter?: Millis;
  /** To ask this one again is of no use. */
  readonly fatal?: boolean;
}

/**
 * The servers of one farm, as a worker or client knows them (P29): those that it was given, in that order, and then those
 * that they told of. One that fails gives way to the next at once; only when all have failed a pause is due.
 */
export class ServerList {
  readonly #given: readonly string[];
  #told: readonly string[] = [];
  #current: string;
  /** Failed since one was last of use. */
  readonly #failed = new Map<string, Failure>();
  /** Until when a server wants to be left alone. */
  readonly #restUntil = new Map<string, Millis>();
  #rounds = 0;

  constructor(given: readonly string[]) {
    const [first] = given;
    if (first === undefined) throw new TypeError('a farm has at least one server');
    this.#given = [...new Set(given)].slice(0, SERVERS);
    this.#current = first;
  }

  /** The one that is connected to, or shall be. */
  get current(): string {
    return this.#current;
  }

  get several(): boolean {
    return this.#all.length > 1;
  }

  /** Milliseconds to wait for the welcome. */
  get patience(): Millis {
    return this.several && this.#rounds === 0 ? FIRST_TRY_TIME : HELLO_TIME;
  }

  /** All have failed, and none will do better the next time. */
  get hopeless(): boolean {
    return this.#all.every((server) => this.#failed.get(server)?.fatal === true);
  }

  /** Why none could be had. */
  get complaint(): string {
    if (!this.several) return this.#failed.get(this.#current)?.reason ?? 'it was not tried';
    const all = [...this.#failed].map(([server, { reason }]) => `${server.replace(/\/$/, '')}: ${reason}`);
    return `none of the ${all.length} servers can be had: ${all.join('; ')}`;
  }

  /** The current one is of use, which a welcome alone does not say: all may be tried again. */
  worked(): void {
    this.#failed.clear();
    this.#restUntil.delete(this.#current);
    this.#rounds = 0;
  }

  /**
   * The current one told of others. Each peer begins elsewhere among them, so that not all go to the same one; of a server
   * that is reached by TLS, only such that are, too.
   */
  told(addresses: readonly string[], chance: number): void {
    const secure = this.#current.startsWith('https:');
    const known = addresses.map(plainAddress).filter((address) => address !== undefined);
    const fit = known.filter((address) => !secure || address.startsWith('https:'));
    const first = Math.floor(chance * fit.length);
    this.#told = [...new Set([...fit.slice(first), ...fit.slice(0, first), ...this.#told])].slice(0, SERVERS);
  }

  /** Goes on to the next one that has not failed. False: all have, so the first of the next round is to be tried after a pause. */
  failed(failure: Failure, now: Millis): boolean {
    this.#note(failure, now);
    return this.#moveTo(this.#following(), now);
  }

  /** The same, to one of those that it was told of, if there is one. */
  sentAway(failure: Failure, now: Millis): boolean {
    this.#note(failure, now);
    return this.#moveTo([...this.#told, ...this.#following()], now);
  }

  /** All have failed: begins another round. Returns for how long at least none of them wants to be asked. */
  startAgain(now: Millis): Millis {
    const all = this.#following();
    const rests = all.map((server) => this.#rest(server, now));
    const shortest = Math.min(...rests);
    this.#current = all[rests.indexOf(shortest)] as string;
    this.#failed.clear();
    this.#rounds += 1;
    return shortest;
  }

  #note(failure: Failure, now: Millis): void {
    this.#failed.set(this.#current, failure);
    const { retryAfter = 0 } = failure;
    if (retryAfter > 0) this.#restUntil.set(this.#current, now + retryAfter);
    else this.#restUntil.delete(this.#current);
  }

  /** Milliseconds for which it still wants to be left alone. */
  #rest(server: string, now: Millis): Millis {
    return Math.max(0, (this.#restUntil.get(server) ?? now) - now);
  }

  #moveTo(servers: readonly string[], now: Millis): boolean {
    const next = servers.find((server) => !this.#failed.has(server) && this.#rest(server, now) === 0);
    if (next === undefined) return false;
    this.#current = next;
    return true;
  }

  get #all(): readonly string[] {
    return [...new Set([...this.#given, ...this.#told])].slice(0, SERVERS);
  }

  /** All of them, from the one behind the current one on, which is the last. */
  #following(): readonly string[] {
    const all = this.#all;
    const at = all.indexOf(this.#current) + 1;
    return [...all.slice(at), ...all.slice(0, at)];
  }
}

/** In the form in which addresses are compared; undefined: it is none, or would carry more than a place. */
function plainAddress(text: string): string | undefined {
  if (!/^https?:\/\/[^\s/?#@\\]+(\/[^\s?#\\]*)?$/.test(text)) return undefined;
  return text.endsWith('/') ? text : `${text}/`;
}
