import { h, type JSX } from 'preact';
import type { Api } from '../page/api.ts';
import { Copyable } from './copyable.ts';

/** What the join link shows when it is opened instead of given to a terminal. */
export function Join({ api }: { api: Api | undefined }): JSX.Element {
  const link = `${location.origin}/join#${api?.token ?? 'TOKEN'}`;
  return h(
    'section',
    { class: 'letter' },
    h('h1', { tabIndex: -1 }, 'Lend this farm a device'),
    h(
      'p',
      null,
      'Run this on any computer with Node 24.15 or newer. It computes for this farm until you stop it with Ctrl-C.',
    ),
    h(Copyable, { text: `npx manyhands join ${link}`, label: 'the command that joins' }),
    api === undefined &&
      h('p', { class: 'fault' }, 'The link that you opened holds no token: take the whole of it, to its last letter.'),
    h('p', { class: 'aside' }, 'Computing in this browser tab itself is not possible yet.'),
  );
}
