import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { tokenIn } from '../page/token.ts';

/** What a page without a good token says: what is missing, where it is, and how to go on. */
export function SignIn({
  refusal,
  use,
}: {
  refusal: { status: number; message: string } | undefined;
  use: (token: string) => void;
}): JSX.Element {
  const [fault, setFault] = useState('');
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget as HTMLFormElement).get('token') ?? '');
    const token = tokenIn(text);
    if (token === undefined) setFault('That holds no token: one begins with mh_ and has 46 characters.');
    else use(token);
  };
  return h(
    'section',
    { class: 'letter' },
    h('h1', { tabIndex: -1 }, headline(refusal?.status)),
    h('p', null, advice(refusal)),
    h(
      'p',
      null,
      'The link is printed by ',
      h('code', null, 'manyhands serve'),
      ' when it starts. On the machine of the server the token is also the first line of the file ',
      h('code', null, 'admin.token'),
      ' in its data directory.',
    ),
    h(
      'form',
      { onSubmit: submit },
      h('label', { for: 'token' }, 'Link or token'),
      h(
        'div',
        { class: 'row' },
        h('input', {
          id: 'token',
          name: 'token',
          type: 'password',
          autoComplete: 'off',
          required: true,
          'aria-describedby': 'token-fault',
        }),
        h('button', { type: 'submit' }, 'Open'),
      ),
      h('p', { id: 'token-fault', class: 'fault', role: 'alert' }, fault),
    ),
  );
}

function headline(status: number | undefined): string {
  if (status === 401) return 'This link is not good any more.';
  if (status === 403) return 'This link may not read.';
  return 'This page needs its link.';
}

function advice(refusal: { status: number; message: string } | undefined): string {
  if (refusal?.status === 401) {
    return 'Its token was revoked or has expired, or it is that of another server. Open the link that the server prints now, or paste it here.';
  }
  if (refusal?.status === 403)
    return `The server says: ${refusal.message}. Open a link that may read, or paste it here.`;
  return 'It shows a farm only to whoever holds a token, which is in the link that opens it. The tab knows no token: open the link again, or paste it here.';
}
