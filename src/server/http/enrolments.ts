import Type from 'typebox';
import { MACHINE_CARDS } from '../../model/boot-limits.ts';
import { ShortText } from '../../protocol/shapes.ts';
import type { Authority } from '../auth/authority.ts';
import { Problem } from '../problem.ts';
import { NewTokenAnswer } from './answers.ts';
import { type Route, route } from './route.ts';
import { publicPart } from './tokens.ts';

/** Machines that boot from one image are told apart, and can be shut out one by one. */
export function enrolmentRoutes({ tokens }: Authority): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/enrolments',
      access: ['enrol', 'admin'],
      summary:
        'Swaps the token of a boot image for one of the machine’s own. The same machine may come again: the token that it had is good no longer.',
      body: {
        type: 'application/json',
        schema: Type.Object(
          {
            machine: Type.String({ pattern: '^[0-9a-f]{32}$' }),
            name: Type.Optional(ShortText),
            cards: Type.Optional(
              Type.Array(Type.String({ pattern: '^([0-9a-f]{2}:){5}[0-9a-f]{2}$' }), { maxItems: MACHINE_CARDS }),
            ),
          },
          { additionalProperties: false },
        ),
        example: {
          machine: '00112233445566778899aabbccddeeff',
          name: 'the PC in the corner',
          cards: ['52:54:00:12:34:56'],
        },
      },
      answers: {
        201: { description: 'Its own token, with the role work.', type: 'application/json', schema: NewTokenAnswer },
        403: { description: 'This machine was shut out.' },
      },
      handle: async ({ identity, body: { machine, name = `machine ${machine.slice(0, 8)}`, cards = [] } }) => {
        const by = tokens.byId(identity.token);
        if (by === undefined) throw new Problem('unauthorised', 'this token is not known');
        const { text, record } = await tokens.enrol(by, { machine, name, cards });
        return { status: 201, json: { token: text, ...publicPart(record) } };
      },
    }),
  ];
}
