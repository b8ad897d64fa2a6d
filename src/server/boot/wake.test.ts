import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { magicPacket, wake } from './wake.ts';

test('a magic packet is six bytes of ones and the address sixteen times', () => {
  const packet = Buffer.from(magicPacket('52:54:00:ab:CD:ef')).toString('hex');
  assert.equal(packet, 'ff'.repeat(6) + '525400abcdef'.repeat(16));
  assert.deepEqual(magicPacket('52-54-00-ab-cd-ef'), magicPacket('52:54:00:ab:cd:ef'));
  for (const wrong of ['', '52:54:00:ab:cd', '52:54:00:ab:cd:xx', '1:2:3:4:5:256'])
    assert.throws(() => magicPacket(wrong), TypeError, wrong);
});

test('it is sent for each card, more than once, since nobody says that it came', async (t) => {
  const listener = createSocket('udp4');
  t.after(() => listener.close());
  listener.bind(0, '127.0.0.1');
  await once(listener, 'listening');
  const came: string[] = [];
  listener.on('message', (message) => came.push(message.toString('hex')));
  const cards = ['52:54:00:00:00:01', '52:54:00:00:00:02'];
  await wake(cards, { to: ['127.0.0.1'], port: listener.address().port });
  while (came.length < 6) await once(listener, 'message');
  for (const card of cards)
    assert.equal(came.filter((each) => each === Buffer.from(magicPacket(card)).toString('hex')).length, 3);
});
