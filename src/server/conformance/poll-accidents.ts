import type { Door } from './door.ts';
import type { Seat } from './seat.ts';
import type { Verdicts } from './verdicts.ts';

/** Polls are cut in both directions: nothing may be lost or doubled by it (P26). `work`: gives these tasks, and says what came of them but once. */
export async function haveAccidents(
  door: Door,
  seat: Seat,
  verdicts: Verdicts,
  work: (indexes: readonly number[]) => Promise<string | undefined>,
): Promise<void> {
  if (!seat.wire.isPolled) {
    verdicts.skip('P26', 'counts the lines of its polls', 'it does not poll');
    return;
  }
  const judge = async (what: string, indexes: readonly number[]): Promise<void> => {
    const problem = (await work(indexes)) ?? door.gaps.shift();
    // Who has lost count is not to be examined further.
    verdicts.demand('P26', what, problem === undefined, problem);
  };
  door.accident = 'answer';
  await judge('loses nothing of an answer that is cut', [10, 11]);
  door.accident = 'poll';
  await judge('repeats a poll that has no answer', [12]);
  door.accident = undefined;
}
