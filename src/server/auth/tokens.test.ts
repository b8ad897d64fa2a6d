import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ModelClock } from '../../../test/support/model-clock.ts';
import { EXPIRY_INTERVAL, TOKENS } from '../../model/limits.ts';
import type { TokenRecord } from '../../model/records.ts';
import { Tokens } from './tokens.ts';

/** Rows that a test can look at, and let fail. */
class Rows {
  readonly records = new Map<string, TokenRecord>();
  broken = false;

  async list(): Promise<TokenRecord[]> {
    return [...this.records.values()];
  }

  async write(record: TokenRecord): Promise<void> {
    if (this.broken) throw new Error('no room');
    this.records.set(record.id, record);
  }
}

async function start(rows = new Rows()) {
  const clock = new ModelClock();
  const tokens = new Tokens(rows, clock);
  await tokens.open();
  return { rows, clock, tokens };
}

test('T-26: a token has 256 bits, and only its hash is kept', async () => {
  const { rows, tokens } = await start();
  const { text, record } = await tokens.create({ role: 'work', name: 'bench' });
  assert.match(text, /^mh_[A-Za-z0-9_-]{43}$/);
  assert.equal(record.hash, createHash('sha256').update(text).digest('hex'));
  assert.ok(!JSON.stringify([...rows.records]).includes(text.slice(3)));
  assert.equal(tokens.find(text)?.id, record.id);
});

test('T-26: nothing but the very text is the token', async () => {
  const { tokens } = await start();
  const { text } = await tokens.create({ role: 'work', name: '' });
  const last = text.at(-1) === 'A' ? 'B' : 'A';
  for (const wrong of [
    `${text} `,
    text.slice(1),
    text.slice(0, -1),
    text.slice(0, -1) + last,
    text.toUpperCase(),
    '',
    `${text}\n`,
  ]) {
    assert.equal(tokens.find(wrong), undefined, wrong);
  }
});

test('D25: tokens that the database has lost, and that they were revoked, are written again', async () => {
  const { rows, tokens } = await start();
  const early = await tokens.create({ role: 'read', name: 'early' });
  const copy = new Map(rows.records);
  await tokens.revoke(early.record.id);
  const late = await tokens.create({ role: 'work', name: 'late' });
  const known = tokens.list();
  rows.records.clear();
  for (const [id, record] of copy) rows.records.set(id, record);
  await tokens.restore(known);
  assert.notEqual(rows.records.get(early.record.id)?.revokedAt, undefined);
  const { tokens: others } = await start(rows);
  assert.deepEqual([others.find(early.text), others.find(late.text)?.name], [undefined, 'late']);
});

test('T-26: a revoked token is dead at once, also after a restart, and its end is told once', async () => {
  const { rows, tokens } = await start();
  const { text, record } = await tokens.create({ role: 'read', name: '' });
  const ended: string[] = [];
  const stop = tokens.onRevoked((id) => ended.push(id));
  await tokens.revoke(record.id);
  await tokens.revoke(record.id);
  assert.equal(tokens.find(text), undefined);
  assert.deepEqual(ended, [record.id]);
  stop();
  const again = await start(rows);
  assert.equal(again.tokens.find(text), undefined);
  assert.ok((again.tokens.byId(record.id)?.revokedAt ?? 0) > 0);
  await assert.rejects(tokens.revoke('nobody'), { code: 'unknown', message: 'there is no token nobody' });
});

test('T-26: a token that could not be written down is not revoked, and not made', async () => {
  const { rows, tokens } = await start();
  const { text, record } = await tokens.create({ role: 'read', name: '' });
  rows.broken = true;
  await assert.rejects(tokens.revoke(record.id), /no room/);
  assert.equal(tokens.find(text)?.id, record.id);
  await assert.rejects(tokens.create({ role: 'read', name: '' }), /no room/);
  assert.equal(tokens.list().length, 1);
});

test('T-26: an expired token opens nothing, and what it has opened is told within a second', async () => {
  const { clock, tokens } = await start();
  const ended: string[] = [];
  tokens.onRevoked((id) => ended.push(id));
  const { text, record } = await tokens.create({ role: 'read', name: '', expiresAt: clock.wall() + 5_000 });
  await clock.advance(4_999);
  assert.equal(tokens.find(text)?.id, record.id);
  assert.deepEqual(ended, []);
  await clock.advance(1);
  assert.equal(tokens.find(text), undefined);
  await clock.advance(EXPIRY_INTERVAL);
  assert.deepEqual(ended, [record.id]);
  await clock.advance(10 * EXPIRY_INTERVAL);
  assert.deepEqual(ended, [record.id]);
  await assert.rejects(tokens.create({ role: 'read', name: '', expiresAt: clock.wall() }), { code: 'invalid' });
});

test('there is a bound to tokens', async () => {
  const { tokens } = await start();
  for (let i = 0; i < TOKENS; i++) await tokens.create({ role: 'read', name: '' });
  await assert.rejects(tokens.create({ role: 'read', name: '' }), { code: 'full' });
});

test('T-26: machines swap one token for one of their own each, and another text when they come again', async () => {
  const { tokens } = await start();
  const { record: image } = await tokens.create({ role: 'enrol', name: 'stick' });
  const first = await tokens.enrol(image, { machine: 'm1', name: 'left' });
  const other = await tokens.enrol(image, { machine: 'm2', name: 'right' });
  assert.deepEqual([first.record.role, first.record.enrolledBy, first.record.machine], ['work', image.id, 'm1']);
  assert.notEqual(first.record.id, other.record.id);
  const again = await tokens.enrol(image, { machine: 'm1', name: 'moved' });
  assert.equal(again.record.id, first.record.id);
  assert.equal(tokens.find(first.text), undefined);
  assert.equal(tokens.find(again.text)?.name, 'moved');
  assert.equal(tokens.list().length, 3);
});

test('T-26: a machine that was shut out stays out, and who revokes the token of an image shuts out all that came by it', async () => {
  const { tokens } = await start();
  const { record: image } = await tokens.create({ role: 'enrol', name: 'stick' });
  const one = await tokens.enrol(image, { machine: 'm1', name: 'one' });
  const two = await tokens.enrol(image, { machine: 'm2', name: 'two' });
  const apart = await tokens.create({ role: 'work', name: 'apart' });
  const ended: string[] = [];
  tokens.onRevoked((id) => ended.push(id));
  await tokens.revoke(one.record.id);
  await assert.rejects(tokens.enrol(image, { machine: 'm1', name: 'one' }), {
    code: 'barred',
    message: /^this machine is shut out/,
  });
  await tokens.revoke(image.id);
  assert.deepEqual(ended, [one.record.id, two.record.id, image.id]);
  assert.equal(tokens.find(two.text), undefined);
  assert.ok(tokens.find(apart.text) !== undefined);
});
