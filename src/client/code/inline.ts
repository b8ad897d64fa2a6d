import { builtinModules } from 'node:module';
import { type AnyNode, type ExpressionStatement, parse } from 'acorn';
import { knownGlobals } from './globals.ts';
import { needsNode } from './node-parts.ts';
import { freeNames } from './scope.ts';
import { TaskCodeError } from './task-code-error.ts';
import type { TextModule } from './task-module.ts';

type TaskFunction = (...inputs: never[]) => unknown;

/** The source of a function as one expression, and its syntax. */
interface Source {
  readonly expression: string;
  readonly tree: AnyNode;
  readonly body: AnyNode;
}

/**
 * Turns an inline function into a module by its source text, which the runtime has as plain JavaScript even if it was
 * written in TypeScript. Its surroundings stay behind, so a function that uses a variable of theirs is refused.
 * Throws a TaskCodeError that names the variable.
 */
export function moduleFromFunction(fn: TaskFunction, installed: readonly string[] = []): TextModule {
  if (typeof fn !== 'function') {
    throw new TaskCodeError(
      `a task is a function, or a module given as new URL('./its-name.ts', import.meta.url), but this is ${describe(fn)}`,
    );
  }
  const text = Function.prototype.toString.call(fn);
  const name = fn.name === '' ? 'the function' : `the function ${fn.name}`;
  if (/\{\s*\[native code\]\s*\}\s*$/.test(text)) {
    const inner = fn.name.replace(/^(bound )+/, '') || 'f';
    throw new TaskCodeError(
      `${name} is built in or made by bind(), so its source can't be sent; wrap it: (input) => ${inner}(input), with all it needs inside`,
    );
  }
  const source = parseFunction(text, name);
  refuseForms(source, name, installed);
  const free = freeVariables(source);
  // Some loaders of TypeScript wrap inner functions in this helper of theirs, to keep their names.
  const helper = free.delete('__name') ? 'const __name = (target) => target; ' : '';
  if (free.size > 0) throw new TaskCodeError(describeFree([...free], name));
  const code = `${helper}export default ${source.expression};\n`;
  return { code, sourceName: fn.name === '' ? 'inline' : fn.name, runner: needsNode(code) ? 'node' : 'js' };
}

function describe(thing: unknown): string {
  return typeof thing === 'string' ? JSON.stringify(thing.slice(0, 100)) : `of type ${typeof thing}`;
}

/** A function stands for itself; a method (`f(x) { … }`) is only source in an object, so it is taken out of one. */
function parseFunction(text: string, name: string): Source {
  const plain = tryParse(`(${text}\n)`);
  if (plain !== undefined) return { expression: `(${text}\n)`, tree: plain.tree, body: plain.expression };
  const expression = `Object.values({${text}\n})[0]`;
  const method = tryParse(`({${text}\n})`);
  const property = method?.expression.type === 'ObjectExpression' ? method.expression.properties[0] : undefined;
  if (method === undefined || property?.type !== 'Property') {
    throw new TaskCodeError(`${name} can't be read on its own (${parseProblem(text)}); ${modules}`);
  }
  if (property.kind !== 'init') throw new TaskCodeError(`${name} is a getter or setter; give a function`);
  return { expression, tree: method.tree, body: property.value };
}

const modules = "put it into a module of its own and give new URL('./its-name.ts', import.meta.url)";

function tryParse(text: string): { tree: AnyNode; expression: AnyNode } | undefined {
  try {
    const tree = parse(text, { ecmaVersion: 'latest', sourceType: 'module', ranges: true });
    return { tree, expression: (tree.body[0] as ExpressionStatement).expression };
  } catch {
    return undefined;
  }
}

function parseProblem(text: string): string {
  try {
    parse(`(${text}\n)`, { ecmaVersion: 'latest', sourceType: 'module' });
  } catch (error) {
    return (error as Error).message.replace(/ \(\d+:\d+\)$/, '');
  }
  return 'its form is unknown';
}

function refuseForms({ body }: Source, name: string, installed: readonly string[]): void {
  if (body.type === 'ClassExpression') throw new TaskCodeError(`${name} is a class; give a function`);
  if (body.type !== 'ArrowFunctionExpression' && body.type !== 'FunctionExpression') {
    throw new TaskCodeError(`${name} is not a function that can be sent; ${modules}`);
  }
  if (body.generator) {
    throw new TaskCodeError(`${name} is a generator; return one value, such as a list of what it would yield`);
  }
  visit(body, (node, ownThis) => {
    if (node.type === 'ThisExpression' && ownThis) {
      throw new TaskCodeError(`${name} uses "this", which does not travel; pass what it needs in the input`);
    }
    if (node.type === 'Super' && ownThis) {
      throw new TaskCodeError(`${name} uses "super", which does not travel; ${modules}`);
    }
    if (node.type === 'MetaProperty' && node.meta.name === 'import') {
      throw new TaskCodeError(`${name} uses import.meta, which would be another module's; ${modules}`);
    }
    if (node.type === 'ImportExpression') refuseImport(node.source, name, installed);
  });
}

/** Inside an inline function only what every worker of its kind has can be imported: nothing is bundled. */
function refuseImport(source: AnyNode, name: string, installed: readonly string[]): void {
  if (source.type !== 'Literal' || typeof source.value !== 'string') return;
  const specifier = source.value;
  if (installed.some((each) => specifier === each || specifier.startsWith(`${each}/`))) return;
  if (/^(node|data):/.test(specifier) || builtinModules.includes(specifier)) return;
  throw new TaskCodeError(`${name} imports "${specifier}", which workers don't have; ${modules}, then it is bundled`);
}

function freeVariables({ tree }: Source): Set<string> {
  return new Set([...freeNames(tree)].filter((name) => !knownGlobals.has(name)));
}

function describeFree(names: string[], name: string): string {
  const [first] = names;
  if (names.length === 1 && first === 'require') {
    return `${name} uses require, which task modules don't have; use await import('node:…') inside it`;
  }
  const list = names.length === 1 ? first : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  const [are, it] = names.length === 1 ? ['is', 'it'] : ['are', 'them'];
  return (
    `${name} uses ${list}, which ${are} defined outside of it and would not be there on a worker; ` +
    `pass ${it} in the input, define or import ${it} inside the function, or ${modules}`
  );
}

/** Walks the task function. `ownThis` tells whether `this` at that place would be the task function's own. */
function visit(root: AnyNode, see: (node: AnyNode, ownThis: boolean) => void): void {
  const walk = (node: AnyNode, ownThis: boolean): void => {
    see(node, ownThis);
    const binds =
      node.type === 'FunctionExpression' || node.type === 'FunctionDeclaration' || node.type === 'ClassBody';
    for (const child of Object.values(node)) {
      for (const item of Array.isArray(child) ? child : [child]) {
        if (typeof item?.type === 'string') walk(item, ownThis && (!binds || node === root));
      }
    }
  };
  walk(root, true);
}
