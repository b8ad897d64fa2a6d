import { h, type JSX } from 'preact';
import { encode } from 'uqr';

/** Modules of white around it: what readers of the code need to find it. */
const QUIET_ZONE = 4;

/** A link for the camera of a phone: dark on white in either theme, since many readers know no other. */
export function QrCode({ text, label }: { text: string; label: string }): JSX.Element {
  const { data, size } = encode(text, { border: QUIET_ZONE });
  const dark = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  return h(
    'svg',
    { class: 'qr', role: 'img', 'aria-label': label, viewBox: `0 0 ${size} ${size}`, 'shape-rendering': 'crispEdges' },
    h('rect', { width: size, height: size, fill: '#fff' }),
    h('path', { d: dark.join(''), fill: '#000' }),
  );
}
