import { type SourceFile, type Tree, target } from './tree.ts';

/**
 * Which folder of src may import which. `root` is the files directly in src, which compose client and embedded server,
 * and what they load from src/entry.
 * A folder that is not listed has no place in the house yet: ARCHITECTURE.md first, then here.
 */
export const ARROWS: Record<string, string[]> = {
  model: [],
  protocol: ['model'],
  scheduler: ['model'],
  store: ['model'],
  server: ['model', 'protocol', 'scheduler', 'store'],
  worker: ['model', 'protocol'],
  client: ['model', 'protocol'],
  dashboard: ['model', 'client', 'worker'],
  cli: ['model', 'client', 'worker', 'server', 'dashboard', 'root'],
  testing: ['model', 'protocol', 'scheduler', 'store', 'server', 'worker', 'client', 'dashboard', 'root'],
  root: ['model', 'protocol', 'store', 'server', 'worker', 'client'],
};

/** Walls inside a folder: what lies behind the first may not be imported from the second. */
const WALLS: [behind: string, from: string][] = [
  ['src/worker/node/', 'src/worker/browser/'],
  ['src/worker/browser/', 'src/worker/node/'],
  ['src/client/node/', 'src/client/browser/'],
  ['src/client/browser/', 'src/client/node/'],
  ['src/store/sqlite/', 'src/store/memory/'],
  ['src/store/memory/', 'src/store/sqlite/'],
  ['src/store/sqlite/', 'src/store/postgres/'],
  ['src/store/postgres/', 'src/store/sqlite/'],
];

const PURE = /^src\/(model|protocol|scheduler)\/|^src\/(worker|client)\/session\.ts$|^src\/dashboard\/[\w-]+\.ts$/;

/** The pure folders, the pure sessions, the fold of the dashboard, and whatever these import: a session may have neighbours, and they are as pure. */
function pureFiles(tree: Tree): SourceFile[] {
  const pure = new Set(tree.sources.filter((file) => PURE.test(file.path) && !file.isTest));
  for (const file of pure) {
    for (const { specifier } of file.imports) {
      const imported = tree.sources.find(({ path }) => path === target(tree, file, specifier));
      if (imported !== undefined) pure.add(imported);
    }
  }
  return [...pure];
}

function folderOf(path: string): string | undefined {
  const [first, second, ...rest] = path.split('/');
  if (first !== 'src' || second === undefined) return undefined;
  return rest.length === 0 || second === 'entry' ? 'root' : second;
}

/** Imports go one way between the folders of src; tests may import what they like. */
export function arrows(tree: Tree): string[] {
  return tree.sources.flatMap((file) => {
    const folder = folderOf(file.path);
    if (folder === undefined || file.isTest) return [];
    const allowed = ARROWS[folder];
    if (allowed === undefined) return [`${file.path}: src/${folder} is not one of the folders of ARCHITECTURE.md`];
    return file.imports.flatMap(({ specifier, line }) => {
      const imported = target(tree, file, specifier);
      if (imported === undefined) return [];
      const to = folderOf(imported);
      if (to === undefined) return [`${file.path}:${line}: src must not import ${imported}`];
      if (to === folder || allowed.includes(to)) return [];
      return [`${file.path}:${line}: ${folder} must not import ${to} (${specifier})`];
    });
  });
}

export function walls(tree: Tree): string[] {
  return tree.sources.flatMap((file) => {
    if (file.isTest) return [];
    return file.imports.flatMap(({ specifier, line }) => {
      const imported = target(tree, file, specifier);
      const wall = WALLS.find(([behind, from]) => file.path.startsWith(from) && imported?.startsWith(behind));
      return wall ? [`${file.path}:${line}: ${wall[1]} must not import ${imported}`] : [];
    });
  });
}

/** Clock, chance, timers, promises and the platform stay out: the simulator could not replay a run otherwise. */
export function purity(tree: Tree): string[] {
  return pureFiles(tree).flatMap(({ path, imports, impurities }) => [
    ...imports
      .filter(({ specifier }) => specifier.startsWith('node:'))
      .map(({ specifier, line }) => `${path}:${line}: a pure file must not use ${specifier}`),
    ...impurities.map(({ what, line }) => `${path}:${line}: a pure file must not use ${what}`),
  ]);
}

/** Examples show what users write, and users cannot reach into src. */
export function examplesUseThePackage(tree: Tree): string[] {
  return tree.sources.flatMap((file) => {
    if (!file.path.startsWith('examples/') || file.isTest) return [];
    return file.imports.flatMap(({ specifier, line }) => {
      const reachesIn = target(tree, file, specifier)?.startsWith('src/');
      return reachesIn ? [`${file.path}:${line}: import from 'manyhands' instead of ${specifier}`] : [];
    });
  });
}
