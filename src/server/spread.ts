import type { Millis, WorkerId } from '../model/ids.ts';
import { MOVE_PATIENCE, MOVED_AT_ONCE, SENT_AWAY, SPREAD_MARGIN } from '../model/server-limits.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import type { Feed } from './feed.ts';

/** Another server that takes workers. */
export interface Place {
  readonly url: string;
  readonly connected: number;
}

/**
 * Workers spread themselves over the servers of a farm (R38): newcomers are sent where there is more room, and when a server
 * comes that has few, some of those that are here finish what they run and go there.
 */
export class Spread {
  readonly #core: Core;
  readonly #feed: Feed;
  readonly #clock: Clock;
  #places: readonly Place[] = [];
  /** Workers that were sent to each server since it said how many it has. */
  readonly #sent = new Map<string, number>();
  /** Workers that were sent elsewhere of late: who is here all the same cannot get there. */
  readonly #sentAway = new Set<WorkerId>();
  /** Workers that finish what they run before they go, and until when they are waited for. */
  readonly #moving = new Map<WorkerId, Millis>();
  /** This server takes no more workers. */
  leaving = false;

  constructor(parts: { core: Core; feed: Feed; clock: Clock }) {
    this.#core = parts.core;
    this.#feed = parts.feed;
    this.#clock = parts.clock;
  }

  /** Once a pulse: where workers could go. */
  heard(places: readonly Place[]): void {
    this.#places = places;
    this.#sent.clear();
    for (const [worker, until] of [...this.#moving]) this.#goOn(worker, until);
    this.#moveSome();
  }

  /** Where a worker that comes with nothing should go instead, the best place first; empty: it stays. */
  betterPlaces(worker: WorkerId): readonly string[] {
    const places = this.leaving ? this.#places : this.#emptier();
    const [best] = places;
    if (best === undefined || this.#sentAway.has(worker)) return [];
    this.#send(worker, best);
    return places.map(({ url }) => url);
  }

  #send(worker: WorkerId, { url }: Place): void {
    this.#sentAway.add(worker);
    if (this.#sentAway.size > SENT_AWAY) this.#sentAway.delete(this.#sentAway.values().next().value as WorkerId);
    this.#sent.set(url, (this.#sent.get(url) ?? 0) + 1);
  }

  /** It is not among those that were told of yet. */
  #has({ url, connected }: Place): number {
    return connected + (this.#sent.get(url) ?? 0);
  }

  get #stay(): number {
    return this.#core.workerGateway.connected - this.#moving.size;
  }

  #emptier(): Place[] {
    const here = this.#stay;
    return this.#places
      .filter((place) => here >= this.#has(place) + SPREAD_MARGIN)
      .sort((a, b) => this.#has(a) - this.#has(b));
  }

  #moveSome(): void {
    const [emptiest] = this.#emptier();
    if (emptiest === undefined) return;
    const movable = this.#feed.ownWorkers
      .filter(({ id, kind, state }) => state === 'ready' && kind !== 'browser' && !this.#sentAway.has(id))
      .sort((a, b) => a.busy - b.busy);
    const surplus = Math.floor((this.#stay - this.#has(emptiest)) / 2);
    for (const { id } of movable.slice(0, Math.min(surplus, MOVED_AT_ONCE - this.#moving.size))) {
      this.#moving.set(id, this.#clock.now() + MOVE_PATIENCE);
      this.#act(id, 'drain');
    }
  }

  #goOn(id: WorkerId, until: Millis): void {
    const worker = this.#feed.worker(id);
    if (worker === undefined || worker.server !== undefined) {
      this.#moving.delete(id);
      return;
    }
    const isIdle = worker.busy + worker.queued === 0;
    if (!isIdle && this.#clock.now() < until) return;
    this.#moving.delete(id);
    this.#act(id, 'undrain');
    const places = this.#emptier();
    const [best] = places;
    if (!isIdle || best === undefined) return;
    this.#send(id, best);
    this.#core.workerGateway.sendElsewhere(
      id,
      places.map(({ url }) => url),
    );
  }

  #act(worker: WorkerId, action: 'drain' | 'undrain'): void {
    // It has left, or the store takes nothing now: the next pulse looks again.
    this.#core.actOnWorker(worker, action).catch(() => this.#moving.delete(worker));
  }
}
