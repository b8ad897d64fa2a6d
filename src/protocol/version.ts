/** Raised when an old peer could misread a new one. Gateways talk to PROTOCOL and PROTOCOL - 1, nothing else. */
export const PROTOCOL = 1;

/** The oldest version that is understood: the one before, once there is one (P2). */
export const OLDEST_PROTOCOL = 1;

export const WORKER_PROTOCOL = 'manyhands.v1';
export const WORKER_PROTOCOL_JSON = 'manyhands.v1.json';
export const CLIENT_PROTOCOL = 'manyhands.client.v1';
/** A browser cannot send headers with a socket: it offers this prefix followed by its ticket as a further subprotocol. */
export const TICKET_PROTOCOL_PREFIX = 'manyhands.ticket.';
