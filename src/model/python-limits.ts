/** The bounds of Python: of environments that workers make for files which name requirements, and of the start of Pyodide. */

/** Milliseconds that installing them may take: wheels of a gigabyte over a slow line, and some that are compiled. */
export const INSTALL_TIME = 30 * 60_000;

/** Milliseconds in which an installation that failed is not tried again: what else its job has here fails by the same words, not by the same wait. */
export const INSTALL_AGAIN = 30_000;

/** Lines of what pip says that the log of the first job gets: its progress, and not its despair. */
export const INSTALL_LOG_LINES = 200;

/** Milliseconds in which a server makes the snapshot of Pyodide: a usual computer takes three seconds, a small one ten times as long. */
export const SNAPSHOT_TIME = 120_000;

/** Milliseconds that a worker waits for a snapshot that is being made: on a busy machine it would need that long without. */
export const SNAPSHOT_PATIENCE = 20_000;

/**
 * Milliseconds that a slot which loads an interpreter has for it when its task is revoked: what is nearly loaded is of use to the
 * next task, and a loading that never ends is not. A slow phone takes half of it.
 */
export const LOAD_GRACE = 60_000;

/** Milliseconds after its start at which a server that is to stay makes the snapshot, if nobody has asked for it: not beside its start. */
export const SNAPSHOT_DELAY = 10_000;
