import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, as the failure shall name it: `the worker to join`. */
  what?: string;
  /** Milliseconds until the wait is given up. */
  timeout?: number;
  /** Milliseconds between two looks. */
  interval?: number;
}

/** Looks until `condition` gives something truthy, and returns that. Rejects, naming `what`, when time is up. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { what = 'the condition', timeout = 10_000, interval = 10 }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() >= deadline) throw new Error(`waited ${timeout} ms in vain for ${what}`);
    await sleep(interval);
  }
}

/** Rejects, naming `what`, if `promise` has not settled in time; the timer does not keep the process alive. */
export async function within<T>(promise: Promise<T>, timeout: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what} took longer than ${timeout} ms`)), timeout);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
