import { createHash } from 'node:crypto';
import { type Asset, contentOf, packed } from './asset.ts';

const FRAME = new URL('../../worker/browser/entry/sandbox.ts', import.meta.url);
const SLOT = new URL('../../worker/browser/entry/slot.ts', import.meta.url);

/** The page of the frame in which a browser runs tasks, and the policy that it is sent with. */
export interface Sandbox {
  readonly page: Asset;
  readonly policy: string;
}

/**
 * One document that needs nothing more: its origin is nobody's, so it may not load anything, from here either. Task code
 * may do what it likes inside (it is run by `import` of what the page handed over), and nothing reaches outside: no
 * connection, no picture, no font, no script of elsewhere. The Web Workers inside inherit the policy. (T-17)
 */
export async function sandboxPage(embedders: readonly string[]): Promise<Sandbox> {
  const [frame, slot] = await Promise.all([contentOf(FRAME), contentOf(SLOT)]);
  const script = inMarkup(frame.toString());
  const html = `<!doctype html>
<meta charset="utf-8">
<title>tasks run here</title>
<script id="slot" type="text/plain">${inMarkup(slot.toString())}</script>
<script type="module">${script}</script>
`;
  const hash = createHash('sha256').update(script).digest('base64');
  const policy = [
    'sandbox allow-scripts',
    "default-src 'none'",
    `script-src 'sha256-${hash}' blob: 'unsafe-eval'`,
    'worker-src blob:',
    "connect-src 'none'",
    "form-action 'none'",
    "base-uri 'none'",
    `frame-ancestors ${["'self'", ...embedders].join(' ')}`,
  ].join('; ');
  return { page: await packed(Buffer.from(html), 'text/html; charset=utf-8'), policy };
}

/** A script ends at its closing tag, wherever that stands; in strings and expressions a backslash changes nothing else. */
function inMarkup(script: string): string {
  return script.replace(/<(?=\/script|!--|script)/gi, '\\x3C');
}
