import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { clientFarm } from '../../test/support/client-farm.ts';
import { ValueError } from '../protocol/values/value-error.ts';
import { TaskError } from './task-error.ts';

const { farm } = await clientFarm({ after });

const echo = (value: unknown): unknown => value;

/** There and back again: inputs are written and read by other code than results. */
async function roundTrip(values: readonly unknown[]): Promise<unknown[]> {
  return await (await farm.map(echo, values)).values();
}

describe('every kind of value goes there and back', () => {
  const kinds: Record<string, readonly unknown[]> = {
    'plain JSON': [
      null,
      true,
      false,
      0,
      -1.5,
      1e300,
      '',
      'ä😀\u0000\n"',
      [],
      {},
      [1, [2, { a: 'b' }]],
      { a: { b: null } },
    ],
    undefined: [undefined, [undefined], { a: undefined }],
    'numbers that JSON lacks': [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, [-0, Number.NaN]],
    'BigInt and Date': [0n, -(2n ** 100n), new Date(0), new Date(Number.NaN), { at: new Date(1e12) }],
    'Map and Set': [
      new Map<unknown, unknown>([
        ['k', 1],
        [{ a: 1 }, new Set([1, undefined])],
      ]),
      new Set(),
      new Map(),
    ],
    'typed arrays': [
      Float64Array.of(1.5, Number.NaN),
      Int8Array.of(-1),
      Uint16Array.of(65_535),
      BigInt64Array.of(-1n),
      Uint8ClampedArray.of(255),
      new Float32Array(0),
    ],
    Uint8Array: [Uint8Array.of(0, 255), new Uint8Array(0), { nested: [Uint8Array.of(1)] }],
    'sparse arrays and shared parts': [Object.assign([1], { 5: 2 }), ((part) => [part, part])({ x: 1 })],
    'keys of any text': [{ $mh: 5 }, { '': 1, 'a b': 2, constructor: 3 }],
  };
  for (const [name, values] of Object.entries(kinds)) {
    test(name, async () => {
      const back = await roundTrip(values);
      assert.deepEqual(back, values);
      for (const [i, value] of values.entries()) if (typeof value === 'number') assert.ok(Object.is(back[i], value));
      for (const value of values) assert.deepEqual(await farm.run(echo, value), value);
    });
  }

  test('bytes have a buffer of their own, on both sides', async () => {
    const job = await farm.map(
      (input: Uint8Array) => [input.buffer.byteLength, input.constructor === Uint8Array, new Uint8Array(5)] as const,
      [Uint8Array.of(1, 2, 3), Uint8Array.of(4)],
    );
    for (const [i, [size, isPlain, made]] of (await job.values()).entries()) {
      assert.deepEqual([size, isPlain, made.buffer.byteLength], [i === 0 ? 3 : 1, true, 5]);
    }
    const raw = await farm.map((size: number) => new Uint8Array(size), [8, 16]);
    for (const value of await raw.values()) assert.deepEqual(value.buffer.byteLength, value.length);
  });

  test('errors, with cause, code and class', async () => {
    const error = Object.assign(new RangeError('no', { cause: new TypeError('deeper') }), { code: 'E_NO' });
    const [back] = (await roundTrip([error])) as [RangeError & { code: string }];
    assert.ok(back instanceof RangeError && back.cause instanceof TypeError);
    assert.deepEqual([back.message, back.code, back.stack], ['no', 'E_NO', error.stack]);
  });

  test('cycles', async () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const [back] = (await roundTrip([circle])) as [typeof circle];
    assert.equal(back.self, back);
  });
});

describe('values too large for a message are blobs', () => {
  const long = 'x'.repeat(70_000);
  const wide = '漢'.repeat(60_000);
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i);

  test('text, objects and bytes, among small ones, in every way to read them', async () => {
    const values = [1, long, { deep: [long, Number.NaN] }, bytes, wide, undefined, 'small', bytes];
    const job = await farm.map(echo, values);
    assert.deepEqual(await job.values(), values);
    assert.deepEqual(
      (await job.settled()).map((record) => record.status === 'done' && record.value),
      values,
    );
    for (const ordered of [true, false]) {
      const got: unknown[] = [];
      for await (const record of job.results({ ordered })) {
        if (record.status === 'done') got[record.index] = record.value;
      }
      assert.deepEqual(got, values);
    }
    for (const value of values) assert.deepEqual(await farm.run(echo, value), value);
  });

  test('many of them, more than are in flight at once', async () => {
    const many = Array.from({ length: 24 }, (_, i) => new Uint8Array(1 << 20).fill(i));
    const job = await farm.map((input: Uint8Array) => input.length + (input[5] as number), many);
    assert.deepEqual(
      await job.values(),
      many.map((_, i) => (1 << 20) + i),
    );
    const made = await farm.map(
      (size: number) => new Uint8Array(1 << 20).fill(size),
      Array.from({ length: 24 }, (_, i) => i),
    );
    let next = 0;
    for await (const record of made.results()) {
      assert.deepEqual([record.index, record.status === 'done' && record.value[9]], [next, next]);
      next += 1;
    }
    assert.equal(next, 24);
  });

  test('blocks of text in three bytes a letter stay within a message', async () => {
    const texts = Array.from({ length: 40 }, (_, i) => '漢'.repeat(21_000) + i);
    assert.deepEqual(await roundTrip(texts), texts);
    const longest = Array.from({ length: 12 }, (_, i) => '漢'.repeat(65_000) + i);
    assert.deepEqual(await roundTrip(longest), longest);
  });

  test('bytes that a program stores are what its tasks and it get by their name', async () => {
    const ref = await farm.upload(bytes);
    const sum = async (sha256: string, context: { blob(sha256: string): Promise<Uint8Array> }) =>
      (await context.blob(sha256)).reduce((a, b) => a + b, 0);
    assert.equal(
      await farm.run(sum, ref.sha256),
      bytes.reduce((a, b) => a + b, 0),
    );
    assert.deepEqual(await farm.download(ref), bytes);
    const made = await farm.run(
      (size: number, context: { blob(bytes: Uint8Array): Promise<{ sha256: string; size: number }> }) =>
        context.blob(new Uint8Array(size).fill(7)),
      100_000,
    );
    assert.deepEqual(await farm.download(made), new Uint8Array(100_000).fill(7));
  });
});

describe('what is no value is refused by its path', () => {
  const refused: [string, unknown, RegExp][] = [
    ['a function', { a: { b: function deep() {} } }, /^inputs\[3\]\.a\.b is a function \(deep\); send data/],
    ['a symbol', [Symbol('s')], /^inputs\[3\]\[0\] is a symbol; send a string$/],
    ['an instance', { x: new (class Point {})() }, /^inputs\[3\]\.x is an instance of Point; send a plain object/],
    ['a promise', Promise.resolve(1), /^inputs\[3\] is a Promise; await it first$/],
    ['in a map', { m: new Map([['key', () => 1]]) }, /^inputs\[3\]\.m\.get\("key"\) is a function/],
  ];
  for (const [name, value, says] of refused) {
    test(`an input: ${name}`, async () => {
      const expected = (error: unknown): boolean => error instanceof ValueError && says.test(error.message);
      const before = (await farm.map(echo, [])).id;
      await assert.rejects(farm.map(echo, [1, 2, 3, value]), expected);
      // There was no job of it.
      assert.equal((await farm.map(echo, [])).id, before + 1);
      await assert.rejects(
        farm.run(echo, value),
        (error) => error instanceof ValueError && /^input/.test(error.message),
      );
    });
  }

  test('an input in a later block cancels the job, and whoever waits is told which it was', async () => {
    const inputs = Array.from({ length: 10_000 }, (_, i): unknown => i);
    inputs[9_999] = { late: () => 1 };
    const job = await farm.map(echo, inputs);
    await assert.rejects(job.values(), /^ValueError: inputs\[9999\]\.late is a function/);
    assert.equal((await job.status()).progress.state, 'cancelled');
  });

  test('an input that is too large for a text of JSON', async () => {
    const text = 'x'.repeat(2 ** 28);
    await assert.rejects(
      farm.map(echo, [[text, text, text]]),
      /^ValueError: inputs\[0\] is too large for one text of JSON/,
    );
  });

  test('a result, which fails its task alone', async () => {
    const job = await farm.map((n: number): unknown => (n === 1 ? { a: [{ b: () => n }] } : n), [0, 1, 2], {
      maxFailures: 5,
    });
    const [first, second, third] = await job.settled();
    assert.deepEqual([first?.status, third?.status], ['done', 'done']);
    assert.ok(second?.status === 'failed' && second.error instanceof TaskError);
    assert.match(second.error.message, /failed: ValueError: the result of task 1: result\.a\[0\]\.b is a function/);
  });
});
