import http from 'node:http';
import https from 'node:https';

/** Milliseconds that a server may take to say that it is there. */
const PATIENCE = 10_000;

/** What came of asking a server whether it is there. */
export interface Reached {
  /** By its own clock, in milliseconds since 1970. */
  readonly time?: number;
  /** Why it cannot be worked for, in words; absent: it can. */
  readonly problem?: string;
}

/** Errors of a certificate whose time is not now: the clock may be what is wrong. */
const TIME = /CERT_NOT_YET_VALID|CERT_HAS_EXPIRED/;

/**
 * Asks a server before a worker is made for it, since a worker that cannot join costs a process for each slot. Whoever has
 * no right time is told it even by a server whose certificate seems out of date; whether it is trusted is asked again then.
 */
export async function reach(address: string): Promise<Reached> {
  const first = await ask(address, true);
  if (!TIME.test(first.code ?? '')) return first;
  const { time } = await ask(address, false);
  return { ...first, ...(time !== undefined && { time }) };
}

function ask(address: string, isStrict: boolean): Promise<Reached & { code?: string }> {
  return new Promise((resolve) => {
    const url = new URL('/healthz', address);
    const options = { timeout: PATIENCE, agent: false as const, rejectUnauthorized: isStrict };
    const request = (url.protocol === 'https:' ? https : http).get(url, options, (response) => {
      response.resume();
      const time = Date.parse(response.headers.date ?? '');
      resolve(Number.isFinite(time) ? { time } : {});
    });
    request.on('timeout', () => request.destroy(new Error(`${url.host} cannot be reached: it does not answer`)));
    request.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ problem: words(error, url), ...(error.code !== undefined && { code: error.code }) });
    });
  });
}

function words({ code, message }: NodeJS.ErrnoException, { host, hostname }: URL): string {
  switch (code) {
    case 'ECONNREFUSED':
      return `nothing listens at ${host}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${hostname} cannot be found`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${host} cannot be reached`;
    case 'ECONNRESET':
      return `the connection to ${host} was cut`;
    default:
      return message === '' ? `${host} cannot be reached (${code})` : `${host}: ${message}`;
  }
}
