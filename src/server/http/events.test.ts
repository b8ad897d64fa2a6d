import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { within } from '../../../test/support/wait.ts';

test('a server that stops ends its event streams, which have no end of their own', async (t) => {
  const farm = await ServedFarm.start(t);
  const { message } = await farm.begin('/v1/events');
  let text = '';
  message.setEncoding('utf8');
  const reading = (async () => {
    for await (const part of message) text += part;
  })();
  const closing = farm.server.close();
  await within(reading, 10_000, 'the end of the stream');
  await closing;
  assert.equal(message.complete, true, 'it was ended, not cut');
  assert.match(text, /event: boundary\n/);
});
