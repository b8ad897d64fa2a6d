import { FarmError } from './farm-error.ts';

/**
 * Where a reader of results stands: in completion order after a segment and so many records of the next one, in index
 * order before an index. A text that people store and give back, without a look inside.
 */
export interface Cursor {
  readonly order: 'completion' | 'index';
  readonly after: number;
  /** Records of the segment after `after` that were read already; completion order only. */
  readonly skip: number;
  /** Undefined values were left out, so that they do not count in `skip`. */
  readonly defined: boolean;
}

export function cursorText({ order, after, skip, defined }: Cursor): string {
  return `${order === 'index' ? 'i' : 'c'}${after}${skip > 0 ? `.${skip}` : ''}${defined ? 'd' : ''}`;
}

/** Throws a FarmError if it is no cursor, or one of another kind of stream. */
export function parseCursor(text: string, order: Cursor['order'], defined: boolean): Cursor {
  const [, kind, after, skip = '0', mark] = /^([ci])(\d{1,16})(?:\.(\d{1,16}))?(d?)$/.exec(text) ?? [];
  if (kind === undefined || after === undefined) {
    throw new FarmError('invalid', `${JSON.stringify(text)} is not a cursor of results; give the "cursor" of a stream`);
  }
  const cursor: Cursor = {
    order: kind === 'i' ? 'index' : 'completion',
    after: Number(after),
    skip: Number(skip),
    defined: mark === 'd',
  };
  if (cursor.order !== order) {
    throw new FarmError(
      'invalid',
      `the cursor ${text} is of ${cursor.order === 'index' ? 'an ordered' : 'an unordered'} stream; ask for results({ ordered: ${cursor.order === 'index'} })`,
    );
  }
  if (cursor.skip > 0 && cursor.defined !== defined) {
    throw new FarmError(
      'invalid',
      `the cursor ${text} is of a stream with defined: ${cursor.defined}; ask for the same`,
    );
  }
  return cursor;
}
