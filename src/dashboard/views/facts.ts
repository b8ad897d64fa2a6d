import { type ComponentChild, h, type JSX } from 'preact';

/** Names and what they are, for one thing with many sides. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChild])[] }): JSX.Element {
  return h(
    'dl',
    { class: 'facts-list' },
    facts.map(([name, value]) => h('div', { key: name }, h('dt', null, name), h('dd', null, value))),
  );
}
