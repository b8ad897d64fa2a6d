/**
 * What a bundle says of its default export where that is plainly no function. A module is not run to find out, so this
 * reads the text that esbuild writes, and is silent about whatever it does not know: the worker has the last word.
 */
export type DefaultExport = 'unknown' | 'missing' | { readonly is: string };

export async function defaultExportOf(bundle: string): Promise<DefaultExport> {
  const end = bundle.lastIndexOf('\n//# sourceMappingURL=');
  const code = end < 0 ? bundle : bundle.slice(0, end + 1);
  const tail = code.slice(-4096);
  const required = /\nexport default (\w+)\(\);\n*$/.exec(tail)?.[1];
  if (required !== undefined) return isUntouched(code, required) ? 'missing' : 'unknown';
  const name = /\n {2}([\w$]+) as default\n\};\n*$/.exec(tail)?.[1];
  const at = name === undefined ? undefined : placeOfValue(code, name);
  // Most defaults are functions; only for others is a parser worth loading.
  return at === undefined || !/["'`{[\d-]|true|false|null/y.test(code.slice(at, at + 5))
    ? 'unknown'
    : valueAt(code, at);
}

/** A file that is taken for CommonJS is wrapped in a function, with the parameters that it uses: none, so it exports nothing. */
function isUntouched(code: string, required: string): boolean {
  const head = `var ${required} = __commonJS({\n`;
  const at = code.indexOf(head);
  return at >= 0 && /^ *"(?:[^"\\]|\\.)*"\(\) \{/.test(code.slice(at + head.length, at + head.length + 4096));
}

/** Where the value of a variable stands that is declared and exported, and nothing more: that might change it. */
function placeOfValue(code: string, name: string): number | undefined {
  const word = new RegExp(`(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$])`, 'g');
  const [declared, ...others] = [...code.matchAll(word)];
  const head = `\nvar ${name} = `;
  const at = (declared?.index ?? 0) - '\nvar '.length;
  return others.length === 1 && code.startsWith(head, at) ? at + head.length : undefined;
}

async function valueAt(code: string, at: number): Promise<DefaultExport> {
  const { parseExpressionAt } = await import('acorn');
  const value = parseExpressionAt(code, at, { ecmaVersion: 'latest', sourceType: 'module' });
  switch (value.type) {
    case 'ObjectExpression':
      return { is: 'an object' };
    case 'ArrayExpression':
      return { is: 'an array' };
    case 'TemplateLiteral':
      return { is: 'a string' };
    case 'Literal':
      return { is: typeof value.value === 'string' ? 'a string' : String(value.raw) };
    case 'UnaryExpression':
      return value.argument.type === 'Literal' ? { is: code.slice(value.start, value.end) } : 'unknown';
    default:
      return 'unknown';
  }
}
