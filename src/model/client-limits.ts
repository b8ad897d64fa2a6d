/** The bounds of what a program does with its jobs on a farm, each with its unit and its reason, as in limits.ts. */

import { BLOCK_TASKS } from './limits.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Milliseconds that an input which the program has yielded may wait for others to share its message. */
export const INPUT_FLUSH_TIME = 4;

/**
 * Tasks, and bytes of their inputs, that an iterable is pulled ahead of whoever reads the results in the same program:
 * far more than hides any round trip, and little enough for a disk if it never ends.
 */
export const INPUTS_AHEAD = 16 * BLOCK_TASKS;
export const INPUTS_AHEAD_BYTES = 64 * MiB;

/** Functions whose code a client remembers between single runs; a program that makes up ever new ones forgets the oldest. */
export const RUN_FUNCTIONS = 256;

/** Bytes of inputs after which a client starts another block: what follows may be text of three bytes a letter. */
export const INPUT_BLOCK_BYTES = 512 * KiB;

/** Bytes of blobs among the inputs of one block: tasks start when their block is whole, so that few wait for the others. */
export const INPUT_BLOCK_BLOB_BYTES = 4 * MiB;

/** HTTP connections of a client for blobs: enough to hide disk and hashing behind each other. */
export const CLIENT_HTTP_CONNECTIONS = 4;

/** Bytes that a client or worker takes from a connection for blobs at once: a quarter of the calls that Node's 64 KiB need. */
export const SOCKET_READ_BYTES = 256 * KiB;

/** Bytes of blobs that a client has in flight in one direction, unless one alone is larger. */
export const BLOB_WINDOW_BYTES = 16 * MiB;

/** Bytes above which a blob is hashed piece by piece with pauses, and asked for before it is sent again. */
export const BIG_BLOB_BYTES = 8 * MiB;

/** Milliseconds without a `run` after which the job that they share is closed. */
export const RUN_JOB_IDLE = 10_000;

/** Milliseconds that a program which closes its farm waits for a server that is gone: a restart takes one or two seconds. */
export const CLOSE_PATIENCE = 5_000;

/**
 * Jobs of one program, the last ones, of which the end of the inputs is said again after the farm's data went back in time: those of the
 * seconds that a standby may lack, also if they have ended since.
 */
export const CLOSED_JOBS = 1_000;
