import { builtinModules } from 'node:module';
import { join } from 'node:path';
import type { BuildOptions, Message, Plugin } from 'esbuild';
import { defaultExportOf } from './default-export.ts';
import { locate } from './locate.ts';
import { needsNode } from './node-parts.ts';
import { TaskCodeError } from './task-code-error.ts';
import type { TextModule } from './task-module.ts';

/**
 * Turns a user's module, in TypeScript or JavaScript, and all it imports into one module that runs anywhere. The same
 * sources give the same bytes on every machine: the only paths in it are relative to the base below. `installed`: packages that
 * are where it runs, and not a part of it.
 * Throws a TaskCodeError that names file, line and column.
 */
export async function bundleModule(
  module: URL | string,
  cwd: string = process.cwd(),
  installed: readonly string[] = [],
): Promise<TextModule> {
  const { path, base, sourceName } = locate(module, cwd);
  // Loaded on demand: most commands, and every inline function, do without it.
  const { build } = await import('esbuild');
  const result = await build(buildOptions(path, base, installed)).catch((error: { errors?: Message[] }) => {
    throw new TaskCodeError(explain(sourceName, error));
  });
  const code = result.outputFiles?.[0]?.text ?? '';
  const output = Object.values(result.metafile?.outputs ?? {})[0];
  const found = output?.exports.includes('default') ? await defaultExportOf(code) : 'missing';
  if (found === 'missing') {
    const others = output?.exports.filter((name) => name !== 'default') ?? [];
    throw new TaskCodeError(missingDefault(sourceName, others));
  }
  if (found !== 'unknown') {
    throw new TaskCodeError(`the default export of the task module ${sourceName} is ${found.is}, not a function`);
  }
  return { code, sourceName, runner: needsNode(code) ? 'node' : 'js' };
}

function buildOptions(path: string, base: string, installed: readonly string[]): BuildOptions {
  return {
    entryPoints: [path],
    absWorkingDir: base,
    // Never written; sources in the map are relative to its folder.
    outfile: join(base, 'task.mjs'),
    write: false,
    bundle: true,
    metafile: true,
    logLevel: 'silent',
    format: 'esm',
    // A task may run in Node or in a browser, so neither's shims are wanted, but packages of either are.
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2023',
    charset: 'utf8',
    legalComments: 'none',
    sourcemap: 'inline',
    // Stack traces need places, not texts; without them the code is half as long.
    sourcesContent: false,
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [keptImports(installed)],
  };
}

/**
 * Node's own modules, and packages that are installed where the task runs, stay imports. A package in CommonJS asks for them by `require`, which an ES module does not have, so
 * such a call gets two small modules between: one that imports, and one in CommonJS that hands on what it got.
 */
const keptImports = (installed: readonly string[]): Plugin => ({
  name: 'kept-imports',
  setup(build) {
    const names = builtinModules.filter((name) => !name.startsWith('_')).map((name) => name.replace(/^node:/, ''));
    const packages = installed.map((name) => `${RegExp.escape(name)}(/.*)?`);
    const filter = new RegExp(`^(node:.+|${[...names.map((name) => RegExp.escape(name)), ...packages].join('|')})$`);
    const isInstalled = (path: string): boolean => installed.includes(packageOf(path));
    build.onResolve({ filter }, async ({ path, kind, pluginData, importer, resolveDir, namespace }) => {
      if (pluginData === 'resolving') return undefined;
      if (namespace === 'required') return { path, namespace: 'imported' };
      const bare = !path.startsWith('node:') && !isInstalled(path);
      if (bare) {
        // A package of the user's may bear the name of a built-in (`events`, `buffer`), and works in browsers.
        const own = await build.resolve(path, { kind, importer, resolveDir, pluginData: 'resolving' });
        if (own.errors.length === 0) return own;
      }
      const full = bare ? `node:${path}` : path;
      if (kind === 'require-call') return { path: full, namespace: 'required' };
      return { path: full, external: true };
    });
    build.onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)}).builtIn;`,
    }));
    build.onLoad({ filter: /.*/, namespace: 'imported' }, ({ path }) => ({
      contents: `export { default as builtIn } from ${JSON.stringify(path)};`,
    }));
  },
});

function explain(sourceName: string, failure: { errors?: Message[]; message?: string }): string {
  const [first, ...others] = failure.errors ?? [];
  if (first === undefined) return `the task module ${sourceName} could not be bundled: ${failure.message}`;
  const { location } = first;
  const place = location === null ? '' : `${location.file}:${location.line}:${location.column + 1}: `;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  const missing = /^Could not resolve "(.*)"/.exec(first.text)?.[1];
  if (missing === undefined) {
    return `the task module ${sourceName} does not compile: ${place}${first.text}${more}`;
  }
  const advice = /^[./]/.test(missing)
    ? 'correct its path'
    : `is it installed? (npm install ${packageOf(missing)}; if it has native parts: --install ${packageOf(missing)})`;
  return `the task module ${sourceName} imports what can't be found: ${place}"${missing}"${more}; ${advice}`;
}

function missingDefault(sourceName: string, exports: readonly string[]): string {
  const [name] = exports;
  const advice =
    name === undefined
      ? 'add: export default async (input) => { … }'
      : `it exports ${exports.slice(0, 5).join(', ')}; add: export default ${exports.length === 1 ? name : 'the task function'}`;
  return `the task module ${sourceName} has no default export, which is the function that is called for each input; ${advice}`;
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}
