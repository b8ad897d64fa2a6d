import { h, type JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';

/** A command to take to a terminal. */
export function Copyable({ text, label }: { text: string; label: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  const code = useRef<HTMLElement>(null);
  const copy = async () => {
    setCopied(await toClipboard(text, code.current));
    setTimeout(() => setCopied(false), 2_000);
  };
  return h(
    'div',
    { class: 'copyable' },
    h('pre', { tabIndex: 0 }, h('code', { ref: code }, text)),
    h(
      'button',
      { type: 'button', 'aria-label': `Copy ${label}`, onClick: () => void copy() },
      isCopied ? 'Copied' : 'Copy',
    ),
    h('span', { class: 'unseen', role: 'status' }, isCopied ? 'Copied' : ''),
  );
}

/** On plain HTTP browsers give pages no clipboard: the text is selected instead, and the old command is tried. */
async function toClipboard(text: string, element: HTMLElement | null): Promise<boolean> {
  if (navigator.clipboard !== undefined) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Forbidden here: as without one.
    }
  }
  if (element !== null) getSelection()?.selectAllChildren(element);
  return document.execCommand('copy');
}
