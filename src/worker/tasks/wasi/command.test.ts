import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandOf, matcherOf } from './command.ts';

test('an input that is no command is refused with one sentence that names the place', () => {
  const cases: [unknown, RegExp][] = [
    [null, /^the input of a WebAssembly program is a text, a number, a list of them, bytes, or an object, not null$/],
    [new Map(), /, not a Map$/],
    [['a', {}], /^the input\[1\] of a WebAssembly program's input must be a text or a number, not an object$/],
    [{ argv: [] }, /has args, stdin, env, files, collect, and no "argv"$/],
    [{ args: { a: 1 } }, /^args .* must be a list of texts, not an object$/],
    [{ args: ['a\0b'] }, /^args\[0\] holds the character NUL/],
    [{ stdin: 5 }, /^stdin .* must be a text, bytes, or a blob of the farm, not 5$/],
    [{ env: ['A=1'] }, /^env .* must be an object of texts, not a list$/],
    [{ env: { A: 1 } }, /^env\.A .* must be a text, not 1$/],
    [{ env: { 'A=': '1' } }, /^env has a name that is none: "A="$/],
    [{ files: ['a'] }, /^files .* must be an object of texts and bytes, not a list$/],
    [{ files: { a: null } }, /^files\["a"\] .* must be a text, bytes, or a blob of the farm, not null$/],
    [{ collect: 'a' }, /^collect .* must be a list of names of files, not a$/],
    [{ collect: [5] }, /^collect\[0\] .* must be the name of a file, not 5$/],
  ];
  for (const [input, message] of cases) assert.throws(() => commandOf(input), { name: 'TypeError', message });
});

test('names of files that lead out of the directory are refused', () => {
  for (const name of ['../a', 'a/../../b', '/etc/passwd', 'a//b', '', '.', 'a/', 'a\0']) {
    const message = /which is no path below a directory, such as data\/words\.txt$/;
    assert.throws(() => commandOf({ files: { [name]: '' } }), { message }, name);
    assert.throws(() => commandOf({ collect: [name] }), { message }, name);
  }
  assert.deepEqual(commandOf({ collect: ['./a/b'] }).collect, ['a/b']);
});

test('a star stands for anything within a name, and every other letter for itself', () => {
  const matches = (pattern: string, path: string): boolean => matcherOf(pattern).test(path);
  assert.ok(matches('*.txt', 'a.txt') && matches('d/*', 'd/a.b') && matches('a*c*', 'abcd') && matches('a', 'a'));
  assert.ok(!matches('*', 'd/a') && !matches('*.txt', 'a-txt') && !matches('a+', 'aa') && !matches('a', 'ab'));
});
