import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/** How a request may be started: a page may be opened from anywhere, everything else only by our own pages or by programs. */
export type Reach = 'page' | 'api' | 'socket';

const AUTHORITY = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)(:[0-9]{1,5})?$/;
const ORIGIN = /^https?:\/\/([^/?#\s]+)$/;
const ONCE = ['host', 'origin', 'authorization', 'sec-fetch-site', 'sec-fetch-mode'];
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Which names this server answers to, and who may ask. A page on the web can make its visitor's browser send requests
 * here, and can let a name of its own point here; it cannot choose the Host and Origin that the browser sends with them.
 * (T-2, T-3, T-4, T-5)
 */
export class OriginGuard {
  readonly #names = new Set(LOOPBACK);
  readonly #origins = new Set<string>();
  readonly #lenders = new Set<string>();

  /** A name or address without a port. Ports are not compared: tunnels and containers change them. */
  allowName(name: string): void {
    this.#names.add(isIPv6(name) ? `[${name.toLowerCase()}]` : name.toLowerCase());
  }

  /** The address that people were told, which may be that of a proxy. */
  allowUrl(url: URL): void {
    this.#names.add(url.hostname.toLowerCase());
    this.#origins.add(url.origin);
  }

  /** Pages of this origin may lend their visitors' devices. */
  allowLender(origin: string): void {
    this.#lenders.add(origin);
  }

  /** Whether it is of such a page that a request comes. */
  isLender(origin: string | undefined): origin is string {
    return origin !== undefined && this.#lenders.has(origin);
  }

  /** What is wrong with the request; undefined: nothing. `lends`: pages that lend a device may ask for this, too. */
  refuse(request: Pick<IncomingMessage, 'rawHeaders'>, reach: Reach, lends = false): string | undefined {
    const headers = onlyOnce(request.rawHeaders);
    if (typeof headers === 'string') return headers;
    const host = headers.get('host')?.toLowerCase();
    const authority = host === undefined ? null : AUTHORITY.exec(host);
    if (authority === null) return 'a Host header that names this server is needed';
    if (!this.#names.has(authority[1] as string)) {
      return `this server does not answer to the name ${authority[1]}; start it with --public-url if it should`;
    }
    if (lends && this.isLender(headers.get('origin'))) return undefined;
    return this.#refuseOrigin(headers, host as string, reach);
  }

  #refuseOrigin(headers: Map<string, string>, host: string, reach: Reach): string | undefined {
    const origin = headers.get('origin');
    if (origin !== undefined && !this.#isOwn(origin, host)) return 'requests from pages of other origins are refused';
    const site = headers.get('sec-fetch-site');
    if (reach === 'page') return undefined;
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return 'requests from pages of other sites are refused';
    }
    // A browser always says where a socket comes from; one that says how but not from where is lying.
    if (reach === 'socket' && origin === undefined && (site !== undefined || headers.has('sec-fetch-mode'))) {
      return 'a socket from a browser needs an Origin header';
    }
    return undefined;
  }

  #isOwn(origin: string, host: string): boolean {
    if (this.#origins.has(origin)) return true;
    const named = ORIGIN.exec(origin.toLowerCase());
    return named !== null && named[1] === host;
  }
}

/** The headers that decide, or what is wrong with them: whoever sends one of them twice wants two readers to disagree. */
function onlyOnce(rawHeaders: readonly string[]): Map<string, string> | string {
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!ONCE.includes(name)) continue;
    if (found.has(name)) return `the header ${name} is there twice`;
    found.set(name, rawHeaders[i + 1] as string);
  }
  return found;
}
