import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { breakOf, isDeeperThan } from './json-text.ts';

test('where JSON breaks is told by line and column, with what should stand there', () => {
  const cases: [string, number, number, RegExp][] = [
    ['', 1, 1, /the text ends where a value/],
    ['{"code": nope}', 1, 10, /"n" where a value/],
    ['{\n  "a": 1,\n}', 3, 1, /"}" where a name in double quotes/],
    ['{"a" 1}', 1, 6, /"1" where ":"/],
    ["{'a': 1}", 1, 2, /"'" where a name/],
    ['[1, 2', 1, 6, /ends where "," or "]"/],
    ['{"a":1 "b":2}', 1, 8, /where "," or "}"/],
    ['[1,]', 1, 4, /"]" where a value/],
    ['"a\nb"', 1, 3, /"\\n" where the rest of a string/],
    ['"abc', 1, 5, /ends where the rest of a string/],
    ['"\\x"', 1, 3, /"x" where one of the escapes/],
    ['1 2', 1, 3, /"2" where the end/],
    ['01', 1, 2, /where the end/],
    ['[] 😀', 1, 4, /"😀" where the end/],
  ];
  for (const [text, line, column, problem] of cases) {
    const found = breakOf(text);
    assert.deepEqual([found?.line, found?.column], [line, column], text);
    assert.match(found?.problem ?? '', problem, text);
  }
});

test('a text breaks exactly where the parser of V8 says, or wherever V8 refuses without saying', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'{}[]",:\\ \n-01e.+tfnu'), maxLength: 6 });
  const texts = fc.tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.nat(3), letters).map(([json, at, cut, more]) => {
    const from = at % (json.length + 1);
    return json.slice(0, from) + more + json.slice(from + cut);
  });
  fc.assert(
    fc.property(texts, (text) => {
      const said = refusalOf(text);
      const found = breakOf(text);
      assert.equal(found === undefined, said === undefined, `${said}`);
      const at = /\(line (\d+) column (\d+)\)/.exec(said ?? '');
      // Within a broken word, number or escape V8 names another of its letters.
      if (at === null || /escape|number|fractional|exponent/i.test(said ?? '')) return;
      const lines = text.split('\n').map((line) => `${line}\n`);
      const ahead = (lines[Number(found?.line) - 1] ?? '').slice(Number(found?.column) - 1);
      const word = /^[\w.+-]*/.exec(ahead)?.[0].length ?? 0;
      assert.equal(found?.line, Number(at[1]), `${text}: ${said}`);
      const beyond = Number(at[2]) - Number(found?.column);
      assert.ok(beyond >= 0 && beyond <= word, `${JSON.stringify(text)}: ${said}, not column ${found?.column}`);
    }),
    { numRuns: 20_000 },
  );
});

function refusalOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test('depth counts brackets, and not those inside strings', () => {
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  assert.equal(isDeeperThan(deep(1000), 1000), false);
  assert.equal(isDeeperThan(deep(1001), 1000), true);
  assert.equal(isDeeperThan('[]'.repeat(5000), 1000), false);
  assert.equal(isDeeperThan(JSON.stringify(`\\"${deep(2000)}\\`), 1000), false);
  assert.equal(isDeeperThan(`["\\\\",${deep(1000)}]`, 1000), true);
  assert.equal(isDeeperThan(`${deep(900)}"never closed ${deep(2000)}`, 1000), false);
});
