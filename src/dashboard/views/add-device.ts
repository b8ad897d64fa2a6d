import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { DEVICE_TOKEN_TIME } from '../../model/page-limits.ts';
import { duration } from '../figures.ts';
import type { Api } from '../page/api.ts';
import { saying } from '../page/loading.ts';
import { Copyable } from './copyable.ts';
import { QrCode } from './qr-code.ts';

/** How one more device comes to work here. Whoever may make tokens gets a command that is ready to be pasted. */
export function AddDevice({ api, isAdmin }: { api: Api; isAdmin: boolean }): JSX.Element {
  const [made, setMade] = useState<{ token: string; id: string } | undefined>(undefined);
  const [fault, setFault] = useState('');
  const make = async () => {
    try {
      const name = `device added from the page, ${new Date().toISOString().slice(0, 10)}`;
      setFault('');
      setMade(await api.post('/v1/tokens', { role: 'work', name, expiresIn: DEVICE_TOKEN_TIME }));
    } catch (error) {
      setFault(`No link was made: ${saying(error)}.`);
    }
  };
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'add' },
    h('h2', { id: 'add' }, 'Add a device'),
    h('p', null, 'A phone, a laptop or whatever has a browser or Node joins by a link.'),
    made === undefined
      ? h(
          'p',
          null,
          isAdmin
            ? h('button', { type: 'button', onClick: () => void make() }, 'Make a join link')
            : 'It was printed when the server started; who runs the server can give it to you.',
          isAdmin && h('span', { class: 'aside' }, ` good for ${duration(DEVICE_TOKEN_TIME)}, for work only`),
        )
      : h(Ways, { link: `${location.origin}/join#${made.token}`, id: made.id }),
    h(
      'p',
      null,
      'A PC without a system, or with one that is not wanted now, boots from a stick or the network: ',
      h('a', { href: '/boot' }, 'the boot image'),
      '.',
    ),
    fault !== '' && h('p', { class: 'fault', role: 'alert' }, fault),
    isLocal(location.hostname) &&
      h(
        'p',
        { class: 'aside' },
        'This page was opened on the machine of the server. Other devices reach it if it was started with ',
        h('code', null, 'manyhands serve --lan'),
        '; then put its address on the network into the link.',
      ),
  );
}

/** What to do with the link, on which device. */
function Ways({ link, id }: { link: string; id: string }): JSX.Element {
  return h(
    'div',
    null,
    h('p', null, 'Where there is a browser: open it, and press the button.'),
    h(Copyable, { text: link, label: 'the join link' }),
    h(QrCode, { text: link, label: 'the join link as a QR code' }),
    h(
      'p',
      null,
      'On a computer with Node 24.15 or newer: install manyhands there (its package is made by npm pack), run this, and it works here until you stop it.',
    ),
    h(Copyable, { text: `npx --no manyhands join ${link}`, label: 'the command that joins' }),
    h('p', { class: 'aside', role: 'status' }, `It can be taken back: manyhands token revoke ${id}`),
  );
}

function isLocal(name: string): boolean {
  return name === 'localhost' || name === '127.0.0.1' || name === '[::1]';
}
