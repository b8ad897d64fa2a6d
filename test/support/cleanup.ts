/** What is needed of a `node:test` context (or of its `after`): something that runs a function when the test is over. */
export interface Cleanup {
  after(clean: () => void | Promise<void>): void;
}

const pending = new WeakMap<Cleanup, (() => unknown)[]>();

/**
 * Runs `clean` when the test is over, the latest first: a process must be dead before its directory is removed,
 * and `t.after` alone would run them in the order in which they were made.
 */
export function cleanUp(t: Cleanup, clean: () => unknown): void {
  const known = pending.get(t);
  if (known !== undefined) {
    known.push(clean);
    return;
  }
  const cleaners = [clean];
  pending.set(t, cleaners);
  t.after(async () => {
    const failures: unknown[] = [];
    while (cleaners.length > 0) {
      try {
        await cleaners.pop()?.();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, `cleaning up failed: ${failures.join('; ')}`);
  });
}
