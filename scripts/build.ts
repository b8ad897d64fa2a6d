// Compiles src/ to dist/: JavaScript and declarations side by side, what browsers load as one file each, everything else
// that is loaded by path copied.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Node, parse } from 'acorn';
import { bundleForBrowsers } from '../src/server/http/bundle.ts';
import { bundleLibraries } from './bundled-libraries.ts';

const root = path.join(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

/** KiB, compressed: a phone on a slow network loads it in a second or two. */
const LARGEST_PAGE = 90;

/** Of a worker in a browser: what anybody's page imports, and what the server puts into the frame where tasks run. */
const WORKER_PARTS = ['src/worker/browser/index.ts', 'src/worker/browser/entry/*.ts'];

/** Declarations hold nothing but declarations, so the form is enough to find what they import. */
const relativeImport = /((?:\bfrom|\bimport)\s*\(?\s*['"])(\.{1,2}\/[^'"]+)(['"])/g;

function compile(realm: string, ...more: string[]): void {
  const args = [
    tsc,
    '-p',
    `tsconfig.${realm}.json`,
    '--noEmit',
    'false',
    '--declaration',
    '--rootDir',
    'src',
    '--outDir',
    'dist',
    ...more,
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...args, '--pretty', 'false'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0 && !stdout.includes('TS18003')) fail(`the ${realm} realm does not compile:\n${stdout}${stderr}`);
}

function fail(message: string): never {
  console.error(`build: ${message}`);
  process.exit(1);
}

/** Scripts of pages: at the place where a server in the repository finds the source, one in the package finds the bundle. */
async function bundlePages(): Promise<void> {
  for (const entry of globSync(['src/dashboard/entry/*.ts', ...WORKER_PARTS], { cwd: root })) {
    const file = path.join(dist, path.relative('src', entry)).replace(/\.ts$/, '.js');
    const bundle = await bundleForBrowsers(pathToFileURL(path.join(root, entry)));
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, bundle);
    const kibibytes = gzipSync(bundle, { level: 9 }).length / 1024;
    console.log(`${path.relative(root, file)}: ${kibibytes.toFixed(1)} KiB compressed`);
    if (kibibytes > LARGEST_PAGE) fail(`a page's script has more than ${LARGEST_PAGE} KiB`);
  }
}

/** A path in a file: where it stands, without its quotes. */
interface Reference {
  readonly start: number;
  readonly end: number;
  readonly specifier: string;
}

/**
 * What a module imports, and what it loads by `new URL('./x', import.meta.url)`. Read from its syntax: an error message
 * may hold the same words as advice, and must keep them.
 */
function referencesOf(file: string, text: string): Reference[] {
  if (file.endsWith('.d.ts')) {
    return [...text.matchAll(relativeImport)].map(({ index, 1: before = '', 2: specifier = '' }) => {
      const start = index + before.length;
      return { start, end: start + specifier.length, specifier };
    });
  }
  const found: Reference[] = [];
  const visit = (node: AnyNode): void => {
    const path = pathIn(node);
    if (typeof path?.value === 'string' && (/^\.{1,2}\//.test(path.value) || libraries.has(path.value))) {
      found.push({ start: path.start + 1, end: path.end - 1, specifier: path.value });
    }
    for (const child of Object.values(node).flat()) if (typeof child?.type === 'string') visit(child as AnyNode);
  };
  visit(parse(text, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true }) as AnyNode);
  return found.sort((a, b) => a.start - b.start);
}

// biome-ignore lint/suspicious/noExplicitAny: a tree of unknown nodes is walked by their common form
type AnyNode = Node & Record<string, any>;

function pathIn(node: AnyNode): AnyNode | undefined {
  if (node.type !== 'NewExpression') return node['source'];
  return node['callee'].name === 'URL' && node['arguments'][1]?.object?.type === 'MetaProperty'
    ? node['arguments'][0]
    : undefined;
}

/**
 * The compiler leaves `.ts` in declarations, in files that are only copied, and in paths; published, those are `.js`.
 * Bundled libraries are imported from where they are; their types come from the library itself.
 */
function pointToJavaScript(file: string): void {
  const before = readFileSync(file, 'utf8');
  let after = '';
  let at = 0;
  for (const { start, end, specifier } of referencesOf(file, before)) {
    after += before.slice(at, start) + published(file, specifier);
    at = end;
  }
  after += before.slice(at);
  if (after !== before) writeFileSync(file, after);
}

function published(file: string, specifier: string): string {
  const library = libraries.get(specifier);
  if (library === undefined) return specifier.replace(/(?<!\.d)\.ts$/, '.js');
  const relative = path.relative(path.dirname(file), library).split(path.sep).join('/');
  return relative.startsWith('.') ? relative : `./${relative}`;
}

/** A path that leads nowhere would only be noticed by whoever installs the package. */
function missingTargets(file: string): string[] {
  return referencesOf(file, readFileSync(file, 'utf8'))
    .filter(({ specifier }) => {
      const target = path.resolve(path.dirname(file), specifier);
      // Of what is bundled only the declarations are there, which is enough for other declarations.
      return !existsSync(target) && !(file.endsWith('.d.ts') && existsSync(target.replace(/\.js$/, '.d.ts')));
    })
    .map(({ specifier }) => `${path.relative(root, file)} refers to ${specifier}`);
}

rmSync(dist, { recursive: true, force: true });
compile('node');
compile('browser', '--emitDeclarationOnly');
// The pages are one bundle: nobody imports their parts.
for (const part of ['page', 'views']) rmSync(path.join(dist, 'dashboard', part), { recursive: true });
for (const proof of globSync('**/*.type-test.d.ts', { cwd: dist })) rmSync(path.join(dist, proof));
await bundlePages();
const libraries = await bundleLibraries(root, dist);
for (const file of globSync('src/**/*', { cwd: root, withFileTypes: true })) {
  if (!file.isFile() || /\.(ts|md)$/.test(file.name)) continue;
  const source = path.join(file.parentPath, file.name);
  cpSync(source, path.join(dist, path.relative(path.join(root, 'src'), source)));
}
const files = globSync('**/*.{js,mjs,d.ts}', { cwd: dist }).map((file) => path.join(dist, file));
for (const file of files) pointToJavaScript(file);
const missing = files.flatMap(missingTargets);
if (missing.length > 0) fail(`files are missing in dist:\n${missing.join('\n')}`);
console.log(`dist: ${files.filter((file) => file.endsWith('.js')).length} modules`);
