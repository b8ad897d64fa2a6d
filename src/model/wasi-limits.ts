/** The bounds of WebAssembly programs, which keep all they read and write in memory. */

const MiB = 1024 * 1024;

/** Bytes that a program may print, to each of its two streams: a text of this size is half of what a string can hold. */
export const WASI_OUTPUT_BYTES = 256 * MiB;

/** Bytes of the files of one program, those that it was given among them; then its disk is full. */
export const WASI_FILES_BYTES = 1024 * MiB;

/**
 * Bytes of a process beside the memory of the program that runs in it: Node, the compiled code, and what the program
 * reads and writes, as far as the job's memory is a limit for that too.
 */
export const WASI_PROCESS_BYTES = 192 * MiB;

/** Bytes of a process beside what a task in Python takes: Node, the interpreter with its library, and all that is compiled of them. */
export const PYODIDE_PROCESS_BYTES = 384 * MiB;

/** Bytes of memories of programs that have ended, in jobs with a memory limit, after which they are collected: they count as the next one's. */
export const WASI_GARBAGE_BYTES = 16 * MiB;

/** Nanoseconds by which the clock of a deterministic program goes on each time it is read: a loop that waits for it ends. */
export const WASI_CLOCK_STEP = 1_000_000n;
