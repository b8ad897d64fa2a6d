/** Bounds of what the far ends do where a farm has several servers, each with its unit and reason. */

/** Servers that a far end remembers, those it was given and those it was told of; a message tells at most so many. */
export const SERVERS = 32;

/** Characters of the address of one that it is told of: a name has at most 253. */
export const SERVER_ADDRESS = 300;

/**
 * Milliseconds of silence after which a far end with more than one server pings by itself. At work something is heard all
 * the time, so this costs one small frame every ten seconds where nothing else goes on.
 */
export const PROBE_AFTER = 5_000;

/** Milliseconds of silence after which it goes to another: neither that ping nor the server's own, due by then, brought anything. */
export const MOVE_SILENCE = 11_000;

/** Milliseconds that it waits for the welcome of one of several; from the second round on it is as patient as with a single one. */
export const FIRST_TRY_TIME = 5_000;
