import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ValueStatus } from '../model/envelope.ts';
import { BLOCK_TASKS, ERROR_CAUSES, ERROR_MESSAGE_BYTES, HEADER_BYTES, JSON_DEPTH, LABELS } from '../model/limits.ts';
import { packColumn, readColumn, selectColumn, sliceColumn, statusOf } from './column.ts';
import {
  decodeClientMessage,
  decodeServerToClient,
  decodeServerToWorker,
  decodeWorkerMessage,
  encodeFrame,
  encodeJsonFrame,
  type Frame,
  splitFrame,
} from './frames.ts';
import { columnOf, itemTexts } from './json-frames.ts';
import { ProtocolError } from './protocol-error.ts';
import { fromWireRuns, toWireRuns } from './shapes.ts';

// A prototype that anything could write to would show in the next test; here it throws where it happens. (T-14)
Object.preventExtensions(Object.prototype);

const RUNS = Number(process.env.FUZZ_RUNS ?? 2_000);

/** Fails on anything but a refusal in one sentence. */
function orRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `${(error as Error).stack}`);
    assert.match(error.message, /^\S.{5,}$/s);
    return undefined;
  }
}

const hello = {
  kind: 'hello',
  protocol: 1,
  key: 'a'.repeat(32),
  name: 'n',
  device: 'node',
  slots: 2,
  runners: ['js'],
  labels: { a: 'b' },
  resources: { gpu: 1 },
  held: [{ lease: 1, runs: [[0, 1]] }],
};
const sound: { kind: string; [field: string]: unknown }[] = [
  hello,
  { kind: 'outcomes', lease: 1, job: 1, runs: [[0, 2]], micros: 5 },
  { kind: 'released', lease: 1, runs: [[0, 2]] },
  { kind: 'log', lease: 1, job: 1, index: 0, stream: 'stdout', text: 'x' },
  { kind: 'submit', request: 1, name: 'n', code: { runner: 'js', sha256: 'a'.repeat(64), size: 1, sourceName: 's' } },
  { kind: 'inputs', request: 1, job: 1, runs: [[0, 2]] },
  { kind: 'results', request: 1, job: 1, order: 'index', credit: 5 },
];

const column = fc
  .array(fc.tuple(fc.constantFrom<number>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255), fc.uint8Array({ maxLength: 300 })), {
    maxLength: 40,
  })
  .map((values) => packed(values));

function packed(values: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  return packColumn(
    Uint32Array.from(values, ([, bytes]) => bytes.length),
    Uint8Array.from(values, ([status]) => status),
    Buffer.concat(values.map(([, bytes]) => bytes)),
  );
}

/** A sound frame, and what a bad wire or a bad peer may make of it. */
const damaged: fc.Arbitrary<Frame> = fc
  .tuple(
    fc.constantFrom(...sound),
    fc.option(column, { nil: undefined }),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
    fc.option(fc.nat(), { nil: undefined }),
  )
  .map(([message, values, changes, cut]) => {
    const frame = encodeFrame(message, values);
    const bytes = typeof frame === 'string' ? Buffer.from(frame) : Buffer.from(frame);
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    const part = cut === undefined ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
    return typeof frame === 'string' ? part.toString('utf8') : new Uint8Array(part);
  });

/** A sound message in which one field is anything at all. */
const twisted: fc.Arbitrary<Frame> = fc
  .tuple(fc.constantFrom(...sound), fc.string(), fc.anything(), fc.boolean())
  .map(([message, field, value, known]) => {
    const fields = Object.keys(message);
    const name = known ? (fields[field.length % fields.length] as string) : field;
    return JSON.stringify({ ...message, [name]: toJson(value) });
  });

function toJson(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value) ?? 'null');
  } catch {
    return String(value);
  }
}

const frames = fc.oneof(fc.string(), fc.json(), fc.uint8Array({ maxLength: 200 }), damaged, twisted);

describe('P4 P20 F-5 T-14: whatever a peer sends is read, or refused with a sentence', () => {
  const decoders: Record<string, (frame: Frame) => unknown> = {
    decodeWorkerMessage: (frame) => decodeWorkerMessage(frame),
    'decodeWorkerMessage as text': (frame) => decodeWorkerMessage(frame, true),
    decodeClientMessage: (frame) => decodeClientMessage(frame),
    decodeServerToWorker: (frame) => decodeServerToWorker(frame),
    decodeServerToClient: (frame) => decodeServerToClient(frame),
  };
  for (const [name, decode] of Object.entries(decoders)) {
    test(name, () => {
      fc.assert(
        fc.property(frames, (frame) => {
          orRefused(() => decode(frame));
          assert.equal(({} as { polluted?: unknown }).polluted, undefined);
        }),
        { numRuns: RUNS },
      );
    });
  }

  test('some of them are read', () => {
    let read = 0;
    fc.assert(
      fc.property(damaged, (frame) => {
        if (orRefused(() => decodeWorkerMessage(frame)) !== undefined) read++;
      }),
      { numRuns: RUNS },
    );
    assert.ok(read > RUNS / 50, `${read} of ${RUNS}: the fuzz does not reach what lies behind the first check`);
  });

  test('readColumn', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), damagedColumn), (bytes) => {
        const read = orRefused(() => readColumn(bytes));
        if (read === undefined) return;
        assert.equal(read.lengths.length, read.count);
        assert.equal(
          read.lengths.reduce((sum, length) => sum + length, 0),
          read.bytes.length,
        );
        assert.ok(read.count <= bytes.length + 65_536, 'a small frame claims no large memory');
      }),
      { numRuns: 5 * RUNS },
    );
  });

  test('columnOf', () => {
    fc.assert(
      fc.property(fc.anything().map(toJson), (items) => {
        const made = orRefused(() => columnOf(items));
        if (made !== undefined) assert.equal(readColumn(made).count, (items as unknown[]).length);
      }),
      { numRuns: RUNS },
    );
  });
});

const damagedColumn = fc
  .tuple(column, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
  .map(([bytes, changes]) => {
    for (const [at, byte] of changes) bytes[at % Math.min(bytes.length, 16)] = byte;
    return bytes;
  });

describe('P5: columns', () => {
  test('what is packed is read back, and any part of it is a column of its own', () => {
    const values = fc.array(fc.tuple(fc.nat(9), fc.uint8Array({ maxLength: 70_000, size: 'small' })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(values, fc.nat(60), fc.nat(60), (all, a, b) => {
        const whole = readColumn(packed(all));
        assert.deepEqual(partsOf(whole), all);
        const [from, to] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)];
        assert.deepEqual(partsOf(readColumn(sliceColumn(whole, from, to))), all.slice(from, to));
        const even = all.map((_, i) => i).filter((i) => i % 2 === 0);
        const picked = selectColumn(
          whole,
          even.map((start) => ({ start, count: 1 })),
        );
        assert.deepEqual(
          partsOf(readColumn(picked)),
          even.map((i) => all[i]),
        );
      }),
      { numRuns: RUNS / 4 },
    );
  });

  test('values in JSON and columns say the same, both ways', () => {
    const plain = fc
      .jsonValue({ maxDepth: 4 })
      .filter((value) => JSON.stringify(value) === JSON.stringify(toJson(value)));
    const sha256 = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });
    const failure = fc.record({
      kind: fc.constantFrom('error', 'timeout', 'crash', 'memory'),
      name: fc.string({ maxLength: 20 }),
      message: fc.string({ maxLength: 50 }),
    });
    const item = fc.oneof(
      plain.map((value) => ({ value })),
      fc.constant({ undefined: true }),
      fc.uint8Array({ maxLength: 50 }).map((bytes) => ({ base64: Buffer.from(bytes).toString('base64') })),
      fc
        .tuple(sha256, fc.nat(), fc.constantFrom('json', 'bytes'))
        .map(([hash, size, as]) => ({ blob: { sha256: hash, size }, as })),
      failure.map((failed) => ({ failed })),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 30 }), (items) => {
        const texts = itemTexts(readColumn(columnOf(toJson(items))));
        assert.deepEqual(
          texts.map((text) => JSON.parse(text as string)),
          toJson(items),
        );
        const again = columnOf(texts.map((text) => JSON.parse(text as string)));
        assert.deepEqual(again, columnOf(toJson(items)));
        const frame = encodeJsonFrame({ kind: 'beat' }, texts as string[]);
        assert.deepEqual(decodeWorkerMessage(frame, true).column, again);
      }),
      { numRuns: RUNS / 2 },
    );
  });

  test('P5: the causes of a failure pass through, as far down as is kept, and nothing else of them', () => {
    const cause = { name: 'TypeError', message: 'inner', cause: { name: 'Error', message: 'innermost' } };
    const failed = { kind: 'error', name: 'Error', message: 'outer', cause };
    assert.deepEqual(failuresOf([{ failed }]), [failed]);
    let chain: object = { name: 'E', message: 'x'.repeat(ERROR_MESSAGE_BYTES + 1), stack: 'none of a cause' };
    for (let i = 0; i < ERROR_CAUSES + 3; i++) chain = { ...chain, cause: chain };
    const [long] = failuresOf([{ failed: { ...chain, kind: 'error' } }]) as [{ cause: object }];
    const text = JSON.stringify(long.cause);
    assert.equal(text.match(/"message"/g)?.length, ERROR_CAUSES);
    assert.doesNotMatch(text, /none of a cause/);
    assert.ok(text.length < (ERROR_CAUSES + 1) * ERROR_MESSAGE_BYTES);
    const odd = ['a word', null, 7, [], { name: 3 }, { message: 'm' }].map((cause) => ({
      failed: { name: 'E', message: 'm', cause },
    }));
    const kept = failuresOf(odd).map((failure) => (failure as { cause?: unknown }).cause);
    assert.deepEqual(kept, [...new Array<undefined>(5).fill(undefined), { name: 'Error', message: 'm' }]);
  });

  test('a number that JavaScript has no room for passes through as it was written', () => {
    const text = Buffer.from('[123456789012345678901234567890,1e400],');
    const [item] = itemTexts(readColumn(packColumn(Uint32Array.of(text.length), ValueStatus.json, text)));
    assert.equal(item, '{"value":[123456789012345678901234567890,1e400]}');
  });

  test('what is no JSON has no text; its neighbours do', () => {
    const values: [number, string][] = [
      [0, '1,'],
      [0, '{,'],
      [0, '\xff,'],
      [4, ''],
      [0, ''],
      [2, 'x,'],
    ];
    const texts = itemTexts(readColumn(packed(values.map(([status, text]) => [status, Buffer.from(text, 'latin1')]))));
    assert.deepEqual(texts, ['{"value":1}', undefined, undefined, undefined, '{"undefined":true}', undefined]);
  });
});

/** What is kept of failures that a text worker tells. */
function failuresOf(items: unknown[]): unknown[] {
  const texts = itemTexts(readColumn(columnOf(items)));
  return texts.map((text) => (JSON.parse(text as string) as { failed: unknown }).failed);
}

function partsOf(read: ReturnType<typeof readColumn>): [number, Uint8Array][] {
  let at = 0;
  return Array.from(read.lengths, (length, i): [number, Uint8Array] => {
    const bytes = read.bytes.slice(at, at + length);
    at += length;
    return [statusOf(read, i), new Uint8Array(bytes)];
  });
}

test('P6: runs are what they were, and those out of order are not runs', () => {
  const runs = fc.array(fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: 1000 })), { maxLength: 50 }).map((steps) => {
    let at = 0;
    return steps.map(([gap, count]) => {
      const start = at + gap + 1;
      at = start + count;
      return { start, count };
    });
  });
  fc.assert(
    fc.property(runs, (all) => {
      assert.deepEqual(fromWireRuns(toWireRuns(all)), all);
      if (all.length > 1) assert.equal(fromWireRuns(toWireRuns([...all].reverse())), undefined);
    }),
  );
  assert.equal(
    fromWireRuns([
      [0, 2],
      [1, 1],
    ]),
    undefined,
  );
  assert.deepEqual(
    fromWireRuns([
      [0, 2],
      [2, 1],
    ]),
    [{ start: 0, count: 3 }],
  );
});

test('P4: the bounds of a header are exact', () => {
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  assert.ok(splitFrame(nested(JSON_DEPTH)));
  assert.throws(() => splitFrame(nested(JSON_DEPTH + 1)), /nested deeper/);
  const header = (bytes: number) => ({ kind: 'beat', pad: 'x'.repeat(bytes - '{"kind":"beat","pad":""}'.length) });
  assert.ok(splitFrame(encodeFrame(header(HEADER_BYTES), new Uint8Array(1))));
  assert.throws(() => splitFrame(encodeFrame(header(HEADER_BYTES + 1), new Uint8Array(1))), /longer than the frame or/);
});

test('P2: labels are few, short and text, whatever is in their names', () => {
  const says = (labels: unknown) => orRefused(() => decodeWorkerMessage(JSON.stringify({ ...hello, labels })));
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
  assert.ok(says(many(LABELS)));
  assert.equal(says(many(LABELS + 1)), undefined);
  assert.ok(says({ ['x'.repeat(128)]: 'v', 'a\nb': 'v' }));
  assert.equal(says({ ['x'.repeat(129)]: 'v' }), undefined);
  assert.equal(says({ 'a\nb': { not: 'text' } }), undefined);
  assert.equal(says({ a: 1 }), undefined);
});

test('P4: the largest header that a server ever makes fits', () => {
  const most = Number.MAX_SAFE_INTEGER;
  const runs = Array.from({ length: BLOCK_TASKS / 2 }, (_, i): [number, number] => [most - 2 * BLOCK_TASKS + 2 * i, 1]);
  const attempts = runs.map(([index]): [number, number] => [index, 1_000]);
  const batch = {
    kind: 'resultBatch',
    stream: most,
    job: most,
    block: most,
    runs,
    cursor: most,
    generation: most,
    attempts,
  };
  assert.ok(decodeServerToClient(encodeFrame(batch, packColumn(new Uint32Array(0), 0, new Uint8Array(0)))));
});
