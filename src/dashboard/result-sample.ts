import { revive } from '../client/json-form.ts';
import { pictureType } from '../model/picture-type.ts';
import {
  PAGE_LARGE_TRIES,
  PAGE_LARGE_VALUE_BYTES,
  PAGE_PICTURES,
  PAGE_RESULT_BYTES_MOST,
  PAGE_SERIES,
  PAGE_TILE_BYTES_MOST,
} from '../model/result-limits.ts';
import type { Outcome } from './outcomes.ts';
import { Series } from './series.ts';
import { type Tile, tileIn } from './tile.ts';

/** Outcomes that are shown as text. */
const FIRST = 8;

export interface SamplePicture {
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** A value that is not in the line of its outcome. */
export interface LargeValue {
  readonly index: number;
  readonly type: 'json' | 'bytes';
  readonly size: number;
}

/**
 * What a page keeps of the results of a job, in the order in which they came: the first few, a plot of their numbers, a few
 * pictures, tiles on their way to a canvas. However many results there are, it stays small.
 */
export class ResultSample {
  readonly first: Outcome[] = [];
  /** By the name of the field; empty: the value itself. */
  readonly series = new Map<string, Series>();
  /** Taken by who draws them. */
  tiles: Tile[] = [];
  pictures: SamplePicture[] = [];
  /** The size of the picture that the tiles are of. */
  picture: Tile['picture'] | undefined;
  tileCount = 0;
  pictureCount = 0;
  /** Large values that were not looked at. */
  unseen = 0;
  /** Results that were looked at: what a task returned, unless it is undefined. */
  looked = 0;
  /** That is all there is so far. */
  isWhole = false;
  /** What they took to be read, in bytes. */
  read = 0;
  #largeInVain = 0;

  /** As much was read as is worth it. */
  get isFull(): boolean {
    return this.read >= (this.tileCount > 0 ? PAGE_TILE_BYTES_MOST : PAGE_RESULT_BYTES_MOST);
  }

  /** Whether it is worth to fetch a value that is not in its line. */
  wants({ type, size }: LargeValue): boolean {
    if (size > PAGE_LARGE_VALUE_BYTES || this.#largeInVain >= PAGE_LARGE_TRIES) return false;
    return type === 'bytes' ? this.pictureCount < PAGE_PICTURES : true;
  }

  add(outcome: Outcome): void {
    if (outcome.status !== 'done') return;
    if (outcome.value === undefined) return;
    const value = valueIn(outcome.value);
    const tile = tileIn(value);
    if (tile !== undefined) this.#addTile(tile);
    else if (value instanceof Uint8Array && pictureType(value) !== undefined) this.#addPicture(outcome.index, value);
    else this.#addNumbers(outcome.index, value);
    if (this.first.length < FIRST) this.first.push(outcome);
  }

  /** A large value that was fetched: bytes as they are, JSON as an outcome has it. */
  addLarge(index: number, value: Uint8Array | { readonly json: unknown }): void {
    const before = this.tileCount + this.pictureCount;
    if (!(value instanceof Uint8Array)) {
      const tile = tileIn(valueIn(value.json));
      if (tile !== undefined) this.#addTile(tile);
    } else if (pictureType(value) !== undefined) this.#addPicture(index, value);
    if (this.tileCount + this.pictureCount > before) this.#largeInVain = 0;
    else {
      this.#largeInVain++;
      this.unseen++;
    }
  }

  #addTile(tile: Tile): void {
    this.picture ??= tile.picture;
    if (tile.picture.width !== this.picture.width || tile.picture.height !== this.picture.height) return;
    this.tiles.push(tile);
    this.tileCount++;
  }

  #addPicture(index: number, bytes: Uint8Array): void {
    this.pictureCount++;
    if (this.pictureCount <= PAGE_PICTURES) this.pictures.push({ index, bytes });
  }

  #addNumbers(index: number, value: unknown): void {
    if (typeof value === 'number') {
      this.#addNumber('', index, value);
      return;
    }
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return;
    for (const [name, field] of Object.entries(value)) {
      if (typeof field === 'number') this.#addNumber(name, index, field);
    }
  }

  #addNumber(name: string, index: number, value: number): void {
    if (!Number.isFinite(value)) return;
    let series = this.series.get(name);
    if (series === undefined) {
      if (this.series.size >= PAGE_SERIES) return;
      this.series.set(name, (series = new Series()));
    }
    series.add(index, value);
  }
}

/** Undefined also for what is no value at all: the page shows what it can. */
function valueIn(json: unknown): unknown {
  try {
    return revive(json);
  } catch {
    return undefined;
  }
}
