/** The address of a server, and the token where the link carried one. */
export interface JoinAddress {
  readonly base: URL;
  readonly token: string | undefined;
}

/** Reads `http://HOST:PORT`, or a join link `http://HOST:PORT/join#TOKEN`. Throws a sentence for people. */
export function parseJoinUrl(text: string): JoinAddress {
  let url: URL;
  try {
    // What people type: an address without a scheme.
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    throw new TypeError(`${JSON.stringify(text)} is no address of a server: give something like http://HOST:7070`);
  }
  if (url.protocol === 'ws:') url = new URL(`http:${url.href.slice(3)}`);
  else if (url.protocol === 'wss:') url = new URL(`https:${url.href.slice(4)}`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError(`${JSON.stringify(text)} is no address of a server: it must begin with http:// or https://`);
  }
  const token = url.hash.length > 1 ? decodeURIComponent(url.hash.slice(1)) : undefined;
  return { base: new URL('/', url.origin), token };
}

/** Reads several, as a list or with commas between. Each that is wrong is told, in a sentence of its own. */
export function parseJoinUrls(texts: string | readonly string[]): JoinAddress[] {
  const wrong: string[] = [];
  const all = [texts].flat().flatMap((text) => text.split(','));
  const addresses = all.flatMap((text, at) => {
    try {
      if (text.trim() === '')
        throw new TypeError(`entry ${at + 1} of the servers is empty: give their addresses with one comma between`);
      return [parseJoinUrl(text.trim())];
    } catch (error) {
      wrong.push((error as Error).message);
      return [];
    }
  });
  if (wrong.length > 0) throw new TypeError(wrong.join('; '));
  return addresses;
}
