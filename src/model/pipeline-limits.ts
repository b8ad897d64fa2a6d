/** The bounds of jobs that come after others, each with its unit and its reason, as in limits.ts. */

/** Jobs that one job may come after: each of them is looked at when it is submitted. */
export const AFTER_JOBS = 1_000;

/** Milliseconds until results go on on their way to the next job after the store took nothing. */
export const PIPELINE_RETRY = 1_000;
