/**
 * Characters that a terminal obeys instead of showing, C0, DEL and C1, and those that turn the direction of text, so that
 * a name or a result can neither move the cursor nor disguise itself (T-16).
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about.
const COMMANDS = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same, but for line feed and tab.
const COMMANDS_IN_TEXT = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

function shown(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0);
  // JSON has none of the first kind left, and may hold the others: there the long form means the same.
  return code < 0x20 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** For one line: a name, a message, a cell of a table. */
export function printable(text: string): string {
  return text.replace(COMMANDS, shown);
}

/** For text that may have several lines: line feeds and tabs stay. */
export function printableText(text: string): string {
  return text.replace(COMMANDS_IN_TEXT, shown);
}
