import { ERROR_CAUSES } from '../model/limits.ts';

/** How an error is called, for people. */
export function titleOf({ name, message }: { name: string; message: string }): string {
  return message === '' ? name : `${name}: ${message}`;
}

/** What an error names as its cause, that one's cause, and so on. A worker that lies may have put anything there. */
export function causesOf(failure: { readonly cause?: unknown }): string[] {
  const causes: string[] = [];
  let { cause } = failure;
  while (typeof cause === 'object' && cause !== null && causes.length < ERROR_CAUSES) {
    const { name, message, cause: below } = cause as { name?: unknown; message?: unknown; cause?: unknown };
    if (typeof name !== 'string' || typeof message !== 'string') break;
    causes.push(titleOf({ name, message }));
    cause = below;
  }
  return causes;
}
