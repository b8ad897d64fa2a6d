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
  let response: Response;
  try {
    response = await fetch(new URL(path, server), {
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch (error) {
    const { cause, message } = error as Error;
    throw new EnrolmentError(cause instanceof Error ? cause.message : message, false, { cause: error });
  }
  if (response.ok) return (await response.json()) as Body;
  const { detail } = (await response.json().catch(() => ({}))) as { detail?: string };
  const isFinal = response.status === 401 || response.status === 403;
  throw new EnrolmentError(detail ?? `the server answered ${response.status}`, isFinal);
}
