import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FarmError } from './farm-error.ts';
import { Feed } from './feed.ts';
import { InputWriter } from './input-writer.ts';
import type { BlobExchange, Surroundings } from './surroundings.ts';
import type { RequestBody, Wire } from './wire.ts';

/** A server that takes all inputs, refuses to close the job, and says how the job stands. */
function serverWith(progress: object): Wire {
  const answer = (body: RequestBody): Promise<unknown> => {
    if (body.kind === 'close') return Promise.reject(new FarmError('conflict', 'the job is not open'));
    return Promise.resolve(body.kind === 'status' ? { progress } : undefined);
  };
  return { room: () => undefined, request: answer } as unknown as Wire;
}

async function send(wire: Wire): Promise<void> {
  const around = { now: () => 0, pause: () => Promise.resolve() } as unknown as Surroundings;
  const feed = new Feed(around, new InputWriter(wire, {} as BlobExchange), [1, 2, 3]);
  await feed.begin();
  await feed.run(wire, 1);
}

test('R11: inputs of a job that ended before they were all sent are no mistake, nor if it was retried since', async () => {
  await send(serverWith({ endedAt: 5, generation: 0 }));
  await send(serverWith({ generation: 1 }));
  await assert.rejects(send(serverWith({ generation: 0 })), { code: 'conflict' });
});
