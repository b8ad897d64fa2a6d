/** The bounds of packages of npm that a job names, and of the directories in which workers have them. */

/** Packages that one job may name; what these need comes with them. */
export const PACKAGES = 64;

/** Milliseconds that npm may take to find out which versions belong together: it asks for every package of a large tree. */
export const LOCK_TIME = 5 * 60_000;

/** Milliseconds without use after which a directory of packages is removed from a worker's cache. */
export const PACKAGES_IDLE = 30 * 24 * 3_600_000;
