import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { placeIn, type ReadFault } from '../read-fault.ts';
import { taskModule } from './code.ts';
import { readTable } from './table.ts';

/** What a worker would get. */
async function run(text: string, input: unknown): Promise<unknown> {
  const url = `data:text/javascript,${encodeURIComponent(taskModule(text))}`;
  const { default: fn } = (await import(url)) as { default: (input: unknown) => unknown };
  return fn(input);
}

describe('a pasted function becomes a module', () => {
  const squares = [
    '(x) => x * x',
    '(x) => x * x;',
    'x => x * x // squares',
    '  (x) => {\n  return x * x;\n};\n\n',
    'async (x) => x * x',
    'function (x) { return x * x; }',
    'function square(x) { return x * x; }',
    'async function square(x) { return x * x; }',
    '((x) => x * x)',
    '((x) => x * x);',
    'export default (x) => x * x;',
    'const square = (x) => x * x;\nexport default square;',
    'const square = (x) => x * x;\nexport { square as default };',
    'import { setTimeout } from "node:timers/promises";\nexport default async (x) => (await setTimeout(1), x * x);',
    '// a comment\n/* and one more */ (x) => x * x /* the end */',
    '({ square: (x) => x * x }).square',
  ];
  for (const text of squares) test(JSON.stringify(text), async () => assert.equal(await run(text, 7), 49));
});

describe('what is no function is refused with its place', () => {
  const faults: [text: string, message: RegExp][] = [
    ['', /^there is no function yet/],
    [' \n ', /^there is no function yet/],
    ['(x) => {\n  const y = ;\n  return y;\n}', /^line 2, column 13: Unexpected token$/],
    ['(x) => x *', /^line 1, column 11: Unexpected token$/],
    ['(x: number) => x', /^line 1, column 3: .*types of TypeScript have to be left out/],
    ['export default (x) => {', /^line 1, column 24: Unexpected token$/],
    ['5', /^line 1, column 1: this is no function/],
    ['export default { x: 1 };', /^line 1, column 16: this is no function/],
    ['export default class {}', /^line 1, column 16: this is no function/],
    ['const f = (x) => x;\nf(1);', /^it exports no function: write "export default"/],
    ['import x from "lodash";\nexport default (y) => x(y);', /^line 1, column 15: it imports "lodash", which workers/],
    ['export * from "./other.js";\nexport default (y) => y;', /imports ".\/other.js"/],
  ];
  for (const [text, message] of faults) {
    test(JSON.stringify(text), () =>
      assert.throws(
        () => taskModule(text),
        (error: Error) => error.name === 'ReadFault' && message.test(error.message),
      ),
    );
  }
  test('and shown in its line', () => {
    const text = '(x) => {\n\tconst y = ;\n}';
    assert.throws(
      () => taskModule(text),
      (error: ReadFault) => placeIn(text, error) === '\tconst y = ;\n\t          ^',
    );
    assert.equal(placeIn(`${'x'.repeat(500)}!`, { line: 1, column: 501 })?.split('\n')[1]?.length, 60);
    assert.equal(placeIn('x', { line: undefined, column: undefined }), undefined);
  });
});

describe('tables', () => {
  test('are objects of texts named by the first line', () => {
    assert.deepEqual(readTable('\ufeffname,n\r\n"a, ""b""\nc",1\r\n\r\n=1+1,2', ','), [
      { name: 'a, "b"\nc', n: '1' },
      { name: '=1+1', n: '2' },
    ]);
    assert.deepEqual(readTable('a\tb\n"x\ty\n', '\t'), [{ a: '"x', b: 'y' }]);
    const [row] = readTable('__proto__,b\n1,2\n', ',');
    assert.equal(JSON.stringify(row), '{"__proto__":"1","b":"2"}');
  });
  const faults: [text: string, message: string][] = [
    ['a,b\n1,2\n1,2,3\n', 'line 3: there are 3 fields, but the header has 2'],
    ['a,a\n1,2\n', 'line 1: the column "a" is there twice'],
    ['a,\n1,2\n', 'line 1: column 2 has no name'],
    ['a,b\n1,"2\n', 'a quote that opens a field is never closed'],
    ['a,b\n1,2\n"1"x,2\n', 'line 3: '],
  ];
  for (const [text, message] of faults) {
    test(`${JSON.stringify(text)}: ${message}`, () =>
      assert.throws(
        () => readTable(text, ','),
        (error: Error) => error.name === 'ReadFault' && error.message.startsWith(message),
      ));
  }
});
