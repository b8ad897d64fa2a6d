/** The bounds of environments that workers make for files of Python which name requirements. */

/** Milliseconds that installing them may take: wheels of a gigabyte over a slow line, and some that are compiled. */
export const INSTALL_TIME = 30 * 60_000;

/** Lines of what pip says that the log of the first job gets: its progress, and not its despair. */
export const INSTALL_LOG_LINES = 200;
