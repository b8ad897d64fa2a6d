import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import vm from 'node:vm';
import { knownGlobals } from './globals.ts';
import { moduleFromFunction } from './inline.ts';
import { TaskCodeError } from './task-code-error.ts';

type Task = Parameters<typeof moduleFromFunction>[0];

/** Loads the module as a worker's process would, without anything of this file around it. */
async function load(fn: Task): Promise<(input: unknown) => unknown> {
  const { code } = moduleFromFunction(fn);
  return (await import(`data:text/javascript,${encodeURIComponent(code)}`)).default;
}

/** A function from exactly this text, which the type checker and the formatter would not leave alone. */
const written = (text: string): Task => vm.runInThisContext(text);

const factor = 3;
const offset = 1;

describe('an inline function that stands alone', () => {
  const methods = {
    triple(x: number) {
      return x * 3;
    },
    async later(x: number) {
      return x * 3;
    },
    ['com' + 'puted'](x: number) {
      return x * 3;
    },
  };
  class Static {
    factor = 3;
    static triple(x: number) {
      return x * 3;
    }
  }
  const forms: Record<string, Task> = {
    arrow: (x: number) => x * 3,
    'arrow without parentheses': written('x => x * 3'),
    'async arrow': async (x: number) => x * 3,
    'arrow with a body, types and defaults': (x: number, by = 3): number => {
      const result: number = x * by;
      return result;
    },
    'named function': function triple(x: number): number {
      return x === 0 ? 0 : 3 + triple(x - 1);
    },
    'anonymous function': written('(function (x) { return x * 3; })'),
    'async function': async (x: number) => x * 3,
    method: methods.triple,
    'async method': methods.later,
    'computed method': methods['computed'] as Task,
    'static method': Static.triple,
    'comment at the end': written('(x) => x * 3 // three'),
    'own this inside': (x: number) => {
      class Box {
        value = x;
        get tripled() {
          return this.value * 3;
        }
      }
      return new Box().tripled;
    },
    destructuring: ({ length }: { length: number } = { length: 2 }) => length * 3 || 6,
    'imports inside': async (x: number) => {
      const { join } = await import('node:path');
      return join('a', 'b') === 'a/b' ? x * 3 : 0;
    },
    globals: (x: number) => structuredClone(x) * Math.max(3, Number(process.pid < 0), Buffer.alloc(0).length),
    'typeof of a name that may be missing': written('(x) => typeof absent === "undefined" ? x * 3 : absent'),
    'helper of a loader': written('(x) => { const f = __name((y) => y * 3, "f"); return f(x); }'),
  };
  for (const [form, fn] of Object.entries(forms)) {
    it(`becomes a module: ${form}`, async () => {
      assert.equal(await (await load(fn))(2), 6);
    });
  }

  it('has a name for people', () => {
    assert.equal(moduleFromFunction(methods.triple).sourceName, 'triple');
    assert.equal(
      moduleFromFunction(
        (
          () => (x: number) =>
            x
        )(),
      ).sourceName,
      'inline',
    );
  });
});

describe('an inline function that cannot be sent is refused', () => {
  const holder = {
    factor: 3,
    times(x: number) {
      return x * this.factor;
    },
    parent() {
      return super.toString();
    },
    get now() {
      return factor;
    },
  };
  const getter = Object.getOwnPropertyDescriptor(holder, 'now')?.get as Task;
  const places = /put it into a module of its own and give new URL\('\.\/its-name\.ts', import\.meta\.url\)/;
  const cases: [string, Task, RegExp][] = [
    [
      'a variable of its surroundings',
      (x: number) => x * factor,
      /uses factor, which is defined outside of it .* pass it in the input, define or import it inside the function, or put/,
    ],
    [
      'two variables',
      (x: number) => x * factor + offset,
      /uses factor and offset, which are defined outside .* pass them/,
    ],
    ['a variable in a default', (x = factor) => x, /uses factor,/],
    ['a variable in an inner function', () => [1].map((x) => ({ x, factor })), /uses factor,/],
    ['an imported name', () => assert.ok(true), /the function uses assert, which is defined outside|uses assert,/],
    ['a global of this program only', written('(x) => (counter = x)'), /uses counter,/],
    ['require', written('() => require("fs")'), /uses require, .* use await import\('node:…'\) inside it/],
    ['__dirname', written('() => __dirname'), /uses __dirname,/],
    ['this in a method', holder.times, /the function times uses "this", which does not travel; pass what it needs/],
    ['this in an arrow', written('() => () => this.x'), /uses "this"/],
    ['this in a function', written('(function (x) { return [x].map((y) => this.z * y); })'), /uses "this"/],
    ['super', holder.parent, /the function parent uses "super", which does not travel/],
    ['arguments of its surroundings', written('() => arguments[0]'), /uses arguments,/],
    ['a getter', getter, /is a getter or setter; give a function/],
    ['a built-in', Math.sqrt, /the function sqrt is built in .* wrap it: \(input\) => sqrt\(input\)/],
    ['a bound function', ((x: number) => x).bind(null), /made by bind\(\)/],
    ['a generator', written('(function* many() { yield 1; })'), /the function many is a generator; return one value/],
    ['an async generator method', written('({ async *many() { yield 1; } }).many'), /many is a generator/],
    ['a class', written('(class Task {})'), /the function Task is a class; give a function/],
    ['import.meta', () => import.meta.url, /uses import\.meta, which/],
    ['a package', written('async () => import("some-package")'), /imports "some-package", which workers don't have/],
    ['a file', written('async () => import("./x.ts")'), /imports "\.\/x\.ts".*then it is bundled/],
    [
      'sloppy code',
      new Function('o', 'with (o) { return x; }') as Task,
      /can't be read on its own \('with' in strict mode\)/,
    ],
  ];
  for (const [title, fn, message] of cases) {
    it(`for ${title}`, () => {
      assert.throws(
        () => moduleFromFunction(fn),
        (error) => {
          assert.ok(error instanceof TaskCodeError, String(error));
          assert.match(error.message, message);
          if (/defined outside/.test(error.message)) assert.match(error.message, places);
          return true;
        },
      );
    });
  }
});

it('every global of this Node is known, but not those of a CommonJS module', () => {
  const missing = Object.getOwnPropertyNames(globalThis).filter((name) => !knownGlobals.has(name));
  assert.deepEqual(missing, []);
  for (const name of ['require', 'module', 'exports', '__dirname', '__filename']) assert.ok(!knownGlobals.has(name));
});
