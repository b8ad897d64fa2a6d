import { UsageError } from '../errors.ts';

/** When a job ends before its last command: once so many have failed, have succeeded or have ended. */
export interface Halt {
  /** `soon`: what runs ends by itself; `now`: it is ended too. */
  readonly when: 'never' | 'soon' | 'now';
  readonly what: 'fail' | 'success' | 'done';
  readonly count: number;
}

/** Short forms, as GNU Parallel has them. */
const SHORT: Readonly<Record<string, string>> = {
  0: 'never',
  1: 'soon,fail=1',
  2: 'now,fail=1',
  '-1': 'soon,success=1',
  '-2': 'now,success=1',
};

export function parseHalt(text: string): Halt {
  const long = SHORT[text] ?? text;
  if (long === 'never') return { when: 'never', what: 'done', count: 0 };
  const [, when, what, count] = /^(now|soon),(fail|success|done)=([1-9]\d*)$/.exec(long) ?? [];
  if (when === undefined)
    throw new UsageError(
      `--halt takes never, or now or soon with fail=N, success=N or done=N, such as now,fail=1; not "${text}"`,
    );
  return { when: when as Halt['when'], what: what as Halt['what'], count: Number(count) };
}

/** Whether the server ends the job by itself: it counts failures. */
export function isServersTask(halt: Halt | undefined): boolean {
  return halt === undefined || halt.when === 'never' || (halt.when === 'now' && halt.what === 'fail');
}
