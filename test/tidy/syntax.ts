import { stripTypeScriptTypes } from 'node:module';
import { type AnyNode, type CallExpression, type Node, type Program, parse } from 'acorn';
import { analyze } from 'eslint-scope';

export interface Import {
  specifier: string;
  line: number;
}

export interface LongThing {
  name: string;
  lines: number;
  line: number;
}

export interface Use {
  what: string;
  line: number;
}

export interface Syntax {
  /** Every import and re-export, also of types only, also `import()`. */
  imports: Import[];
  /** Files named by path: `new URL('./x.ts', import.meta.url)`. */
  paths: Import[];
  functions: LongThing[];
  /** First arguments of test and suite calls, also of wrappers around them: text first, function after. */
  titles: Use[];
  /** What a pure folder may not use, each as it is to be named in a complaint. */
  impurities: Use[];
  /** Ways to find a file that the build does not rewrite. */
  unportable: Use[];
}

const CLOCKS_AND_CHANCE = new Map([
  ['Date', ['now']],
  ['Math', ['random']],
]);
const PLATFORM = new Set(
  (
    'performance crypto process setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate ' +
    'queueMicrotask Promise fetch WebSocket globalThis console Buffer require self window'
  ).split(' '),
);
const ASYNC_TYPES = /\b(Promise|PromiseLike|AsyncIterable|AsyncIterator|AsyncGenerator)\s*</;
const SUITES = new Set(['describe', 'suite']);

/** Type imports count for the arrows like any other, but stripping types would remove them. */
const TYPE_IMPORT = /\b(import|export)( +)type\b(?=\s*(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?|\w+)\s+from\s*['"])/g;

export function readSyntax(name: string, text: string): Syntax {
  const javaScript = name.endsWith('.ts') ? stripTypes(text.replace(TYPE_IMPORT, '$1$2    ')) : text;
  const syntax: Syntax = { imports: [], paths: [], functions: [], titles: [], impurities: [], unportable: [] };
  let program: Program;
  try {
    program = parse(javaScript, { ecmaVersion: 'latest', sourceType: 'module', locations: true, ranges: true });
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
  walk(program, (node, parents) => {
    readImport(node, syntax);
    readFunction(node, parents, syntax);
    readCall(node, syntax);
    readAsync(node, syntax);
    readMeta(node, parents, syntax);
  });
  readGlobals(program, syntax);
  readTypes(text, syntax);
  return syntax;
}

/** Node says that this function is experimental; said once for every file, that would bury the tests' output. */
function stripTypes(text: string): string {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

type Visit = (node: AnyNode, parents: AnyNode[]) => void;

function walk(root: Node, visit: Visit): void {
  const parents: AnyNode[] = [];
  const go = (node: AnyNode) => {
    visit(node, parents);
    parents.push(node);
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (child !== null && typeof child === 'object' && typeof child.type === 'string') go(child);
      }
    }
    parents.pop();
  };
  go(root as AnyNode);
}

function lineOf(node: Node): number {
  return node.loc?.start.line ?? 0;
}

function stringOf(node: AnyNode | null | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type === 'TemplateLiteral') return node.quasis.map((part) => part.value.cooked).join('…');
  if (node?.type === 'BinaryExpression' && node.operator === '+') {
    return `${stringOf(node.left as AnyNode) ?? '…'}${stringOf(node.right) ?? '…'}`;
  }
  return undefined;
}

function readImport(node: AnyNode, { imports }: Syntax): void {
  const isStatement =
    node.type === 'ImportDeclaration' || node.type === 'ExportNamedDeclaration' || node.type === 'ExportAllDeclaration';
  if (!isStatement && node.type !== 'ImportExpression') return;
  const specifier = stringOf(node.source);
  if (specifier !== undefined) imports.push({ specifier, line: lineOf(node) });
}

function readFunction(node: AnyNode, parents: AnyNode[], { functions }: Syntax): void {
  const isFunction =
    node.type === 'FunctionDeclaration' ||
    node.type === 'FunctionExpression' ||
    node.type === 'ArrowFunctionExpression';
  if (!isFunction || !node.loc) return;
  const parent = parents.at(-1);
  // A suite is a list of tests, each of which is measured; the list may be long.
  if (parent?.type === 'CallExpression' && SUITES.has(calleeOf(parent))) return;
  const name = ('id' in node && node.id?.name) || nameFrom(parent);
  functions.push({ name, lines: node.loc.end.line - node.loc.start.line + 1, line: node.loc.start.line });
}

function nameFrom(parent: AnyNode | undefined): string {
  if (parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier') return parent.id.name;
  if (parent && 'key' in parent && 'name' in parent.key) return String(parent.key.name);
  if (parent?.type === 'CallExpression') return stringOf(parent.arguments[0]) ?? `callback of ${calleeOf(parent)}`;
  return 'anonymous';
}

/** The called name: `test` of `test(…)`, of `t.test(…)`; but `skip` of `test.skip(…)`, which proves nothing. */
function calleeOf({ callee }: CallExpression): string {
  if (callee.type === 'Identifier') return callee.name;
  if (callee.type === 'MemberExpression' && callee.property.type === 'Identifier') return callee.property.name;
  return '';
}

function readCall(node: AnyNode, syntax: Syntax): void {
  if (node.type === 'CallExpression') {
    const title = stringOf(node.arguments[0]);
    const runs = node.arguments.slice(1).some((argument) => /Function|^Identifier/.test(argument.type));
    if (title !== undefined && runs && !/^(skip|todo)$/.test(calleeOf(node))) {
      syntax.titles.push({ what: title, line: lineOf(node) });
    }
  }
  if (node.type === 'Property' && node.key.type === 'Identifier' && node.key.name === 'title') {
    const title = stringOf(node.value);
    if (title !== undefined) syntax.titles.push({ what: title, line: lineOf(node) });
  }
  if (node.type === 'NewExpression' && node.callee.type === 'Identifier') {
    const [first, second] = node.arguments;
    if (node.callee.name === 'URL' && second?.type === 'MemberExpression' && second.object.type === 'MetaProperty') {
      const specifier = stringOf(first);
      if (specifier !== undefined) syntax.paths.push({ specifier, line: lineOf(node) });
    }
  }
}

function readAsync(node: AnyNode, { impurities }: Syntax): void {
  if ('async' in node && node.async === true) impurities.push({ what: 'async', line: lineOf(node) });
  if (node.type === 'AwaitExpression') impurities.push({ what: 'await', line: lineOf(node) });
  if (node.type === 'ForOfStatement' && node.await) impurities.push({ what: 'for await', line: lineOf(node) });
  if (node.type === 'ImportExpression') impurities.push({ what: 'import()', line: lineOf(node) });
  const isNew = node.type === 'NewExpression' && node.arguments.length === 0;
  if ((isNew || node.type === 'CallExpression') && node.callee.type === 'Identifier' && node.callee.name === 'Date') {
    impurities.push({ what: isNew ? 'new Date()' : 'Date()', line: lineOf(node) });
  }
}

function readMeta(node: AnyNode, parents: AnyNode[], { unportable }: Syntax): void {
  if (node.type !== 'MetaProperty' || node.meta.name !== 'import') return;
  const [call, member] = parents.slice(-2);
  if (member?.type !== 'MemberExpression' || member.property.type !== 'Identifier') return;
  const name = member.property.name;
  const resolved = call?.type === 'CallExpression' ? stringOf(call.arguments[0]) : undefined;
  // The name of a package resolves in the compiled program as well; a file's does not.
  if (name === 'dirname' || (name === 'resolve' && resolved?.startsWith('.'))) {
    unportable.push({ what: `import.meta.${name}`, line: lineOf(node) });
  }
}

function readGlobals(program: Program, { impurities }: Syntax): void {
  const scopes = analyze(program as never, { ecmaVersion: 2022, sourceType: 'module', fallback: 'iteration' });
  const members = membersOf(program);
  for (const { identifier } of scopes.globalScope?.through ?? []) {
    const { name, loc } = identifier as { name: string; loc?: { start: { line: number } } };
    const line = loc?.start.line ?? 0;
    if (PLATFORM.has(name)) impurities.push({ what: name, line });
    const forbidden = CLOCKS_AND_CHANCE.get(name);
    if (forbidden === undefined) continue;
    const member = members.get(identifier);
    if (member !== undefined && forbidden.includes(member)) impurities.push({ what: `${name}.${member}`, line });
    if (member === undefined && name === 'Math') impurities.push({ what: 'Math as a value', line });
  }
}

/** Which property is taken of an identifier: `now` of the `Date` in `Date.now`. */
function membersOf(program: Program): Map<unknown, string> {
  const members = new Map<unknown, string>();
  walk(program, (node) => {
    if (node.type === 'MemberExpression' && node.object.type === 'Identifier') {
      members.set(
        node.object,
        stringOf(node.property as AnyNode) ?? ('name' in node.property ? node.property.name : ''),
      );
    }
    // `const { now } = Date` takes it as well.
    if (node.type === 'VariableDeclarator' && node.id.type === 'ObjectPattern' && node.init?.type === 'Identifier') {
      for (const property of node.id.properties) {
        if (property.type === 'Property' && property.key.type === 'Identifier')
          members.set(node.init, property.key.name);
      }
    }
  });
  return members;
}

/** Types are gone from the parsed text, so promises in them, and imports written as types, are sought in the source. */
function readTypes(text: string, { impurities, imports }: Syntax): void {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, ' '));
  code.split('\n').forEach((content, i) => {
    const promise = ASYNC_TYPES.exec(content)?.[1];
    if (promise !== undefined) impurities.push({ what: promise, line: i + 1 });
    for (const [, specifier = ''] of content.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) {
      if (!imports.some((known) => known.specifier === specifier)) imports.push({ specifier, line: i + 1 });
    }
  });
}
