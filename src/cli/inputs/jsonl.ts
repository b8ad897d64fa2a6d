import { InputError } from './input-error.ts';
import type { Revive } from './inputs.ts';
import { lineGroups, type Source } from './lines.ts';

/**
 * One JSON value a line. Strict: a line that is no JSON, an empty one too, ends it with its number. Only after the last
 * value may lines be empty, as editors and `echo` leave them.
 */
export async function* readJsonLines(source: Source, revive: Revive): AsyncGenerator<unknown> {
  let empty: number | undefined;
  for await (const { first, lines } of lineGroups(source)) {
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i] as string;
      if (line.trim() === '') {
        empty ??= first + i;
        continue;
      }
      if (empty !== undefined) throw new InputError(source.name, empty, 'is empty; each line must be one JSON value');
      yield parse(source, line, first + i, revive);
    }
  }
}

function parse(source: Source, line: string, number: number, revive: Revive): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    throw new InputError(source.name, number, `is not JSON: ${withoutPlace((error as Error).message)}`, {
      cause: error,
    });
  }
  try {
    return revive(parsed);
  } catch (error) {
    throw new InputError(source.name, number, (error as Error).message, { cause: error });
  }
}

/** The parser counts lines, too, but from the start of this one. */
function withoutPlace(message: string): string {
  return message.replace(/ \(line \d+ column \d+\)$/, '');
}
