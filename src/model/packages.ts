import { PACKAGES } from './package-limits.ts';

/** What has to be installed for a module that runs by `npm`. */
export interface PackageList {
  /** As it was named, such as `sharp@0.33.5`. */
  readonly install: readonly string[];
  /** Which version of which package that comes to, all the way down: the text of a `package-lock.json`. Absent: each worker finds out. */
  readonly lock?: string;
}

/** The list is a line of the module itself, its last one: so it is a part of what the module is named by. */
const MARK = '//# manyhands-packages=';

/** A name in a registry, as npm has them, and the version, range or tag after it. */
const SPEC = /^((?:@[a-z0-9-~][a-z0-9-._~]*\/)?[a-z0-9-~][a-z0-9-._~]*)(?:@([^\s@/:\\]+))?$/i;

/** Why npm is not asked for these; undefined: it may be. Only what a registry has is the same for every worker. */
export function whyNotInstall(specs: readonly string[]): string | undefined {
  if (specs.length > PACKAGES) return `a job names at most ${PACKAGES} packages, not ${specs.length}`;
  for (const spec of specs) {
    const named = SPEC.exec(spec);
    // Such names are files to npm.
    if (named === null || /^[-.]/.test(spec) || /\.(tgz|tar|tar\.gz)$/i.test(spec)) {
      const shown = JSON.stringify(spec.slice(0, 100));
      return `${shown} is not the name of a package of npm: give NAME or NAME@VERSION, such as sharp@0.33.5 (no folder, file or address)`;
    }
  }
  const names = specs.map(packageNamed);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  return twice === undefined ? undefined : `${twice} is named twice`;
}

/** The package that a list's entry names. */
export function packageNamed(spec: string): string {
  return SPEC.exec(spec)?.[1] ?? spec;
}

/** A module and what has to be installed for it. */
export function withPackages(code: string, { install, lock }: PackageList): string {
  const list = JSON.stringify({ install, ...(lock !== undefined && { lock }) });
  // These two end a line in a program, and not in JSON.
  const line = list.replace(/\u2028/g, '\\u2028').replace(/\u2029/g, '\\u2029');
  return `${code.replace(/\n?$/, '\n')}${MARK}${line}\n`;
}

/** What a module says has to be installed for it. Throws one sentence where it does not say so in its form. */
export function packagesOf(code: string): PackageList {
  const at = code.lastIndexOf(`\n${MARK}`);
  if (at < 0) throw new Error('it does not say which packages it needs');
  const line = code.slice(at + 1 + MARK.length).split('\n', 1)[0] as string;
  let list: Partial<PackageList>;
  try {
    list = JSON.parse(line) as Partial<PackageList>;
  } catch {
    throw new Error('the list of its packages is no JSON');
  }
  const { install, lock } = list ?? {};
  const isList = Array.isArray(install) && install.every((each) => typeof each === 'string');
  if (!isList || (lock !== undefined && typeof lock !== 'string'))
    throw new Error('the list of its packages is no list');
  const why = whyNotInstall(install);
  if (why !== undefined) throw new Error(why);
  return { install, ...(lock !== undefined && { lock }) };
}

/** The words of npm, which was told to say why in JSON, for people: what it says of an address is said of the name. */
export function whyNpmFailed(printed: string): string {
  try {
    const from = printed.indexOf('{');
    const { error } = JSON.parse(printed.slice(from)) as { error: { code?: string; summary: string; detail?: string } };
    const { code, summary, detail = '' } = error;
    const missing = /^The requested resource '(.*?)'/.exec(detail)?.[1];
    if (code === 'E404' && missing !== undefined) return `there is no package ${missing}`;
    // What a script that ran for a package said: pages, of which the first mistake is the one.
    const lines = detail.split('\n').map((line) => line.trim());
    const mistake = lines.find((line) => /(^|[\s:])(fatal )?error:/i.test(line));
    return code === 'ETARGET' || mistake === undefined ? summary.trim() : `${summary.trim()}: ${mistake}`;
  } catch {
    return 'npm has failed, and did not say why';
  }
}
