/** The names of things. All are small and can stand in a URL, a log line and a JSON message. */

/** A job: a whole number from 1 up, given by the store in the order of submission. */
export type JobId = number;

/** A task's place in its job, from 0 up. (job, index) names the task. */
export type TaskIndex = number;

/**
 * A worker: 10 characters derived from a secret that the worker process made at its start, so that only the same
 * process can come back under the same name (see PROTOCOL.md, P3).
 */
export type WorkerId = string;

/** Raised on disk each time a server starts serving; every write and every lease carries it. */
export type Epoch = number;

/** A lease: (epoch, sequence) folded into one safe integer, so that it can be a map key and a JSON number. */
export type LeaseId = number;

const SEQUENCES = 2 ** 32;

/** `epoch` below 2^21, `sequence` below 2^32: two million restarts with four billion leases each. */
export function leaseId(epoch: Epoch, sequence: number): LeaseId {
  return epoch * SEQUENCES + sequence;
}

export function epochOf(lease: LeaseId): Epoch {
  return Math.floor(lease / SEQUENCES);
}

export function sequenceOf(lease: LeaseId): number {
  return lease % SEQUENCES;
}

/** Milliseconds. Of a monotonic clock inside the server; of the wall clock only where a field says `At`. */
export type Millis = number;
