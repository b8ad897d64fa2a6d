/**
 * The one key of the object that marks a value which plain JSON can't hold. It is written unescaped, so that a reader
 * can rule out tags in a whole column with one search for these three characters.
 */
export const TAG = '$mh';

/** Whether a parsed top-level value is the tag object: `$mh` is its only key. */
export function isTagged(value: unknown): value is { [TAG]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, TAG)) return false;
  for (const key in value) if (key !== TAG) return false;
  return true;
}
