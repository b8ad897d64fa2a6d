/** The bounds of a page that follows a farm, each with its unit and its reason, as in limits.ts. */

const MiB = 1024 * 1024;

/** Milliseconds without a sound after which a page takes its event stream for dead: two beats and some air. */
export const EVENTS_SILENCE = 40_000;
/** Milliseconds of the longest wait of a page before it tries its server again: somebody is looking at it. */
export const PAGE_RECONNECT_CAP = 4_000;
/** Milliseconds that a tab without a token waits for another one's before it says what else can be done. */
export const TOKEN_ANSWER = 300;
/** Milliseconds after which a page that nobody sees lets go of its stream: a browser has six connections to a server. */
export const PAGE_HIDDEN = 5_000;
/** Milliseconds between two questions of a page for the same thing, however fast it changes. */
export const PAGE_REFRESH = 2_000;

/** Rows of a page's list before one has to ask for the rest, tasks of one page of them, lines of a log at a time. */
export const PAGE_LIST = 50;
export const PAGE_TASKS = 20;
export const PAGE_LOG_LINES = 200;
/** Characters of a value that a page shows; the whole of it can be downloaded. */
export const PAGE_VALUE_CHARACTERS = 20_000;
/**
 * Failures that a page reads: all of them up to this many; of more so many, at places that are spread over the job. They
 * tell the shares of the kinds to one in a hundred, in a second or two.
 */
export const PAGE_FAILURES = 10_000;
export const PAGE_FAILURE_PLACES = 64;
/** Bytes of failures that a page reads at a time, and at all places together: long stacks make it fewer. */
export const PAGE_FAILURE_BYTES = 4 * MiB;
export const PAGE_FAILURE_SAMPLE_BYTES = 16 * MiB;
/** Kinds of failures that are listed: nobody reads more. */
export const PAGE_FAILURE_GROUPS = 50;
/** Milliseconds that a token made for a new device is good for: longer than the setting up takes, shorter than it is remembered. */
export const DEVICE_TOKEN_TIME = 7 * 24 * 60 * 60_000;
