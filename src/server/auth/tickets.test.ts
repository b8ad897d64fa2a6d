import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelClock } from '../../../test/support/model-clock.ts';
import { TICKET_TIME, TICKETS } from '../../model/limits.ts';
import { Tickets } from './tickets.ts';

const reader = { token: 'abc', role: 'read' } as const;

function start(): { clock: ModelClock; tickets: Tickets } {
  const clock = new ModelClock();
  return { clock, tickets: new Tickets(clock) };
}

test('T-32: a ticket is good once, for its path, with the rights of who asked for it', () => {
  const { tickets } = start();
  const ticket = tickets.issue(reader, '/v1/client') as string;
  assert.match(ticket, /^[A-Za-z0-9_-]{32}$/);
  assert.equal(tickets.redeem(ticket, '/v1/client'), reader);
  assert.equal(tickets.redeem(ticket, '/v1/client'), undefined);
});

test('T-32: a ticket that was tried for something else is used up as well', () => {
  const { tickets } = start();
  const ticket = tickets.issue(reader, '/v1/client') as string;
  assert.equal(tickets.redeem(ticket, '/v1/worker'), undefined);
  assert.equal(tickets.redeem(ticket, '/v1/client'), undefined);
  assert.equal(tickets.redeem('', '/v1/client'), undefined);
});

test('T-4: a ticket is good for 30 seconds and no longer', async () => {
  const { clock, tickets } = start();
  const [early, late] = [tickets.issue(reader, '/v1/client'), tickets.issue(reader, '/v1/client')] as [string, string];
  await clock.advance(TICKET_TIME - 1);
  assert.equal(tickets.redeem(early, '/v1/client'), reader);
  await clock.advance(1);
  assert.equal(tickets.redeem(late, '/v1/client'), undefined);
});

test('T-26: tickets die with their token', () => {
  const { tickets } = start();
  const mine = tickets.issue(reader, '/v1/client') as string;
  const other = tickets.issue({ token: 'def', role: 'admin' }, '/v1/client') as string;
  tickets.cut('abc');
  assert.equal(tickets.redeem(mine, '/v1/client'), undefined);
  assert.equal(tickets.redeem(other, '/v1/client')?.role, 'admin');
});

test('there is a bound to tickets, and room again once they are old', async () => {
  const { clock, tickets } = start();
  for (let i = 0; i < TICKETS; i++) assert.ok(tickets.issue(reader, '/v1/client') !== undefined);
  assert.equal(tickets.issue(reader, '/v1/client'), undefined);
  await clock.advance(TICKET_TIME);
  assert.ok(tickets.issue(reader, '/v1/client') !== undefined);
});
