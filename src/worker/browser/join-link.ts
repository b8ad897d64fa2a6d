/** Reads a join link, `http://HOST:PORT/join#TOKEN`, or an address with the token beside it. Throws a sentence for people. */
export function parseJoinLink(link: string | URL, token?: string): { base: URL; token: string } {
  const text = String(link);
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new TypeError(`${JSON.stringify(text)} is no address of a server: give something like http://HOST:7070`);
  }
  const url = new URL(text);
  const given = token ?? (url.hash.length > 1 ? decodeURIComponent(url.hash.slice(1)) : undefined);
  if (given === undefined) throw new TypeError('joining needs a token: use the join link that the server printed');
  return { base: new URL('/', url.origin), token: given };
}
