import type { AnyNode } from 'acorn';
import { analyze } from 'eslint-scope';

/** The names that a module uses and does not define, less those that it asks for first. */
export function freeNames(tree: AnyNode): Set<string> {
  const askedFor = new Set<string>();
  walk(tree, (node) => {
    // `typeof name` asks whether there is such a thing: the module copes with its absence.
    if (node.type !== 'UnaryExpression' || node.operator !== 'typeof') return;
    if (node.argument.type === 'Identifier') askedFor.add(node.argument.name);
  });
  const scopes = analyze(tree as Parameters<typeof analyze>[0], { ecmaVersion: 2022, sourceType: 'module' });
  const names = new Set<string>();
  for (const { identifier } of scopes.globalScope?.through ?? []) {
    const { name } = identifier as { name: string };
    if (!askedFor.has(name)) names.add(name);
  }
  return names;
}

/** Sees every node of a tree, each before those in it. */
export function walk(root: AnyNode, see: (node: AnyNode) => void): void {
  const left: AnyNode[] = [root];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    see(node);
    for (const child of Object.values(node).flat()) {
      if (typeof (child as AnyNode | null)?.type === 'string') left.push(child as AnyNode);
    }
  }
}
