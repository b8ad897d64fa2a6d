import http from 'node:http';
import https from 'node:https';
import type { Role } from '../../model/records.ts';

/** Milliseconds that a server may take to answer. */
const PATIENCE = 15_000;

/** Why a machine got no token. `final`: asking again will not help, as long as it asks with the same one. */
export class EnrolmentError extends Error {
  readonly final: boolean;

  constructor(message: string, final: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EnrolmentError';
    this.final = final;
  }
}

/**
 * The token that a machine works with: its own, for which it swaps that of its image; or the one it has, if that is for work
 * already. `machine`: 32 hex digits, the same at each start; `cards`: what its network cards are called. Throws an {@link EnrolmentError}.
 */
export async function ownToken(
  server: URL,
  token: string,
  { machine, name, cards = [] }: { machine: string; name: string; cards?: readonly string[] },
): Promise<string> {
  const { role } = await ask<{ role: Role }>(server, token, 'v1/me');
  if (role !== 'enrol') return token;
  return (await ask<{ token: string }>(server, token, 'v1/enrolments', { machine, name, cards })).token;
}

async function ask<Body>(server: URL, token: string, path: string, body?: object): Promise<Body> {
  const { status, text } = await exchange(new URL(path, server), token, body).catch((error: Error) => {
    throw new EnrolmentError(error.message, false, { cause: error });
  });
  const answer = jsonIn(text);
  if (status >= 200 && status < 300 && answer !== undefined) return answer as Body;
  const { detail } = (answer ?? {}) as { detail?: string };
  throw new EnrolmentError(detail ?? `the server answered ${status}`, status === 401 || status === 403);
}

/** By the connections that a worker uses anyway: to load those of `fetch` takes an emulated machine another second. */
function exchange(url: URL, token: string, body: object | undefined): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const json = sent && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) };
  const request = (url.protocol === 'https:' ? https : http).request(url, {
    method: sent === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, ...json },
    signal: AbortSignal.timeout(PATIENCE),
  });
  request.on('error', reject);
  request.on('response', (response) => {
    const parts: Buffer[] = [];
    response.on('error', reject);
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
  });
  request.end(sent);
  return promise;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
