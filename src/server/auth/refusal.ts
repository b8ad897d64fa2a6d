import type { Role } from '../../model/records.ts';

/**
 * What the holder of a token is told that is good for other things. Most who are told so have taken the join link for the
 * key to everything, so it is named.
 */
export function notAllowed(role: Role, allowed: readonly Role[]): string {
  // The least that is needed first; an admin may do everything.
  const needed = [...allowed].sort((a, b) => POWER.indexOf(a) - POWER.indexOf(b)).join(' or ');
  if (role === 'work') {
    return `a token with the role work, such as that of the join link, only lets devices work: use the dashboard link, or a token with the role ${needed}`;
  }
  if (role === 'enrol')
    return "a token with the role enrol, such as that of a boot image, is only swapped for a token of one's own: POST /v1/enrolments";
  return `a token with the role ${role} may not do that: use one with the role ${needed}`;
}

const POWER: readonly Role[] = ['read', 'work', 'submit', 'admin'];
