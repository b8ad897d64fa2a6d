/** The bounds of jobs whose tasks may be run by more than one code, each with its unit and its reason, as in limits.ts. */

/** Codes of one job: each is tried on each worker that can run it, so that more of them would cost more than they gain. */
export const VARIANTS = 8;

/** Tasks with which a code is tried on a worker, at least: the first ones are slower than those after them. */
export const TRIAL_TASKS = 8;

/** Microseconds of tasks with which a code is tried, at least: clocks and other programs disturb shorter ones too much. */
export const TRIAL_MICROS = 20_000;

/** Microseconds after which a code is known even by its first task: nothing that it had to load took that long. */
export const TRIAL_LONG = 1_000_000;

/** Failures in a row after which a code that has never succeeded on a worker is not given to it any more. */
export const TRIAL_FAILURES = 3;

/** Tasks by which what is known of a code forgets: machines get slower, and inputs larger. */
export const TRIAL_MEMORY = 32;

/** Of the time of what a worker runs, what another code must need at most to replace it: less is chance. */
export const TRIAL_GAIN = 0.9;

/** Milliseconds until a code that was slower is tried again, at least. */
export const TRIAL_AGAIN = 30_000;

/** How many times longer than such a trial takes the worker does without it: trials take 2 % of its time at most. */
export const TRIAL_REST = 50;
