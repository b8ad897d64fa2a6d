import { SOCKETS } from '../auth/authority.ts';
import { Problem } from '../problem.ts';
import { type Route, route } from './route.ts';

/** What is at the address of a socket for those who do not open one: the same rights, and a hint. */
export function upgradeRoutes(): Route[] {
  return Object.entries(SOCKETS).map(([path, { roles, protocols, summary }]) =>
    route({
      method: 'GET',
      path,
      access: roles,
      summary: `${summary} A WebSocket with the subprotocol ${protocols.join(' or ')}: see PROTOCOL.md.`,
      answers: {
        101: { description: 'The socket is open.' },
        426: { description: 'The request was not for a WebSocket.' },
      },
      handle: () => {
        const headers = { upgrade: 'websocket', connection: 'upgrade' };
        throw new Problem('upgrade', `${path} is a WebSocket: open it as one`, { headers });
      },
    }),
  );
}
