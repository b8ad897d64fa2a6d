import { h, type JSX } from 'preact';

/** A state as a word with a mark beside it: the mark's form says the same as its colour. */
export function StateMark({ word, tone }: { word: string; tone: string }): JSX.Element {
  return h('span', { class: `state ${tone}` }, h('i', { 'aria-hidden': 'true' }), word);
}
