import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../errors.ts';
import { type ArgumentOptions, gathered, readArguments } from './arguments.ts';
import { splitCommandLine } from './command-line.ts';
import { parseHalt } from './halt.ts';
import { type Packing, packed } from './packing.ts';
import { cutBlocks } from './pipe-blocks.ts';

const plain: ArgumentOptions = {
  isNullSeparated: false,
  colsep: undefined,
  hasHeader: false,
  trim: 'n',
  joinsLines: false,
};

async function lists(words: string, options: Partial<ArgumentOptions> = {}): Promise<unknown> {
  const { sources } = splitCommandLine(words.split(' '));
  return gathered((await readArguments(sources, { ...plain, ...options })).lists);
}

describe('the values of a command line', () => {
  it('are each with every other, or side by side', async () => {
    assert.deepEqual(await lists('c ::: 1 2'), [['1'], ['2']]);
    assert.deepEqual(await lists('c ::: 1 2 ::: a b'), [['1', 'a'], ['1', 'b'], ['2', 'a'], ['2', 'b']]); // biome-ignore format: one line
    assert.deepEqual(await lists('c ::: 1 2 3 :::+ a b'), [['1', 'a'], ['2', 'b']]); // biome-ignore format: one line
    assert.deepEqual(await lists('c ::: 1 ::: a b :::+ x y'), [['1', 'a', 'x'], ['1', 'b', 'y']]); // biome-ignore format: one line
    assert.deepEqual(await lists('c ::: 1 2 :::'), []);
  });

  it('are cut, trimmed and put together', async () => {
    assert.deepEqual(await lists('c ::: 1,2 3', { colsep: /,/ }), [['1', '2'], ['3']]);
    assert.deepEqual(await lists('c :::: /dev/null ::: 1'), []);
  });

  it('go on where one ends with a space', async () => {
    const { lists: read } = await readArguments(
      [{ kind: 'values', values: ['a ', ' ', 'b', '', 'c\t'], isLinked: false }],
      {
        ...plain,
        joinsLines: true,
      },
    );
    assert.deepEqual(await gathered(read), [['a  b'], [''], ['c\t']]);
  });

  it('are put together: so many, as many as fit, and the rest spread over the slots', async () => {
    const pack = async (words: string, packing: Packing) => {
      const { sources } = splitCommandLine(`c ::: ${words}`.split(' '));
      return (await gathered(packed((await readArguments(sources, plain)).lists, packing))).map((list) =>
        list.join(' '),
      );
    };
    const slots = async () => 2;
    const fill = { bytesOf: (list: readonly string[]) => list.join('').length, room: 4 };
    assert.deepEqual(await pack('1 2 3', { most: 2 }), ['1 2', '3']);
    assert.deepEqual(await pack('1 2', { most: 0 }), ['', '']);
    assert.deepEqual(await pack('1 2 3', { most: 3, slots }), ['1 2', '3']);
    assert.deepEqual(await pack('1 2 3 4 5 6 7', { slots }), ['1 2 3 4', '5 6 7']);
    assert.deepEqual(await pack('a bbb cccc dd', { fill }), ['a bbb', 'cccc', 'dd']);
    assert.deepEqual(await pack('a bbb c d e', { fill, slots }), ['a bbb', 'c d', 'e']);
    await assert.rejects(pack('a bbbbb', { fill }), /a command line with one argument alone is too long: "bbbbb"$/);
  });

  it('that go with none are refused', () => {
    assert.throws(
      () => splitCommandLine(['c', ':::+', 'a']),
      /:::\+ goes with the values before it, and there are none/,
    );
    assert.throws(() => splitCommandLine(['c', '::::']), /:::: needs the name of a file/);
  });
});

it('standard input is cut into blocks of whole lines, wherever its pieces end', async () => {
  async function* pieces(size: number) {
    const bytes = Buffer.from('aa\nbbbb\nc\ndd');
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  for (const size of [1, 2, 5, 100]) {
    const cut = async (most: number, lines?: number) =>
      (await gathered(cutBlocks(pieces(size), { size: most, lines }))).map((block) => Buffer.from(block).toString());
    assert.deepEqual(await cut(6), ['aa\n', 'bbbb\n', 'c\ndd']);
    assert.deepEqual(await cut(2), ['aa\n', 'bbbb\n', 'c\n', 'dd']);
    assert.deepEqual(await cut(1_000, 2), ['aa\nbbbb\n', 'c\ndd']);
  }
});

it('--halt takes what is promised', () => {
  assert.deepEqual(parseHalt('now,fail=2'), { when: 'now', what: 'fail', count: 2 });
  assert.deepEqual(parseHalt('-1'), { when: 'soon', what: 'success', count: 1 });
  for (const text of ['now', 'now,fail', 'now,fail=0', 'soon,fail=10%', 'never,fail=1', '3'])
    assert.throws(() => parseHalt(text), UsageError);
});
