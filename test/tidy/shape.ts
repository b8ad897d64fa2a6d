import { type SourceFile, type Tree, target } from './tree.ts';

const isEntry = (path: string) => /\/entry\//.test(path);

/** Starts of the graph: run or imported by a name or a person, not by another file. */
function isStart(file: SourceFile): boolean {
  const { path } = file;
  if (/\.(test|type-test)\.ts$/.test(path) || isEntry(path) || path.endsWith('/index.ts')) return true;
  return /^(examples|bench|scripts|os)\//.test(path) || path === 'test/run.ts' || path === 'test/simulation/run.ts';
}

/** A file that nobody imports is dead; one that only tests import is a plan, not a part of the program. */
export function unused(tree: Tree): string[] {
  const importers = new Map<string, SourceFile[]>();
  for (const file of tree.sources) {
    for (const { specifier } of [...file.imports, ...file.paths]) {
      const imported = target(tree, file, specifier);
      if (imported !== undefined) importers.set(imported, [...(importers.get(imported) ?? []), file]);
    }
  }
  return tree.sources.flatMap((file) => {
    if (isStart(file)) return [];
    const users = importers.get(file.path) ?? [];
    if (users.length === 0) return [`${file.path}: nobody imports it`];
    if (!file.isTest && users.every((user) => user.isTest)) return [`${file.path}: only tests import it`];
    return [];
  });
}

/** What is loaded by path cannot be found by following imports, so it lies in a folder that says so. */
export function loadedByPath(tree: Tree): string[] {
  return tree.sources.flatMap((file) => {
    if (!file.path.startsWith('src/') || file.isTest) return [];
    const misplaced = file.paths.flatMap(({ specifier, line }) => {
      const loaded = target(tree, file, specifier) ?? '';
      if (!/\.(ts|mjs|js)$/.test(loaded) || isEntry(loaded)) return [];
      return [`${file.path}:${line}: ${loaded} is loaded by path; move it to an entry folder`];
    });
    const gone = file.paths.flatMap(({ specifier, line }) => {
      const loaded = target(tree, file, specifier) ?? '';
      const exists = tree.sources.some(({ path }) => path === loaded);
      return /\.ts$/.test(specifier) && !exists ? [`${file.path}:${line}: there is no ${loaded}`] : [];
    });
    const unportable = file.unportable.map(
      ({ what, line }) =>
        `${file.path}:${line}: ${what} is not rewritten by the build; use new URL('…', import.meta.url)`,
    );
    return [...misplaced, ...gone, ...unportable];
  });
}

const VAGUE = /^(utils?|helpers?|common|misc)$/;

/** Folders and files are named after what they hold; a drawer for everything gets everything. */
export function names(tree: Tree): string[] {
  return tree.sources.flatMap(({ path }) => {
    const parts = path.replace(/(\.test)?\.\w+$/, '').split('/');
    const vague = parts.find((part) => VAGUE.test(part));
    if (vague !== undefined) return [`${path}: '${vague}' says nothing about what is inside`];
    return parts.at(-1) === 'types' ? [`${path}: put a type beside what it describes`] : [];
  });
}

const DECISION = 'docs/decisions/0001-dependencies.md';

/** Where bundled libraries are used: whoever installs the package gets them inside of its own files. */
const BUNDLES = /^src\/(dashboard\/(page|views|entry)|worker\/tasks\/wasi)\//;

/** Each runtime dependency has its reason, and the program uses no other package. */
export function dependencies(tree: Tree): string[] {
  const manifest = JSON.parse(tree.texts.get('package.json') ?? '{}') as Record<string, Record<string, string>>;
  const installed = Object.entries(manifest.dependencies ?? {});
  const reasons = reasonsIn(tree, 'Runtime');
  const bundled = reasonsIn(tree, 'Bundled');
  const optional = reasonsIn(tree, 'Optional');
  const faults: string[] = [];
  for (const name of bundled.keys()) {
    if (!Object.hasOwn(manifest.devDependencies ?? {}, name))
      faults.push(`${DECISION}: ${name} is bundled, but is not a development dependency`);
  }
  for (const [name, version] of installed) {
    if (!reasons.get(name)) faults.push(`package.json: ${name} has no reason in ${DECISION}`);
    if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      faults.push(`package.json: ${name} needs an exact version, not ${version}`);
  }
  for (const name of reasons.keys()) {
    if (!installed.some(([known]) => known === name)) faults.push(`${DECISION}: ${name} is not a dependency`);
  }
  for (const file of tree.sources) {
    if (!file.path.startsWith('src/') || file.isTest) continue;
    for (const { specifier, line } of file.imports) {
      if (/^(\.|node:)/.test(specifier)) continue;
      const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
      if (BUNDLES.test(file.path) && bundled.get(name)) continue;
      // It may not be there: a type costs nothing, and the rest is awaited where it is needed.
      if (optional.get(name) && Object.hasOwn(manifest.peerDependencies ?? {}, name) && isLazy(file.text, line))
        continue;
      if (!installed.some(([known]) => known === name))
        faults.push(`${file.path}:${line}: ${name} is not a runtime dependency`);
    }
  }
  return faults;
}

function isLazy(text: string, line: number): boolean {
  return /import type |import\(/.test(text.split('\n')[line - 1] ?? '');
}

/** Libraries and reasons in the table of one section. */
function reasonsIn(tree: Tree, title: string): Map<string, string> {
  const sections = (tree.texts.get(DECISION) ?? '').split(/^## /m);
  const section = sections.find((each) => each.startsWith(title)) ?? '';
  return new Map(
    [...section.matchAll(/^\| `([^`]+)` \|\s*(.*?)\s*\|$/gm)].map(([, name = '', why = '']) => [name, why]),
  );
}
