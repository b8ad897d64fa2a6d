import Type from 'typebox';
import type { TokenRecord } from '../../model/records.ts';
import { Count, ShortText } from '../../protocol/shapes.ts';
import type { Authority } from '../auth/authority.ts';
import type { Tickets } from '../auth/tickets.ts';
import { Problem } from '../problem.ts';
import { NewTokenAnswer, RoleName, TicketAnswer, TokenList } from './answers.ts';
import { ADMINS, type Route, route } from './route.ts';

const EVERYONE = ['admin', 'submit', 'work', 'read'] as const;
const ALL = [...EVERYONE, 'enrol'] as const;

export function tokenRoutes(authority: Authority): Route[] {
  const { tokens, tickets } = authority;
  return [
    route({
      method: 'POST',
      path: '/v1/tokens',
      access: ADMINS,
      summary: 'Makes a token. Its text is in this answer and nowhere else, ever.',
      body: {
        type: 'application/json',
        schema: Type.Object(
          { role: RoleName, name: Type.Optional(ShortText), expiresIn: Type.Optional(Count) },
          { additionalProperties: false },
        ),
        example: { role: 'read', name: 'grafana', expiresIn: 604_800_000 },
      },
      answers: {
        201: { description: 'The token and what is known of it.', type: 'application/json', schema: NewTokenAnswer },
      },
      handle: async ({ body: { role, name = '', expiresIn } }) => {
        const expiresAt =
          expiresIn === undefined ? {} : { expiresAt: Math.min(Date.now() + expiresIn, Number.MAX_SAFE_INTEGER) };
        const { text, record } = await tokens.create({ role, name, ...expiresAt });
        return { status: 201, json: { token: text, ...publicPart(record) } };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/tokens',
      access: ADMINS,
      summary: 'All tokens, without their texts, which nobody knows but their owners.',
      answers: { 200: { description: 'The tokens.', type: 'application/json', schema: TokenList } },
      handle: () => ({ json: { tokens: tokens.list().map(publicPart) } }),
    }),
    route({
      method: 'DELETE',
      path: '/v1/tokens/:token',
      access: ADMINS,
      endsTokens: true,
      summary: 'Revokes a token; what it has opened is closed within five seconds.',
      answers: { 204: { description: 'It opens nothing any more.' }, 404: { description: 'There is no such token.' } },
      handle: async ({ params }) => {
        await tokens.revoke(params.token);
        return {};
      },
    }),
    ...bearerRoutes(tickets),
  ];
}

/** What whoever has a token may ask in its name. */
function bearerRoutes(tickets: Tickets): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/me',
      access: ALL,
      summary: 'What the token that is sent with it may do.',
      answers: { 200: { description: 'Its id and its role.', type: 'application/json' } },
      handle: ({ identity: { token, role } }) => ({ json: { token, role } }),
    }),
    route({
      method: 'POST',
      path: '/v1/tickets',
      access: EVERYONE,
      lends: true,
      summary:
        'Makes a ticket for one request of one path within 30 seconds: for a download as ?ticket=…, for a socket as the subprotocol manyhands.ticket.….',
      body: {
        type: 'application/json',
        schema: Type.Object(
          { path: Type.String({ pattern: '^/v1/[A-Za-z0-9/]{1,200}(\\.[a-z]{1,8})?$' }) },
          { additionalProperties: false },
        ),
        example: { path: '/v1/client' },
      },
      answers: { 201: { description: 'The ticket.', type: 'application/json', schema: TicketAnswer } },
      handle: ({ body, identity }) => {
        const ticket = tickets.issue(identity, body.path);
        if (ticket === undefined) throw new Problem('busy', 'too many tickets are open: try again in 30 seconds');
        return { status: 201, json: { ticket } };
      },
    }),
  ];
}

export function publicPart({ id, role, name, createdAt, expiresAt, revokedAt, enrolledBy, machine }: TokenRecord) {
  return {
    id,
    role,
    name,
    createdAt,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(revokedAt === undefined ? {} : { revokedAt }),
    ...(enrolledBy === undefined ? {} : { enrolledBy, machine }),
  };
}
