import { type ComponentChild, h, type JSX } from 'preact';

/** Names and what they are, for one thing with many sides. */
export function Facts({
  facts,
  kind = '',
}: {
  facts: readonly (readonly [string, ComponentChild])[];
  kind?: string;
}): JSX.Element {
  return h(
    'dl',
    { class: `facts-list ${kind}` },
    facts.map(([name, value]) => h('div', { key: name }, h('dt', null, name), h('dd', null, value))),
  );
}
