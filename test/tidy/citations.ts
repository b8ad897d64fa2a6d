import type { Tree } from './tree.ts';

const DOCUMENTS: Record<string, string> = {
  P: 'src/protocol/PROTOCOL.md',
  R: 'src/scheduler/SCHEDULER.md',
  D: 'src/store/STORE.md',
};

/** A rule starts its line, perhaps as a list item, a heading, a table's cell or in bold: `- **D4 Commit …**`. */
const RULE = /^\s*(?:[-*]\s+|#+\s+|\|\s*)?\*{0,2}([PRD]\d+)\b/gm;
const CITATION = /\b([PRD]\d+)\b/g;

/** Each numbered rule is in the title of a test, and each number in a title is a rule. */
export function citations(tree: Tree): string[] {
  const faults: string[] = [];
  const rules = new Set<string>();
  for (const [letter, document] of Object.entries(DOCUMENTS)) {
    const found = [...(tree.texts.get(document) ?? '').matchAll(RULE)].map(([, rule = '']) => rule);
    for (const rule of found) {
      if (!rule.startsWith(letter)) faults.push(`${document}: ${rule} is not a number of this document (${letter}…)`);
      else if (rules.has(rule)) faults.push(`${document}: ${rule} is there twice`);
      rules.add(rule);
    }
  }
  const cited = new Set<string>();
  for (const file of tree.sources) {
    for (const { what, line } of file.titles) {
      for (const [, rule = ''] of what.matchAll(CITATION)) {
        cited.add(rule);
        if (!rules.has(rule))
          faults.push(`${file.path}:${line}: cites ${rule}, which ${DOCUMENTS[rule.charAt(0)]} does not have`);
      }
    }
  }
  for (const rule of rules) {
    if (!cited.has(rule)) faults.push(`${DOCUMENTS[rule.charAt(0)]}: no test's title cites ${rule}`);
  }
  return faults;
}
