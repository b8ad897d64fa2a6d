/** Bounds of blobs that lie in a bucket, each with its unit and reason. */

const MiB = 1024 * 1024;

/**
 * Bytes of a part of a large blob, two of which are in memory for each upload: S3 takes no smaller ones than 5 MiB, and 10,000 of
 * them. Those behind the first 5,000 (40 GiB) are larger, so that a blob may have 350 GiB.
 */
export const BUCKET_PART_BYTES = 8 * MiB;
export const BUCKET_LARGE_PART_BYTES = 64 * MiB;
export const BUCKET_SMALL_PARTS = 5_000;
export const BUCKET_PARTS = 10_000;

/** Milliseconds for which a request waits for a bucket that does not answer: as long as for the database. */
export const BUCKET_PATIENCE = 30_000;

/** The same at the start of a server: somebody waits for the sentence that says why not. */
export const BUCKET_START_PATIENCE = 4_000;

/** Milliseconds in which a connection to a bucket must be there, and after which one on which nothing moves is given up. */
export const BUCKET_CONNECT_TIME = 3_000;
export const BUCKET_SILENCE = 10_000;

/** Milliseconds until the first try after a failed one, and the most: doubled each time, since S3 asks for it when it says SlowDown. */
export const BUCKET_RETRY_MIN = 100;
export const BUCKET_RETRY_MAX = 3_000;

/** Connections of a server to its bucket: for some transfers at once, each of a few hundred Mbit/s, and what is asked beside them. */
export const BUCKET_CONNECTIONS = 64;

/** Milliseconds between two looks for uploads in the bucket that no server knows: rare, and each look is paid for. */
export const BUCKET_SWEEP_INTERVAL = 60 * 60_000;

/** Milliseconds after which a server says again that an upload is its own, while it gathers a part: several times in BLOB_UPLOAD_PATIENCE. */
export const BUCKET_STAY_INTERVAL = 10_000;
