import { type ComponentChildren, h, type JSX } from 'preact';

/** Rows below the heads of their columns. */
export function Table(props: { kind?: string; heads: readonly string[]; rows: ComponentChildren }): JSX.Element {
  const { kind, heads, rows } = props;
  return h(
    'table',
    kind === undefined ? null : { class: kind },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        heads.map((head) => h('th', { key: head, scope: 'col' }, head)),
      ),
    ),
    h('tbody', null, rows),
  );
}
