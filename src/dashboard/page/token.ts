/** Where a page keeps the token that its link brought: until the tab is closed, and out of the address bar. */

/** What a token is for: looking at a farm, or lending it a device. One is never taken for the other. */
export type Purpose = 'look' | 'join';

const KEPT = { look: 'manyhands.token', join: 'manyhands.join' } as const;
const TOKEN = /^mh_[A-Za-z0-9_-]{43}$/;
const ASK = 'whoever knows a token';

/** The token of the link that opened this page, or the one that the tab has had before. */
export function takeToken(purpose: Purpose): string | undefined {
  const text = location.hash.slice(1);
  if (text !== '') history.replaceState(history.state, '', location.pathname + location.search);
  if (!TOKEN.test(text)) return keptToken(purpose);
  keepToken(purpose, text);
  return text;
}

/** The token in what somebody pasted: itself, or a link that ends with it. */
export function tokenIn(text: string): string | undefined {
  const token = text.trim().replace(/^.*#/s, '');
  return TOKEN.test(token) ? token : undefined;
}

export function keepToken(purpose: Purpose, token: string): void {
  try {
    sessionStorage.setItem(KEPT[purpose], token);
  } catch {
    // Storage is forbidden here: the link has to be opened again after a reload.
  }
}

function keptToken(purpose: Purpose): string | undefined {
  try {
    return sessionStorage.getItem(KEPT[purpose]) ?? undefined;
  } catch {
    // As above.
    return undefined;
  }
}

/**
 * Tabs of one farm help each other out, since a link that is opened in a new tab comes without a token. Only pages of the
 * same origin hear it, and those are ours.
 */
export class TokenExchange {
  readonly #channel = new BroadcastChannel('manyhands');

  constructor(known: () => string | undefined) {
    this.#channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      const token = data === ASK ? known() : undefined;
      if (token !== undefined) this.#channel.postMessage({ token });
    });
  }

  /** Asks once; whoever answers is heard, however long it takes: a machine may be busy. */
  ask(found: (token: string) => void): void {
    this.#channel.addEventListener('message', ({ data }: MessageEvent<{ token?: unknown } | null>) => {
      const token = tokenIn(String(data?.token));
      if (token !== undefined) found(token);
    });
    this.#channel.postMessage(ASK);
  }
}
