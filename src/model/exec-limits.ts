const KiB = 1024;

/**
 * Milliseconds of commands that are granted, run and reported together, in place of BATCH_TIME and CHUNK_TIME: there are
 * few in so much time, and the messages, rows and acks of a batch cost the server as much CPU time as one or two commands.
 */
export const COMMANDS_TIME = 50;

/** Milliseconds that a command has to heed SIGTERM at its time limit, before all that it started is killed. */
export const COMMAND_GRACE = 2_000;

/** Bytes of a command line: Linux starts no program with a longer argument, and `sh -c` takes it as one. */
export const COMMAND_BYTES = 128 * KiB - 1;

/** Bytes of what a command prints, on each of its two streams, that travel in its outcome; what is longer is a blob. */
export const COMMAND_OUTPUT_BYTES = 32 * KiB;

/** Bytes that the disk must have left before a command begins there: what it may print into its outcome, twice. */
export const COMMAND_ROOM_BYTES = 2 * COMMAND_OUTPUT_BYTES;

/** Bytes of text at the end of what a failed command printed on stderr that are searched for its last line. */
export const COMMAND_LAST_WORDS_BYTES = 1 * KiB;

/** Milliseconds between two looks at the memory of commands: each reads the whole table of processes, about two milliseconds. */
export const COMMAND_WATCH_INTERVAL = 100;

/**
 * After a command that took so many milliseconds it is looked for processes that it left behind, and after shorter ones
 * once in so many: a look costs about two milliseconds.
 */
export const LEFTOVER_LOOK_AFTER = 40;
export const LEFTOVER_LOOK_EVERY = 250;

/** Files that one command may bring back by `--collect`: their names travel in its outcome. */
export const COLLECTED_FILES = 1_000;

/** Bytes of the blocks that `exec --pipe` cuts standard input into. */
export const PIPE_BLOCK_BYTES = 1024 * KiB;
