/** Where a page keeps the token that its link brought: until the tab is closed, and out of the address bar. */

const KEPT = 'manyhands.token';
const TOKEN = /^mh_[A-Za-z0-9_-]{43}$/;

/** The token of the link that opened this page, or the one that the tab has had before. */
export function takeToken(): string | undefined {
  const text = location.hash.slice(1);
  if (text !== '') history.replaceState(history.state, '', location.pathname + location.search);
  if (isToken(text)) keepToken(text);
  return text !== '' && isToken(text) ? text : keptToken();
}

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** The token in what somebody pasted: itself, or a link that ends with it. */
export function tokenIn(text: string): string | undefined {
  const token = text.trim().replace(/^.*#/s, '');
  return isToken(token) ? token : undefined;
}

function keptToken(): string | undefined {
  try {
    return sessionStorage.getItem(KEPT) ?? undefined;
  } catch {
    // Storage is forbidden here: the link has to be opened again after a reload.
    return undefined;
  }
}

export function keepToken(token: string | undefined): void {
  try {
    if (token === undefined) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, token);
  } catch {
    // As above.
  }
}
