/** Bounds of what is told of a job's past, each with its unit and its reason; the others are in limits.ts. */

const MiB = 1024 * 1024;

/** Batches of one answer about a job's past: more than a screen has columns. */
export const TIMELINE_BATCHES = 4_000;

/** Batches for which the store is asked at once: two milliseconds, in which commits wait. */
export const TIMELINE_STEP = 200;

/** Bytes of values that are read, to be checked, for one answer about the past, and for one question to the store. */
export const TIMELINE_BYTES = 64 * MiB;
export const TIMELINE_STEP_BYTES = 4 * MiB;

/** Maps of tasks that are kept: of the jobs that somebody looks at. */
export const TASK_MAPS = 4;

/** Cells of a map in memory, of four bytes each: a task each, up to this many. */
export const TASK_MAP_CELLS = 2 ** 20;

/** Milliseconds of reading for one answer of a map: whoever sees it grow asks again. */
export const TASK_MAP_TIME = 300;
