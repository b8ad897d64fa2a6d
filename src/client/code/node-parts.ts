import { builtinModules } from 'node:module';
import { type AnyNode, parse } from 'acorn';
import { nodeGlobals } from './globals.ts';
import { freeNames, walk } from './scope.ts';

const builtIns = new Set(builtinModules);
/** Without one of these words there is nothing to look for. */
const hint = new RegExp(`\\b(import|from)\\b|\\b(${[...nodeGlobals].join('|')})\\b`);

/**
 * Whether a module needs what only Node has: its built-in modules, or globals such as `Buffer` without asking first whether
 * they are there. Its tasks are not given to browsers.
 */
export function needsNode(code: string): boolean {
  if (!hint.test(code)) return false;
  const tree = parse(code, { ecmaVersion: 'latest', sourceType: 'module', ranges: true });
  let imports = false;
  walk(tree, (node) => {
    if (isImport(node) && isBuiltIn(node.source)) imports = true;
  });
  return imports || [...freeNames(tree)].some((name) => nodeGlobals.has(name));
}

type Import = AnyNode & { source?: AnyNode | null };

function isImport(node: AnyNode): node is Import {
  return /^(ImportDeclaration|ImportExpression|ExportNamedDeclaration|ExportAllDeclaration)$/.test(node.type);
}

function isBuiltIn(source: AnyNode | null | undefined): boolean {
  if (source?.type !== 'Literal' || typeof source.value !== 'string') return false;
  return source.value.startsWith('node:') || builtIns.has(source.value);
}
