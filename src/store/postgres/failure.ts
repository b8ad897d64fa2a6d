import { StoreError } from '../store.ts';

/** What an error means: it may go away by itself, the connection is gone with it or not, or it is told as it is. */
export type Failure =
  | { readonly kind: 'lost'; readonly error: StoreError }
  | { readonly kind: 'again'; readonly error: StoreError }
  | { readonly kind: 'final'; readonly error: StoreError };

/** SQLSTATEs and classes of them (their first two characters), see appendix A of PostgreSQL's manual. */
const LOST = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04', '53300', '25006', '08']);
// 23505: another server wrote a row of the same name at the same moment; the next look finds it.
const AGAIN = new Set(['40001', '40P01', '55P03', '57014', '53200', '23505']);
const FULL = new Set(['53100', '54P01']);
const DAMAGED = new Set(['XX001', 'XX002']);

interface DatabaseError {
  readonly code?: string;
  readonly message?: string;
  readonly severity?: string;
}

/** Which of them, by what the database or the network says. */
export function failureOf(error: unknown): Failure {
  if (error instanceof StoreError) return { kind: 'final', error };
  const { code = '', message = String(error), severity } = error as DatabaseError;
  const told = (as: StoreError['code'], sentence: string): StoreError =>
    new StoreError(as, `${sentence}: ${message}${code === '' ? '' : ` (${code})`}`, { cause: error });
  // Errors of the network have a name of the system, or none; those of PostgreSQL five characters.
  const state = severity === undefined ? undefined : code;
  if (error instanceof SyntaxError)
    return { kind: 'final', error: told('damaged', 'a record is not what was written') };
  if (state === undefined || LOST.has(state) || LOST.has(state.slice(0, 2))) {
    return { kind: 'lost', error: told('busy', 'PostgreSQL does not answer') };
  }
  if (AGAIN.has(state)) return { kind: 'again', error: told('busy', 'PostgreSQL is busy') };
  if (FULL.has(state)) return { kind: 'final', error: told('full', 'no room for the database') };
  if (DAMAGED.has(state)) return { kind: 'final', error: told('damaged', 'the database is damaged') };
  return { kind: 'final', error: told('broken', 'PostgreSQL refused a statement') };
}
