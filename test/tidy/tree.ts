import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readSyntax, type Syntax } from './syntax.ts';

/** One file as the rules see it. Paths are relative to the root and use slashes. */
export interface SourceFile extends Syntax {
  path: string;
  text: string;
  lines: number;
  isTest: boolean;
}

/** What the rules look at: the repository, or a few snippets that shall break a rule. */
export interface Tree {
  sources: SourceFile[];
  /** Everything else a rule reads: rule documents, package.json, the decisions. */
  texts: Map<string, string>;
}

const SOURCES = ['{src,test,examples,bench,scripts,os}/**/*.{ts,mjs,js}'];
const TEXTS = ['package.json', 'src/**/*.md', 'docs/decisions/0001-dependencies.md'];

export function readTree(root: string): Tree {
  const files: Record<string, string> = {};
  for (const name of globSync([...SOURCES, ...TEXTS], { cwd: root, exclude: ['**/node_modules/**'] })) {
    files[name.split(path.sep).join('/')] = readFileSync(path.join(root, name), 'utf8');
  }
  return treeFrom(files);
}

export function treeFrom(files: Record<string, string>): Tree {
  const tree: Tree = { sources: [], texts: new Map() };
  for (const [name, text] of Object.entries(files)) {
    if (/\.(ts|mjs|js)$/.test(name)) tree.sources.push(readSource(name, text));
    else tree.texts.set(name, text);
  }
  return tree;
}

function readSource(name: string, text: string): SourceFile {
  const lines = text.endsWith('\n') ? text.split('\n').length - 1 : text.split('\n').length;
  const isTest = /\.(test|type-test)\.ts$/.test(name) || name.startsWith('test/');
  return { path: name, text, lines, isTest, ...readSyntax(name, text) };
}

/** The file in the tree that a relative specifier means; `.js` means its `.ts` source, as in a compiled package. */
export function target(tree: Tree, from: SourceFile, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const file = path.posix.join(path.posix.dirname(from.path), specifier);
  const known = (name: string) => tree.sources.some((source) => source.path === name);
  return known(file) ? file : file.replace(/\.js$/, '.ts');
}
