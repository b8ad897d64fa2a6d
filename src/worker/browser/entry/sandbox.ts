import type { FromFrame, ToFrame } from '../slot-messages.ts';

/** The script of the frame in which slots live: it starts and ends them, and knows nothing else. */
const source = document.getElementById('slot')?.textContent ?? '';
const script = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
const slots = new Map<number, Worker>();

function say(message: FromFrame): void {
  // Whoever embeds this may hear that a slot has died.
  parent.postMessage(message, '*');
}

addEventListener('message', ({ source: from, data, ports }: MessageEvent<ToFrame>) => {
  if (from !== parent) return;
  const { kind, life } = data;
  if (kind === 'end') {
    slots.get(life)?.terminate();
    slots.delete(life);
    return;
  }
  const slot = new Worker(script);
  slot.addEventListener('error', (event) => {
    say({ kind: 'dead', life, reason: event.message || 'a slot could not be started' });
  });
  slots.set(life, slot);
  slot.postMessage(null, [...ports]);
});
say({ kind: 'here' });
