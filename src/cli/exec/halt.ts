import { UsageError } from '../errors.ts';

/** When a job ends before its last command. `now`: what runs is ended too. */
export interface Halt {
  readonly when: 'never' | 'soon' | 'now';
  /** Failed commands that are too many. */
  readonly failures: number;
}

export function parseHalt(text: string): Halt {
  if (text === 'never') return { when: 'never', failures: 0 };
  const [, when, failures] = /^(now|soon),fail=([1-9]\d*)$/.exec(text) ?? [];
  if (when === undefined) throw new UsageError(`--halt takes never, now,fail=N or soon,fail=N, not "${text}"`);
  return { when: when as 'now' | 'soon', failures: Number(failures) };
}
