// Compiles src/ to dist/: JavaScript and declarations side by side, everything else that is loaded by path copied.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

/** What 'new URL' of a file beside the module looks like; it is also how bundlers recognise it. */
const fileBeside = /(new URL\(\s*['"])(\.{1,2}\/[^'"]+)(['"],\s*import\.meta\.url)/g;
const relativeImport = /((?:\bfrom|\bimport)\s*\(?\s*['"])(\.{1,2}\/[^'"]+)(['"])/g;

function compile(realm: string): void {
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

function dotJs(specifier: string): string {
  return specifier.replace(/(?<!\.d)\.ts$/, '.js');
}

/** The compiler leaves `.ts` in declarations, in files that are only copied, and in paths; published, those are `.js`. */
function pointToJavaScript(file: string): void {
  const before = readFileSync(file, 'utf8');
  const rewrite = (_: string, start: string, specifier: string, end: string) => `${start}${dotJs(specifier)}${end}`;
  const after = before.replace(relativeImport, rewrite).replace(fileBeside, rewrite);
  if (after !== before) writeFileSync(file, after);
}

/** A path that leads nowhere would only be noticed by whoever installs the package. */
function missingTargets(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const specifiers = [...text.matchAll(relativeImport), ...text.matchAll(fileBeside)].map((match) => match[2] ?? '');
  return specifiers
    .filter((specifier) => !existsSync(path.resolve(path.dirname(file), specifier)))
    .map((specifier) => `${path.relative(root, file)} refers to ${specifier}`);
}

rmSync(dist, { recursive: true, force: true });
compile('node');
compile('browser');
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
