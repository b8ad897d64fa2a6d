import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventStreamReader } from './event-stream.ts';

const TEXT =
  ': hello\n\nevent: snapshot\ndata: {"a":1}\n\nevent: boundary\nid: x-1\ndata: {"b":2}\n\n: still here\n\nevent: delta\r\nid: x-2\r\ndata: one\r\ndata: two\r\n\r\ndata:no space\n\nevent: unfinished\ndata: …';
const EVENTS = [
  { kind: 'snapshot', data: '{"a":1}' },
  { kind: 'boundary', data: '{"b":2}' },
  { kind: 'delta', data: 'one\ntwo' },
  { kind: 'message', data: 'no space' },
];

test('an event stream gives the same events wherever it is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(TEXT.length)), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), TEXT.length];
      const reader = new EventStreamReader();
      const events = places.slice(1).flatMap((end, i) => reader.push(TEXT.slice(places[i], end)));
      assert.deepEqual(events, EVENTS);
    }),
  );
});
