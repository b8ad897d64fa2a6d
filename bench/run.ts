// Measures what a user feels, as figures with their limits beside them: npm run bench [-- W1 W2 …] [--runs N] [--json FILE]

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Figure, figuresOf, formatFigure, isReached, type Question, type Sample } from './harness/figures.ts';
import { questions } from './questions/index.ts';

const USAGE = `npm run bench -- [QUESTION…] [--runs N] [--json FILE]
${questions.map(({ id, asks }) => `  ${id.padEnd(4)} ${asks}`).join('\n')}`;
const { options, positionals } = parsed();
const runs = Number(options.runs ?? 3);
const wanted = positionals.map((name) => name.toLowerCase());
const asked = questions.filter(({ id }) => wanted.length === 0 || wanted.includes(id.toLowerCase()));
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
if (asked.length === 0 || !Number.isInteger(runs) || runs < 1) {
  console.error(`bench: choose from ${questions.map(({ id }) => id).join(' ')}, and --runs from 1 up`);
  process.exit(2);
}

const built = spawnSync(process.execPath, [path.join(import.meta.dirname, '../scripts/build.ts')], {
  stdio: 'inherit',
});
if (built.status !== 0) process.exit(1);
console.log(
  `Node ${process.version}, ${os.cpus().length} × ${os.cpus()[0]?.model.trim()}, median of ${runs} (min - max)\n`,
);
const answers: { question: Question; figures: Figure[] }[] = [];
for (const question of asked) {
  console.log(`${question.id}: ${question.asks}`);
  const samples: Sample[] = [];
  for (let run = 0; run < Math.min(runs, question.runs ?? runs); run++) samples.push(...(await question.measure()));
  const figures = figuresOf(samples);
  for (const figure of figures) console.log(lineOf(figure));
  console.log('');
  answers.push({ question, figures });
}
const missed = answers.flatMap(({ figures }) => figures).filter((figure) => isReached(figure) === false);
console.log(
  missed.length === 0 ? 'every target is reached' : `not reached: ${missed.map(({ name }) => name).join(', ')}`,
);
if (options.json !== undefined) {
  const report = answers.map(({ question: { id, asks }, figures }) => ({ id, asks, figures }));
  writeFileSync(
    options.json,
    `${JSON.stringify({ node: process.version, cpus: os.cpus().length, report }, null, 2)}\n`,
  );
}

function lineOf(figure: Figure): string {
  const { name, median, min, max, unit } = figure;
  const range = figure.runs > 1 ? ` (${formatFigure(min)} - ${formatFigure(max)})` : '';
  return `  ${name.padEnd(44)} ${formatFigure(median).padStart(10)} ${unit}${range}${verdictOf(figure)}`;
}

function verdictOf(figure: Figure): string {
  if (figure.target === undefined) return '';
  const goal =
    'atLeast' in figure.target ? `≥ ${formatFigure(figure.target.atLeast)}` : `≤ ${formatFigure(figure.target.atMost)}`;
  return isReached(figure) ? `   ${goal}: reached` : `   ${goal}: NOT reached`;
}

function parsed() {
  try {
    const { values, positionals } = parseArgs({
      options: { runs: { type: 'string' }, json: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    return { options: values, positionals };
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}
