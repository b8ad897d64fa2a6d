import { h, type JSX } from 'preact';

/** Why an error was thrown, the nearest reason first. */
export function Causes({ causes }: { causes: readonly string[] }): JSX.Element | null {
  if (causes.length === 0) return null;
  return h(
    'ul',
    { class: 'causes', 'aria-label': 'Causes' },
    causes.map((cause, i) => h('li', { key: i, class: 'message' }, 'caused by ', h('bdi', null, cause))),
  );
}
