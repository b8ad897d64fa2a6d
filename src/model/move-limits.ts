/** Bounds of what the far ends do where a farm has several servers, each with its unit and reason. */

/** Servers that a far end remembers, those it was given and those it was told of; a message tells at most so many. */
export const SERVERS = 32;

/** Characters of the address of one that it is told of: a name has at most 253. */
export const SERVER_ADDRESS = 300;

/**
 * Of the time between two pings of the server, the silence after which a far end with more than one server pings by itself.
 * At work something is heard all the time, so this costs one small frame a ping where nothing else goes on.
 */
export const PROBE_SHARE = 1 / 2;

/**
 * Milliseconds by which the server's ping is late when a far end goes to another server: its own ping brought nothing by then,
 * either. A server that does not read a socket, since its disk is slow, still pings, and must not be left for that.
 */
export const MOVE_AIR = 1_000;

/** Milliseconds that it waits for the welcome of one of several; from the second round on it is as patient as with a single one. */
export const FIRST_TRY_TIME = 5_000;
