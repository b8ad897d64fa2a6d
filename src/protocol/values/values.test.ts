import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import vm from 'node:vm';
import fc from 'fast-check';
import { ValueStatus } from '../../model/envelope.ts';
import { decodeColumn, encodeColumn, sliceColumn } from './column.ts';
import { ColumnWriter } from './column-writer.ts';
import { decodeValue, encodeValue, fromJsonText, toJsonText } from './value.ts';
import { ValueError } from './value-error.ts';

const roundTrip = (value: unknown): unknown => {
  const { bytes, encoding } = encodeValue(value);
  return decodeValue(bytes, encoding);
};
const textOf = (value: unknown): string => {
  const { bytes, encoding } = encodeValue(value);
  return toJsonText(bytes, encoding);
};
const columnTrip = (values: unknown[]): unknown[] => {
  const { lengths, status, bytes } = encodeColumn(values);
  return decodeColumn(lengths, status, bytes);
};

const typedArray = fc.oneof(
  fc.uint8Array(),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);
const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31), '\ud800', '$mh', '<'),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  typedArray,
);
/** Every kind of value that the contract allows, nested in every kind of container. */
const anything = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value')),
    fc.dictionary(
      fc.oneof(fc.constant('$mh'), fc.string()).filter((key) => key !== '__proto__'),
      tie('value'),
      {
        noNullPrototype: false,
      },
    ),
    fc.array(fc.tuple(tie('value'), tie('value'))).map((entries) => new Map(entries)),
    fc.array(tie('value')).map((items) => new Set(items)),
    fc.tuple(fc.string(), tie('value')).map(([message, cause]) => new TypeError(message, { cause })),
  ),
})).value;

describe('values', () => {
  it('come back as they were, whatever they hold', () => {
    fc.assert(fc.property(anything, (value) => assert.deepStrictEqual(roundTrip(value), value)));
  });

  it('come back as they were from a column', () => {
    fc.assert(fc.property(fc.array(anything), (values) => assert.deepStrictEqual(columnTrip(values), values)));
  });

  it('come back from their JSON form on one line, bytes and undefined included', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const text = textOf(value);
        assert.doesNotMatch(text, /[\n\r]/);
        const { bytes, encoding } = fromJsonText(text);
        assert.deepStrictEqual(decodeValue(bytes, encoding), value);
        const first = encodeValue(value);
        assert.deepEqual([encoding, Uint8Array.from(bytes)], [first.encoding, Uint8Array.from(first.bytes)]);
      }),
    );
  });

  it('are plain JSON wherever JSON says everything', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        fc.pre(!JSON.stringify(value).includes('"$mh"') && !hasMinusZero(value));
        assert.equal(textOf(value), JSON.stringify(value));
      }),
    );
  });

  it('keep the sign of zero, holes, null prototypes and shared or cyclic references', () => {
    assert.ok(Object.is(roundTrip(-0), -0));
    assert.deepStrictEqual(columnTrip([0, -0, { zero: -0 }]), [0, -0, { zero: -0 }]);
    const holes = [1, 2, 3];
    delete holes[1];
    assert.deepStrictEqual(roundTrip(holes), holes);
    const sparse: number[] = [];
    sparse[4_000_000_000] = 7;
    assert.equal((roundTrip(sparse) as number[])[4_000_000_000], 7);
    assert.equal(Object.getPrototypeOf(roundTrip(Object.create(null)) as object), null);
    const point = { x: 1 };
    const shared = roundTrip({ a: point, b: point }) as { a: unknown; b: unknown };
    assert.equal(shared.a, shared.b);
    const cyclic: { self?: unknown; list: unknown[] } = { list: [] };
    cyclic.self = cyclic;
    cyclic.list.push(cyclic.list);
    const back = roundTrip(cyclic) as typeof cyclic;
    assert.equal(back.self, back);
    assert.equal(back.list[0], back.list);
  });

  it('keep of an error its kind, message, stack, cause, code and inner errors', () => {
    const cause = new RangeError('too far');
    const error = Object.assign(new AggregateError([cause, 'text'], 'both', { cause }), { code: 'E_BOTH' });
    const back = roundTrip({ error }) as { error: AggregateError & { code: string } };
    assert.ok(back.error instanceof AggregateError);
    assert.deepStrictEqual(back.error, error);
    assert.equal(back.error.stack, error.stack);
    assert.equal(back.error.cause, back.error.errors[0]);
    class TooCold extends Error {
      override name = 'TooCold';
    }
    const cold = roundTrip(new TooCold('brr')) as Error;
    assert.deepEqual([cold.name, cold.message, cold instanceof Error], ['TooCold', 'brr', true]);
    assert.equal((roundTrip(vm.runInNewContext('new TypeError("elsewhere")')) as Error).name, 'TypeError');
  });

  it('of another realm are plain values here', () => {
    assert.deepStrictEqual(roundTrip(vm.runInNewContext('({ a: [1, { b: 2 }] })')), { a: [1, { b: 2 }] });
    assert.deepStrictEqual(roundTrip(vm.runInNewContext('new Map([[1, new Set([2])]])')), new Map([[1, new Set([2])]]));
    assert.equal(textOf(vm.runInNewContext('({ a: [1] })')), '{"a":[1]}');
  });

  it('send only the visible bytes of a view', () => {
    const pool = new Uint8Array(1000).fill(7);
    const view = pool.subarray(10, 12);
    assert.deepStrictEqual(roundTrip({ view }), { view: Uint8Array.of(7, 7) });
    assert.ok(textOf({ view }).length < 100);
    assert.deepStrictEqual(roundTrip({ text: Buffer.from('hi') }), { text: Uint8Array.of(104, 105) });
    const memory = new Int16Array(new SharedArrayBuffer(4));
    assert.deepStrictEqual(roundTrip([memory]), [new Int16Array(2)]);
  });

  it('that look like a tag are not taken for one', () => {
    for (const value of [{ $mh: -1 }, { $mh: [[1]] }, { $mh: {} }, { $mh: 'x', more: 1 }, [{ $mh: -1 }]]) {
      assert.deepStrictEqual(columnTrip([value, 1]), [value, 1]);
      assert.deepStrictEqual(roundTrip(value), value);
    }
  });

  it('may be 1,000 levels deep', () => {
    const deep = (levels: number, inner: unknown) => {
      let value: unknown = inner;
      for (let level = 0; level < levels; level += 1) value = [value];
      return value;
    };
    assert.deepStrictEqual(roundTrip(deep(1000, 1)), deep(1000, 1));
    assert.deepStrictEqual(roundTrip(deep(900, undefined)), deep(900, undefined));
    assert.throws(() => encodeValue(deep(50_000, 1)), /^ValueError: value(\[0\]){12}….* lies deeper than 1000 levels/);
  });
});

describe('a value that cannot be sent', () => {
  class User {
    name = 'x';
  }
  const cases: [string, unknown, RegExp][] = [
    [
      'function',
      { rows: [1, 2, 3, { callback() {} }] },
      /^value\.rows\[3\]\.callback is a function \(callback\); send/,
    ],
    ['the value itself', () => 1, /^value is a function; send data/],
    ['symbol', { 'odd key': Symbol('s') }, /^value\["odd key"\] is a symbol; send a string/],
    ['symbol key', [{ [Symbol('s')]: 1 }], /^value\[0\] has the key Symbol\(s\); use string keys/],
    ['instance', { user: new User() }, /^value\.user is an instance of User; send a plain object/],
    [
      'in a map',
      new Map([['a', new Map([[{}, new User()]])]]),
      /^value\.get\("a"\)\.get\(key 0\) is an instance of User/,
    ],
    ['map key', new Map([[new User(), 1]]), /^value\.keys\(\)\[0\] is an instance of User/],
    ['in a set', { tags: new Set([1, () => 1]) }, /^value\.tags\.values\(\)\[1\] is a function/],
    ['in a cause', new Error('x', { cause: { f: () => 1 } }), /^value\.cause\.f is a function \(f\)/],
    ['promise', { later: Promise.resolve(1) }, /^value\.later is a Promise; await it first/],
    ['regexp', [/x/], /^value\[0\] is a RegExp; send its source/],
    ['url', { at: new URL('http://localhost') }, /^value\.at is a URL; send its href/],
    ['buffer', new ArrayBuffer(1), /^value is an ArrayBuffer; send new Uint8Array\(it\)/],
    ['boxed', { n: Object(1) }, /^value\.n is a Number; send the plain number/],
    ['array subclass', { list: new (class Rows extends Array {})() }, /^value\.list is an instance of Rows/],
    ['map subclass', { map: new (class Index extends Map {})() }, /^value\.map is an instance of Index/],
    ['weak map', { map: new WeakMap() }, /^value\.map is a WeakMap; send a Map/],
    ['getter', { get now() { throw new Error('no clock'); } }, /^value\.now could not be read: its getter threw "no clock"/], // biome-ignore format: one case a line
    ['__proto__ beside a tag', [Number.NaN, JSON.parse('{"__proto__":1}')], /^value\[1\]\.__proto__ is a key named/],
    ['__proto__ before a tag', { a: JSON.parse('{"__proto__":1}'), b: 1n }, /^value\.a\.__proto__ is a key named/],
  ];
  for (const [title, value, message] of cases) {
    it(`is refused by its path: ${title}`, () => {
      assert.throws(
        () => encodeValue(value),
        (error) => error instanceof ValueError && message.test(error.message),
      );
      const writer = new ColumnWriter();
      writer.append('é');
      assert.throws(() => writer.append(value), ValueError);
      writer.append(5);
      const { lengths, status, bytes } = writer.finish();
      assert.deepEqual(decodeColumn(lengths, status, bytes), ['é', 5]);
    });
  }

  it('is refused when an error takes part in a cycle', () => {
    const error: Error & { cause?: unknown } = new Error('x');
    error.cause = { error };
    assert.throws(
      () => encodeValue({ error }),
      /^ValueError: value\.error is an Error in a value that contains itself/,
    );
  });

  it('is named with its index in a column, and by any root', () => {
    assert.throws(() => encodeColumn([1, { f: () => 1 }]), /^ValueError: value 1: value\.f is a function/);
    assert.equal(new ValueError('.a', 'is odd').about('input 7: input').message, 'input 7: input.a is odd');
  });
});

describe('a column', () => {
  it('is the inside of a JSON array, with no bytes for undefined', () => {
    const { lengths, status, bytes } = encodeColumn([1, undefined, 'é', { a: [true] }]);
    assert.equal(Buffer.from(bytes).toString(), '1,"é",{"a":[true]},');
    assert.deepEqual([...lengths], [2, 0, 5, 13]);
    assert.equal(status, undefined);
  });

  it('can be cut at any run, and joined again', () => {
    const runs = fc
      .array(anything, { maxLength: 20 })
      .chain((values) => fc.tuple(fc.constant(values), fc.nat(values.length), fc.nat(values.length)));
    fc.assert(
      fc.property(runs, ([values, one, other]) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const { lengths, status, bytes } = sliceColumn(encodeColumn(values), from, to);
        assert.deepStrictEqual(decodeColumn(lengths, status, bytes), values.slice(from, to));
      }),
    );
  });

  it('has right lengths for long runs of mixed text, across every flush', () => {
    const words = ['plain', 'é', '漢字', '😀', 7, -123_456_789, undefined, { k: 'ü'.repeat(50) }, Uint8Array.of(9)];
    const values = Array.from({ length: 20_000 }, (_, index) => words[(index * 7 + (index >> 8)) % words.length]);
    const { lengths, status, bytes } = encodeColumn(values);
    let start = 0;
    for (let index = 0; index < values.length; index += 1) {
      const end = start + (lengths[index] as number);
      assert.deepEqual(decodeValue(bytes.subarray(start, end), status?.[index] ?? 0), values[index]);
      start = end;
    }
    assert.deepStrictEqual(decodeColumn(lengths, status, bytes), values);
  });

  it('writes every integer as JSON does', () => {
    const edges = [0, 9, 10, 99, 100, 999, 1000, 9999, 1e4, 99999, 1e5, 999999, 1e6, 1e7, 1e8, 999999999, 1e9];
    const all = [...edges, 2 ** 31 - 1, 2 ** 31, 2 ** 53].flatMap((value) => [value, -value || 0]).concat(-(2 ** 31));
    assert.equal(Buffer.from(encodeColumn(all).bytes).toString(), `${all.join(',')},`);
    fc.assert(fc.property(fc.array(fc.integer()), (list) => assert.deepEqual(columnTrip(list), list)));
  });

  it('takes values one by one, gives the last one back, and is empty after finish', () => {
    const writer = new ColumnWriter();
    assert.equal(writer.append(12), 3);
    assert.equal(writer.append({ text: 'ü' }), 13);
    assert.deepEqual(decodeValue(writer.pop().bytes, ValueStatus.json), { text: 'ü' });
    writer.append(new Uint8Array(10));
    assert.deepEqual(writer.pop(), { encoding: ValueStatus.bytes, bytes: new Uint8Array(10) });
    writer.append('x');
    writer.appendRecord(ValueStatus.failed, { name: 'Error' });
    assert.equal(writer.count, 3);
    assert.equal(writer.byteLength, 3 + 4 + 17);
    const first = writer.finish();
    assert.deepEqual(decodeColumn(first.lengths, first.status, first.bytes), [12, 'x', { name: 'Error' }]);
    assert.deepEqual([...(first.status ?? [])], [0, 0, ValueStatus.failed]);
    assert.deepEqual([writer.count, writer.byteLength], [0, 0]);
    writer.append(1);
    assert.equal(writer.finish().status, undefined);
  });

  it('keeps a status for each value when the odd one comes early', () => {
    const values: unknown[] = [Uint8Array.of(1), ...Array.from({ length: 5000 }, (_, index) => `v${index}`)];
    assert.equal(encodeColumn(values).status?.length, 5001);
    assert.deepEqual(columnTrip(values), values);
  });

  it('that is broken is refused, and the bad value named', () => {
    const of = (...texts: string[]): [Uint32Array, undefined, Uint8Array] => [
      Uint32Array.from(texts, (text) => Buffer.byteLength(text)),
      undefined,
      Buffer.from(texts.join('')),
    ];
    assert.throws(() => decodeColumn(...of('1,', '{"a":,', '2,')), /^ValueError: value 1 of the column is not JSON: /);
    assert.throws(() => decodeColumn(...of('1,', '1,2,')), /^ValueError: value 1 of the column is not JSON/);
    assert.throws(() => decodeColumn(...of('[1,', '2],')), /^ValueError: value 0 of the column is not JSON/);
    assert.throws(() => decodeColumn(...of('1,', '2')), /column does not end with a comma/);
    assert.throws(
      () => decodeColumn(Uint32Array.of(2, 9), undefined, Buffer.from('1,')),
      /add up to 11 bytes, but .* 2/,
    );
    assert.throws(() => decodeColumn(Uint32Array.of(2), new Uint8Array(2), Buffer.from('1,')), /1 lengths and 2 stat/);
    assert.throws(() => decodeColumn(Uint32Array.of(4), undefined, Uint8Array.of(34, 255, 34, 44)), /0 .* not UTF-8/);
    assert.throws(() => decodeColumn(...of('{"$mh":7},')), /is not a tagged value/);
  });
});

describe('hostile bytes', () => {
  const decode = (text: string): unknown => decodeValue(Buffer.from(text), ValueStatus.json);

  it('pollute no prototype', () => {
    const forged = [
      '{"__proto__":{"polluted":1}}',
      '{"constructor":{"prototype":{"polluted":1}}}',
      '{"$mh":[{"__proto__":1},{"polluted":2},3]}',
      '{"$mh":[["null","__proto__",1],{"polluted":2},3]}',
      '{"$mh":[["__proto__",1],{"polluted":1}]}',
      '{"$mh":[["Error",1],{"name":2,"__proto__":3},"x",{"polluted":2}]}',
      '{"$mh":[["Error",1],{"name":2,"message":2},"constructor"]}',
    ];
    for (const text of forged) {
      try {
        const copy = { ...(decode(text) as object) };
        assert.equal((copy as { polluted?: unknown }).polluted, undefined);
      } catch (error) {
        assert.ok(error instanceof ValueError, String(error));
      }
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  it('never pollute, hang or crash, whatever is under the tag', () => {
    const word = fc.constantFrom(
      'Map',
      'Set',
      'Date',
      'Error',
      'RegExp',
      'URL',
      'Object',
      'BigInt',
      'null',
      'DataView',
    );
    const atom = fc.oneof(
      word,
      fc.integer({ min: -8, max: 8 }),
      fc.constantFrom('__proto__', 'ArrayBuffer', 'Int8Array'),
    );
    const row = fc.oneof(atom, fc.array(atom), fc.dictionary(fc.oneof(fc.constant('__proto__'), fc.string()), atom));
    const names = Object.getOwnPropertyNames(Object.prototype).join();
    fc.assert(
      fc.property(fc.array(row), (flat) => {
        try {
          decode(JSON.stringify({ $mh: flat }));
        } catch (error) {
          assert.ok(error instanceof ValueError, String(error));
        }
        assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), names);
      }),
      { numRuns: 2000 },
    );
  });

  it('of a kind that no value has are refused', () => {
    assert.throws(() => decode('{"$mh":[["RegExp","x"]]}'), /tagged as RegExp, which is not one of the kinds/);
    assert.throws(() => decode('{"$mh":[["Temporal.Instant","x"]]}'), /tagged as Temporal\.Instant/);
    const chain = Array.from({ length: 200_000 }, (_, index) => [index + 1]);
    assert.throws(() => decode(JSON.stringify({ $mh: [...chain, 1] })), ValueError);
  });

  it('as JSON text from outside are kept as written, on one line', () => {
    const row = fromJsonText(' {"a": 1.0,\n "b": "x"} ');
    assert.equal(toJsonText(row.bytes, row.encoding), '{"a":1,"b":"x"}');
    const exact = fromJsonText('{"a": 1.0}');
    assert.equal(toJsonText(exact.bytes, exact.encoding), '{"a": 1.0}');
    assert.deepEqual(decodeValue(fromJsonText('"\ud800"').bytes, 0), '\ud800');
    assert.throws(() => fromJsonText('{"a":'), /^ValueError: value is not JSON: /);
  });
});

function hasMinusZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasMinusZero);
  return Object.is(value, -0);
}
