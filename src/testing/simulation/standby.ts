import type { Millis } from '../../model/ids.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import type { Data } from './data.ts';
import type { Observer, Sight } from './observer.ts';
import type { World } from './world.ts';

/** A standby of the store that several servers share. It stops to follow, and later takes its place: what came in between is lost. */
export class Standby {
  readonly #data: Data;
  readonly #observer: Observer;
  readonly #world: World;
  #copy: MemoryDisk | undefined;
  #seen: Sight | undefined;

  constructor(data: Data, observer: Observer, world: World) {
    this.#data = data;
    this.#observer = observer;
    this.#world = world;
  }

  /** What is written from now on does not reach it. */
  fallBehind(): void {
    this.#copy = this.#data.disk.copy();
    this.#seen = this.#observer.sight();
  }

  /** False: another failover came before, which it did not follow. */
  takeOver(away: Millis): boolean {
    const { disk } = this.#data;
    if (this.#copy === undefined || this.#seen === undefined || this.#copy.timeline !== disk.timeline) return false;
    const lost = this.#observer.changes - this.#seen.changes;
    this.#world.note(() => `store   fails over, with ${lost} changes lost`);
    if (lost > 0) this.#world.sometimes('a failover lost what was written last');
    disk.failOver(this.#copy);
    this.#observer.failedOver(this.#seen, disk);
    this.#data.takeAway(this.#world.now + away);
    return true;
  }
}
