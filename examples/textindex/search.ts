// Names the files in which all the words stand, those that use them most first:
//
//     node examples/textindex/search.ts WORD…
import { readFileSync } from 'node:fs';

const words = process.argv.slice(2).map((word) => word.toLowerCase());
// A map: `constructor` is a word, too.
const index = new Map<string, Record<string, number>>(Object.entries(JSON.parse(readFileSync('index.json', 'utf8'))));
const places = words.map((word) => new Map(Object.entries(index.get(word) ?? {})));
const found = [...(places[0]?.keys() ?? [])].filter((name) => places.every((files) => files.has(name)));
const times = (name: string) => places.reduce((sum, files) => sum + (files.get(name) ?? 0), 0);
for (const name of found.sort((a, b) => times(b) - times(a) || (a < b ? -1 : 1))) console.log(times(name), name);
if (found.length === 0) console.log('nowhere');
