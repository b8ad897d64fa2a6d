import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CommandTemplate, type ExecCode, readExecCode, readExecInput, withArguments } from './exec-code.ts';
import { innerPath } from './inner-path.ts';
import { quoteForShell } from './template.ts';

const filled = (command: string, values: string[], options: Omit<ExecCode, 'command'> = {}): string =>
  new CommandTemplate({ command: withArguments(command, options), ...options }).command(values, 7, 2);

describe('a command with replacement strings', () => {
  it('gets its arguments, whole and in parts', () => {
    const command = 'c {} {.} {/} {//} {/.} {#} {%}';
    assert.equal(filled(command, ['dir/a.tar.gz']), 'c dir/a.tar.gz dir/a.tar a.tar.gz dir a.tar 7 2');
    assert.equal(filled(command, ['/x.y']), 'c /x.y /x x.y / x 7 2');
    assert.equal(filled(command, ['plain']), 'c plain plain plain . plain 7 2');
    assert.equal(filled(command, ['d/']), "c d/ d/ '' . '' 7 2");
    assert.equal(filled(command, ['./.hid']), "c ./.hid ./ .hid . '' 7 2");
  });

  it('names arguments by their place, from the first and from the last', () => {
    assert.equal(filled('c {2} {1.} {-1/} {3}.', ['a.b', 'x/y']), 'c x/y a y .');
    assert.equal(filled('c {} {.}', ['a.b', 'c.d']), 'c a.b c.d a c');
  });

  it('names arguments by the head of their column', () => {
    const names = ['in', 'input', 'a.b'];
    assert.equal(filled('c {input} {in} {a.b/}', ['1', '2', '3/4'], { names }), 'c 2 1 4');
  });

  it('has other things in braces left alone', () => {
    assert.equal(filled('c {a,b} x{}y {{}} $HOME {0} {nobody}', ['q']), 'c {a,b} xqy {q} $HOME {0} {nobody}');
  });

  it('may have another mark than {}', () => {
    assert.equal(filled('c {} ,, {.}', ['a.b'], { mark: ',,' }), 'c {} a.b a');
  });

  it('gets {} behind it when there is none', () => {
    assert.equal(filled('c -x', ['a', 'b']), 'c -x a b');
    assert.equal(filled('c', ['a'], { mark: '@' }), 'c a');
    assert.equal(filled('c {#}', ['a']), 'c 7');
    assert.equal(withArguments('wc', { pipe: true }), 'wc');
  });

  it('has a word once for each argument, where that is asked for', () => {
    const repeats = true;
    assert.equal(filled('c x{}y{2} {#}{} {1} z', ['a', 'b'], { repeats }), 'c xayb xbyb 7a 7b a z');
    assert.equal(filled('c', ['a b', 'c'], { repeats }), "c 'a b' c");
    assert.equal(filled('c x{}', ['a', 'b']), 'c xa b');
    const { sent, collected } = { sent: ['{}', '{2.}', 'x'], collected: ['{.}.o'] };
    const template = new CommandTemplate({ command: 'c', repeats, send: sent, collect: collected });
    assert.deepEqual(template.sent(['a.x', 'b.y'], 1), ['a.x', 'b.y', 'b', 'x']);
    assert.deepEqual(
      template.collected(['a.x', 'b.y'], 1, 1, (text) => text),
      ['a.o', 'b.o'],
    );
  });

  it('knows more replacement strings with --plus, and without leaves them alone', () => {
    const plus = true;
    const path = ['d/a.tar.gz'];
    assert.equal(filled('c {..} {+/} {+.} {+..} {/..}', path, { plus }), 'c d/a d gz tar.gz a');
    assert.equal(
      filled('c {%.gz} {#.*/} {##.*[.]} {:-x} {:2:3}', path, { plus }),
      'c d/a.tar a.tar.gz gz d/a.tar.gz a.t',
    );
    assert.equal(filled('c {##} {0#}', ['a'], { plus, total: 120 }), 'c 120 007');
    assert.equal(filled("c {} '{print $1}' {a,b}", ['a'], { plus }), "c a '{print $1}' {a,b}");
    assert.equal(filled('c {} {..} {##}', path), 'c d/a.tar.gz {..} {##}');
    assert.throws(
      () => filled('c {%(}', ['a'], { plus }),
      /^TypeError: a replacement string has a pattern that can't be read: /,
    );
  });

  it('is the arguments themselves when there is no command', () => {
    assert.equal(filled('', ['ls; echo', 'a b']), 'ls; echo a b');
  });
});

it('an argument is one word of a shell, whatever is in it', () => {
  const cases = [
    ['a+b_C.d-/9', 'a+b_C.d-/9'], ['', "''"], ['a b', "'a b'"], ["it's", `'it'"'"'s'`], ['$HOME', "'$HOME'"], ['a=b', "'a=b'"], ['é', "'é'"], ['a\nb', "'a\nb'"],
  ] as const; // biome-ignore format: one line
  for (const [text, word] of cases) assert.equal(quoteForShell(text), word);
});

it('a path stays below its directory, or is none', () => {
  assert.equal(innerPath('./a//b/./c.txt'), 'a/b/c.txt');
  for (const path of ['/etc/passwd', '../x', 'a/../../x', 'a/..', '', '.', 'C:x', 'a\\..\\b', 'a\0b'])
    assert.equal(innerPath(path), undefined, path);
});

describe('P24: the code and the inputs of a job of commands', () => {
  it('are read by whoever wrote them', () => {
    assert.deepEqual(readExecCode('{"command":"c","names":["a"],"pipe":false,"more":1}'), {
      command: 'c',
      names: ['a'],
    });
    assert.deepEqual(readExecInput(['a', 'b']), { args: ['a', 'b'] });
    assert.deepEqual(readExecInput({ name: 'a', size: '1' }), { args: ['a', '1'] });
    assert.deepEqual(readExecInput({ args: ['a'], sequence: 3 }), { args: ['a'], sequence: 3 });
    assert.deepEqual(readExecInput('a'), { args: ['a'] });
    assert.deepEqual(readExecInput(7), { args: ['7'] });
  });

  it('are refused with one sentence', () => {
    assert.throws(() => readExecCode('{'), /^TypeError: the code of a job of commands is not JSON: /);
    assert.throws(() => readExecCode('{"command":1}'), /has no "command", which is a text$/);
    assert.throws(() => readExecCode('{"command":"c","send":[1]}'), /"send" of a job of commands is no list of texts$/);
    assert.throws(() => readExecCode('{"command":"c","env":{"a b":"1"}}'), /"env" of a job of commands is no object/);
    assert.throws(() => readExecInput(null), /is no list of texts, which are its arguments$/);
    assert.throws(() => readExecInput({ args: [], files: [{ path: 'a' }] }), /"files" in the input of a command/);
  });
});
