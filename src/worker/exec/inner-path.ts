/**
 * A path below a directory in its plain form, such as `a/b.txt` for `./a//b.txt`; undefined: it leads out of the directory
 * or is none.
 */
export function innerPath(path: string): string | undefined {
  if (path.startsWith('/') || path.includes('\0') || /^[A-Za-z]:/.test(path) || path.includes('\\')) return undefined;
  const steps: string[] = [];
  for (const step of path.split('/')) {
    if (step === '' || step === '.') continue;
    if (step === '..') return undefined;
    steps.push(step);
  }
  return steps.length === 0 ? undefined : steps.join('/');
}
