import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'manyhands';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { typeDocument } from '../../test/support/documents.ts';
import { TRANSLATIONS, translations } from './corpus.ts';
import countWords, { add, type Count, nothing, top } from './count.ts';

async function countOf(...codes: string[]): Promise<Count[]> {
  const counts: Count[] = [];
  for await (const text of translations(codes)) counts.push(countWords(text));
  return counts;
}

test('the corpus has more than 500 translations, each with a text of its own', async () => {
  assert.ok(TRANSLATIONS.length > 500);
  assert.equal(new Set(TRANSLATIONS.map((translation) => translation.code)).size, TRANSLATIONS.length);
});

test('the English declaration says "everyone has the right" as often as a plain search finds it', async () => {
  const [english] = await countOf('eng');
  let html = '';
  for await (const text of translations(['eng'])) html = text.html;
  const plain = html.slice(html.indexOf('<body>')).toLowerCase();
  for (const word of ['everyone', 'freedom', 'slavery', 'right', 'whereas']) {
    assert.equal(
      english?.often.get(word),
      plain.match(new RegExp(`(?<![\\p{L}'’])${word}(?![\\p{L}'’])`, 'gu'))?.length,
      word,
    );
  }
  assert.equal(
    english?.words,
    [...(english?.often.values() ?? [])].reduce((a, b) => a + b),
  );
});

test('languages without spaces are split into words too', async () => {
  const [thai] = await countOf('tha');
  assert.ok((thai?.often.get('สิทธิ') ?? 0) > 20, 'the Thai word for right');
  const longest = Math.max(...[...(thai?.often.keys() ?? [])].map((word) => word.length));
  assert.ok(longest < 30, `a Thai word of ${longest} letters would be an unsplit line`);
});

test('tags, entities and numbers are not words; upper and lower case are one', () => {
  const count = countWords({
    language: 'en',
    html: '<html><head><title>no</title></head><body><p lang="x">Law &#x26; law, 30 LAWs</p></body>',
  });
  assert.deepEqual(top(count, 9), [
    ['law', 2],
    ['laws', 1],
  ]);
});

test('adding counts gives the same total in any order', async () => {
  const counts = await countOf('eng', 'fra', 'spa');
  const separately = counts.map((count) => count.often.get('la') ?? 0);
  const forwards = counts.reduce(add, nothing());
  assert.deepEqual(top(forwards, 1e9), top(counts.reverse().reduce(add, nothing()), 1e9));
  assert.equal(forwards.texts, 3);
  assert.equal(
    forwards.often.get('la'),
    separately.reduce((a, b) => a + b),
  );
});

/** Languages that put something that is no letter between words, so that a regular expression can find them too. */
const SPACED = [
  'arb',
  'deu_1996',
  'eng',
  'fra',
  'hin',
  'ita',
  'nld',
  'pol',
  'por_PT',
  'rus',
  'spa',
  'swh',
  'tur',
  'vie',
];

/** The same by other means: tags become line breaks, and a word is letters, with an apostrophe only inside. */
function independentCount(html: string, language: string): Map<string, number> {
  const text = html
    .slice(html.indexOf('<body>'))
    .replace(/<[^>]*>/g, '\n')
    .replaceAll('&#x26;', '&');
  const often = new Map<string, number>();
  for (const [word] of text.normalize('NFC').toLocaleLowerCase(language).matchAll(WORD)) {
    if (!/^\p{N}+$/u.test(word)) often.set(word, (often.get(word) ?? 0) + 1);
  }
  return often;
}
const WORD = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*/gu;

test('on a farm, every word of fourteen languages is found as often as a regular expression finds it', async (t) => {
  // Where no server has its data, so that one is started for this test alone.
  process.env['XDG_STATE_HOME'] = temporaryDirectory(t);
  const farm = await connect();
  t.after(() => farm.close());
  const job = await farm.map<typeof countWords>(new URL('./count.ts', import.meta.url), translations(SPACED));
  const counts = await job.values();
  let at = 0;
  for await (const { code, html, language } of translations(SPACED)) {
    const expected = independentCount(html, language);
    const counted = counts[at++] as Count;
    assert.deepEqual(new Map([...counted.often].sort()), new Map([...expected].sort()), code);
    assert.equal(
      counted.words,
      [...expected.values()].reduce((a, b) => a + b),
    );
    assert.ok(counted.words > 1_000, `${code} is a whole text`);
  }
  assert.equal(at, SPACED.length);
});

test('its README prints what it says it prints, for all languages', { timeout: 170_000 }, async (t) => {
  assert.equal(await typeDocument(t, 'examples/wordcount/README.md'), 2);
});
