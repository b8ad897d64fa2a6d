import { type AnyNode, type Expression, type Program, parse } from 'acorn';
import { ReadFault } from '../read-fault.ts';

/**
 * The task module that a pasted text is: a module as it is, and of a function alone one that exports it. It is only
 * read, never run here. Throws a {@link ReadFault} where it does not compile.
 */
export function taskModule(text: string): string {
  if (text.trim() === '') throw new ReadFault('there is no function yet: paste one, such as (x) => x * x');
  const program = moduleIn(text);
  if (program === undefined) return exported(text, expressionIn(text) ?? refuse(text));
  refuseImports(program);
  const [only, ...others] = program.body;
  const isExported = program.body.some(exportsDefault);
  if (isExported) {
    program.body.forEach(refuseNoFunction);
    return text;
  }
  if (others.length === 0 && only?.type === 'ExpressionStatement') {
    // Without what ends the statement, which cannot stand in an export.
    return exported(text.slice(0, only.expression.end) + after(text, only.expression.end), only.expression);
  }
  if (others.length === 0 && only?.type === 'FunctionDeclaration') return `export default ${text}`;
  throw new ReadFault('it exports no function: write "export default" before the one that is to run');
}

/** Brackets around the expression, and comments, stay. */
function after(text: string, end: number): string {
  return text.slice(end).replace(/;\s*$/, '');
}

function exported(text: string, expression: Expression): string {
  refuseValue(expression);
  return `export default ${text}`;
}

function moduleIn(text: string): Program | undefined {
  try {
    return parse(text, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  } catch {
    return undefined;
  }
}

/** A function without a name is no statement, but it is an expression. */
function expressionIn(text: string): Expression | undefined {
  const program = moduleIn(`(${text}\n)`);
  const [only, ...others] = program?.body ?? [];
  return others.length === 0 && only?.type === 'ExpressionStatement' ? only.expression : undefined;
}

/** Says where it stops to be JavaScript, and why. */
function refuse(text: string): never {
  try {
    parse(text, { ecmaVersion: 'latest', sourceType: 'module' });
  } catch (error) {
    const { message, loc } = error as Error & { loc?: { line: number; column: number } };
    const problem = message.replace(/ \(\d+:\d+\)$/, '');
    const line = text.split('\n')[(loc?.line ?? 1) - 1] ?? '';
    const isTyped = line[loc?.column ?? 0] === ':' || /^\s*(interface|type|enum|declare)\s/.test(line);
    const advice = isTyped ? ' (types of TypeScript have to be left out here)' : '';
    throw new ReadFault(`${problem}${advice}`, loc?.line, loc === undefined ? undefined : loc.column + 1);
  }
  throw new ReadFault('this is no function and no module');
}

function exportsDefault(node: AnyNode): boolean {
  if (node.type === 'ExportDefaultDeclaration') return true;
  if (node.type !== 'ExportNamedDeclaration') return false;
  return node.specifiers.some(({ exported }) => exported.type === 'Identifier' && exported.name === 'default');
}

function refuseNoFunction(node: AnyNode): void {
  if (node.type === 'ExportDefaultDeclaration') refuseValue(node.declaration);
}

/** What certainly is no function. A name may be one. */
function refuseValue(node: AnyNode): void {
  const isValue = ['Literal', 'TemplateLiteral', 'ObjectExpression', 'ArrayExpression', 'ClassDeclaration'];
  if (!isValue.includes(node.type) && node.type !== 'ClassExpression') return;
  const { line, column } = node.loc?.start ?? { line: 1, column: 0 };
  throw new ReadFault('this is no function: a task is a function of one input, such as (x) => x * x', line, column + 1);
}

/** Nothing is bundled here, so only what every worker of its kind has can be imported. */
function refuseImports(program: Program): void {
  for (const node of program.body) {
    const source = 'source' in node ? node.source : undefined;
    if (source === undefined || source === null || /^(node|data):/.test(String(source.value))) continue;
    const { line = 1, column = 0 } = source.loc?.start ?? {};
    const what = `it imports "${String(source.value)}", which workers do not have: paste all that it needs, or use manyhands run`;
    throw new ReadFault(what, line, column + 1);
  }
}
