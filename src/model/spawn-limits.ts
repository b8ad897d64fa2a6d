/** The bounds of what tasks may add to their own job, each with its unit and its reason, as in limits.ts. */

const KiB = 1024;

/** Inputs that one task may give its job: a block of them. Who has more gives them to tasks that spread them further. */
export const SPAWN_TASKS = 4_096;

/** Bytes of these inputs: beside CHUNK_BYTES of outcomes and the largest inline value, they still fit into a batch. */
export const SPAWN_BYTES = 128 * KiB;
