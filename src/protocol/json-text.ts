/** Where a text stops being JSON, and what should stand there. */
export interface JsonBreak {
  readonly line: number;
  readonly column: number;
  readonly problem: string;
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

/** V8 says for some mistakes where they are and for others not. Undefined: the text is JSON. */
export function breakOf(text: string): JsonBreak | undefined {
  const found = scan(text);
  if (found === undefined) return undefined;
  const before = text.slice(0, found.at);
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line++;
  const next = text.codePointAt(found.at);
  const what = next === undefined ? 'the text ends' : `there is ${JSON.stringify(String.fromCodePoint(next))}`;
  return { line, column: found.at - lineStart + 1, problem: `${what} where ${found.wanted} should be` };
}

interface Found {
  readonly at: number;
  readonly wanted: string;
}

/** Follows the grammar without a stack of calls, so that nesting costs nothing. */
function scan(text: string): Found | undefined {
  const open: ('{' | '[')[] = [];
  let at = after(SPACE, text, 0);
  for (;;) {
    const value = takeValue(text, at, open);
    if (typeof value !== 'number') return value;
    at = after(SPACE, text, value);
    // What has just been opened and is not closed at once wants a value next; else something ends here.
    let wantsValue = text[value - 1] === '{' || text[value - 1] === '[' ? startsInside(text, at, open) : false;
    while (wantsValue === false) {
      const inside = open.at(-1);
      if (inside === undefined) return at === text.length ? undefined : { at, wanted: 'the end' };
      const close = inside === '{' ? '}' : ']';
      if (text[at] === close) {
        open.pop();
        at = after(SPACE, text, at + 1);
      } else if (text[at] === ',') {
        at = after(SPACE, text, at + 1);
        wantsValue = true;
      } else {
        return { at, wanted: `"," or "${close}"` };
      }
    }
    if (open.at(-1) === '{') {
      const name = takeName(text, at);
      if (typeof name !== 'number') return name;
      at = name;
    }
  }
}

/** False: the object or array is empty. */
function startsInside(text: string, at: number, open: readonly string[]): boolean {
  return text[at] !== (open.at(-1) === '{' ? '}' : ']');
}

/** The end of a scalar, or of the bracket that opens something. */
function takeValue(text: string, at: number, open: ('{' | '[')[]): number | Found {
  const first = text[at];
  if (first === '"') return takeString(text, at);
  if (first === '{' || first === '[') {
    open.push(first);
    return at + 1;
  }
  const end = after(SCALAR, text, at);
  return end === at ? { at, wanted: 'a value' } : end;
}

/** A name and its colon: where the value begins. */
function takeName(text: string, at: number): number | Found {
  if (text[at] !== '"') return { at, wanted: 'a name in double quotes' };
  const end = takeString(text, at);
  if (typeof end !== 'number') return end;
  const colon = after(SPACE, text, end);
  return text[colon] === ':' ? after(SPACE, text, colon + 1) : { at: colon, wanted: '":"' };
}

function takeString(text: string, start: number): number | Found {
  for (let at = start + 1; ; ) {
    const code = text.charCodeAt(at);
    if (code === 34) return at + 1;
    if (Number.isNaN(code) || code < 32) return { at, wanted: 'the rest of a string' };
    if (code !== 92) {
      at++;
      continue;
    }
    const end = after(ESCAPE, text, at);
    if (end === at) return { at: at + 1, wanted: 'one of the escapes of JSON' };
    at = end;
  }
}

function after(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/**
 * Whether brackets are nested deeper than so many levels. Looked at before a text is parsed: what is nested a million
 * times would keep the parser busy for many seconds.
 */
export function isDeeperThan(text: string, levels: number): boolean {
  if (text.length <= levels) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 34) {
      at = endOfString(text, at);
      if (at === -1) return false;
    } else if (code === 91 || code === 123) {
      if (++depth > levels) return true;
    } else if (code === 93 || code === 125) {
      depth--;
    }
  }
  return false;
}

function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 92) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}
