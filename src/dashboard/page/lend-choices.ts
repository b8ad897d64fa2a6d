import type { PauseWhen } from '../../worker/browser/page-life.ts';

/** How an owner lends a device. */
export interface LendChoices {
  /** Tasks at once. */
  readonly slots: number;
  readonly pauseWhen: PauseWhen;
}

const KEPT = 'manyhands.lend';

/** What was chosen in this browser before, as far as it fits; else all `most` slots, and no pauses. */
export function keptChoices(most: number): LendChoices {
  const { slots, pauseWhen } = kept();
  const when: Readonly<Record<string, unknown>> = Object(pauseWhen);
  return {
    slots: Number.isInteger(slots) ? Math.min(most, Math.max(1, slots as number)) : most,
    pauseWhen: {
      hidden: when['hidden'] === true,
      lowBattery: when['lowBattery'] === true,
      metered: when['metered'] === true,
    },
  };
}

/** For the next time that somebody opens a join link here. All slots are not a number: the next browser may see more. */
export function keepChoices({ slots, pauseWhen }: LendChoices, most: number): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...(slots === most ? {} : { slots }), pauseWhen }));
  } catch {
    // Storage is forbidden here, or full: then it has to be chosen again.
  }
}

function kept(): { slots?: unknown; pauseWhen?: unknown } {
  try {
    return Object(JSON.parse(localStorage.getItem(KEPT) ?? '{}'));
  } catch {
    // As above; or it is not what we wrote.
    return {};
  }
}
