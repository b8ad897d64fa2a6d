// Counts the words of the Universal Declaration of Human Rights in all its languages, one task a translation:
//
//     node examples/wordcount/words.ts [LANGUAGE…]
import { connect } from 'manyhands';
import { TRANSLATIONS, translations } from './corpus.ts';
import type countWords from './count.ts';
import { add, type Count, nothing, top } from './count.ts';

const TASK = new URL('./count.ts', import.meta.url);

async function countAll(codes: string[]): Promise<Count> {
  await using farm = await connect();
  // The texts are read one after another as the farm takes them: they need never be in memory together.
  const job = await farm.map<typeof countWords>(TASK, translations(codes), { name: 'words' });
  return await job.reduce(add, nothing());
}

function codesOf(wanted: string[]): string[] {
  const known = TRANSLATIONS.map(({ code }) => code);
  const unknown = wanted.find((code) => !known.includes(code));
  if (unknown !== undefined) throw new RangeError(`there is no translation ${unknown}: try eng, fra or tha`);
  return wanted.length === 0 ? known : known.filter((code) => wanted.includes(code));
}

function print(total: Count): void {
  const say = (name: string, words: string): void => void process.stdout.write(`${name.padEnd(11)}${words}\n`);
  const count = (n: number): string => n.toLocaleString('en');
  say('texts', count(total.texts));
  say('words', `${count(total.words)}, ${count(total.often.size)} different ones`);
  const often = top(total, 10).map(([word, times]) => `${word} ${count(times)}`);
  say('most used', often.join(', '));
}

try {
  print(await countAll(codesOf(process.argv.slice(2))));
} catch (error) {
  process.stderr.write(`words: ${(error as Error).message}\n`);
  process.exitCode = error instanceof RangeError ? 2 : 1;
}
