// Writes an index of all HTML files in a directory: for each word the files where it stands, and how often.
//
//     node examples/textindex/build.ts DIRECTORY [INDEX.json]
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connect } from 'manyhands';
import type textOf from './text.ts';
import type { File } from './text.ts';
import type wordsOf from './words.ts';

const [directory, file = 'index.json'] = process.argv.slice(2);
if (directory === undefined) {
  console.error('build: name the directory whose files the index is of');
  process.exit(2);
}

/** Read one after another, as the farm takes them. */
async function* files(): AsyncGenerator<File> {
  for (const name of (await readdir(directory as string)).sort())
    if (name.endsWith('.html')) yield { name, html: await readFile(path.join(directory as string, name), 'utf8') };
}

let many = 0;

await using farm = await connect();
// The second job takes the results of the first where they are: they never come here.
const texts = await farm.map<typeof textOf>(new URL('./text.ts', import.meta.url), files(), { name: 'texts' });
const words = await farm.map<typeof wordsOf>(new URL('./words.ts', import.meta.url), texts, { name: 'words' });

type Index = Map<string, Record<string, number>>;

const index = await words.reduce((all: Index, { name, often }) => {
  for (const [word, times] of often) {
    const places = all.get(word);
    if (places === undefined) all.set(word, { [name]: times });
    else places[name] = times;
  }
  many++;
  return all;
}, new Map());
await writeFile(file, JSON.stringify(Object.fromEntries(index)));
console.log(`${many} files, ${index.size.toLocaleString('en')} words: ${file}`);
