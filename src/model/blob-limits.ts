/** Bounds of the files that workers keep, each with its unit and reason. */

const MiB = 1024 * 1024;

/**
 * Bytes of fetched blobs that a worker keeps for tasks that want the same one again, unless its owner says otherwise: as
 * many, and not more than this part of what is free on the disk, which may be memory.
 */
export const BLOB_CACHE_BYTES = 4 * 1024 * MiB;
export const BLOB_CACHE_SHARE = 1 / 4;

/** Bytes of a blob from which on it matters where it is: to move less takes less time than it takes to look. */
export const NEARBY_BLOB_BYTES = 8 * MiB;

/** Large blobs that a worker tells to have, those used last: what fits on a disk, in a message of 64 KiB. */
export const NEARBY_BLOBS = 900;

/** Places that are looked at to find a task whose blob a worker has: a few microseconds of a grant. */
export const NEARBY_LOOKED_AT = 256;

/** Blocks of one job of which it is remembered which tasks need which large blobs. */
export const NEARBY_BLOCKS = 256;

/** Workers of one machine that can keep blobs in the same directory: each has a folder of its own in it. */
export const BLOB_CACHE_FOLDERS = 64;

/** Milliseconds between two signs of life of the worker that owns a directory, and without one after which it counts as gone. */
export const OWNER_SIGN = 60_000;
export const OWNER_SILENCE = 10 * OWNER_SIGN;

/** Bytes of uploads after which a server collects the buffers that they came in: it is the memory that these take. */
export const PASSING_BYTES = 8 * 1_024 * 1_024;
