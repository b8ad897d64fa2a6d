type Readers = typeof import('../entry/readers.ts');

/** Not a literal, or it would be bundled. */
const PLACE: string = '/assets/readers.js';

/** Reads code and tables. Loaded when it is first needed: it is larger than the rest of the page. */
export async function loadReaders(): Promise<Readers> {
  return (await import(PLACE)) as Readers;
}
