// Runs the tests: `npm test` all of them, `npm test -- src/model` those whose path contains a word. Files named
// *.ci.test.ts are slow or need the registry; they run only when named in full, as by .ci/run.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';

/** The machines that check this have two cores, and many files wait for half of their time: four keep both busy. */
const FILES_AT_ONCE = Number(process.env.TEST_FILES_AT_ONCE ?? 4);
/** Those with browsers and many processes are in the first two: they are spread over the whole time, so that few run at once. */
const FOLDERS = ['test', 'examples', 'src'];
/** Files that take twenty seconds and more: they begin first, so that none of them is left over at the end, with a core that idles. */
const LONGEST = [
  'test/reliability/workers.ci.test.ts',
  'test/reliability/several-servers.ci.test.ts',
  'src/server/http/limits.ci.test.ts',
  'test/exec/parallel.ci.test.ts',
  'test/reliability/partitions.ci.test.ts',
  'examples/languages/shell-worker.ci.test.ts',
  'test/package.ci.test.ts',
  'src/server/conformance/conformance.ci.test.ts',
  'test/reliability/network.ci.test.ts',
  'test/simulation/planted.ci.test.ts',
  'test/reliability/pipelines.ci.test.ts',
  'test/browser/frozen.ci.test.ts',
  'src/cli/interrupts.ci.test.ts',
  'src/cli/run.test.ts',
  'test/readme.ci.test.ts',
  'src/cli/farm.test.ts',
  'src/client/embedded.test.ts',
  'test/browser/lend.test.ts',
  'test/browser/dashboard.test.ts',
  'src/cli/bad-input.test.ts',
  'test/simulation/simulation.test.ts',
  'src/client/reconnect.test.ts',
  'src/store/postgres/postgres-store.test.ts',
  'test/reliability/several-servers.test.ts',
  'src/store/postgres/faults.test.ts',
  'test/reliability/server-kills.test.ts',
];
/** Milliseconds after which a file counts as hung; the CI files drive whole installations. */
const FILE_TIMEOUT = Number(process.env.TEST_FILE_TIMEOUT ?? 180_000);
const CI_FILE_TIMEOUT = 1_200_000;
/** How much of what a failed test said is repeated at the end, where it is not missed. */
const SAYING_LINES = 25;
const SAYING_WIDTH = 300;

interface FileResult {
  passed: number;
  failed: number;
  skipped: string[];
  /** One for each test that failed, with what it said. */
  failures: string[];
  report: string;
}

const root = path.join(import.meta.dirname, '..');
const libraries = pathToFileURL(path.join(root, 'src/cli/entry/libraries.mjs')).href;
// Most files load half of the program, and most start it: what one compiled, the others need not.
process.env.NODE_COMPILE_CACHE ??= path.join(root, 'node_modules/.cache/manyhands-tests');

/** Runs one file in a process of its own and gathers its report, so that those of two files do not mix. */
async function runFile(file: string): Promise<FileResult> {
  const result: FileResult = { passed: 0, failed: 0, skipped: [], failures: [], report: '' };
  const timeout = file.endsWith('.ci.test.ts') ? CI_FILE_TIMEOUT : FILE_TIMEOUT;
  const hung = AbortSignal.timeout(timeout);
  const started = performance.now();
  const full = path.join(root, file);
  const events = run({
    files: [full],
    cwd: root,
    concurrency: 1,
    signal: hung,
    execArgv: ['--disable-warning=ExperimentalWarning', '--import', libraries],
  });
  let titles = 0;
  events.on('test:pass', ({ name, skip, todo, details }) => {
    // A file without a single test is reported as a test of its own that passed.
    if (name === full) return;
    titles++;
    if (details.type === 'suite' && skip === undefined) return;
    if (skip !== undefined) result.skipped.push(`${file}: ${name} (${reason(skip)})`);
    else if (todo !== undefined) result.skipped.push(`${file}: ${name} (to do: ${reason(todo)})`);
    else result.passed++;
  });
  events.on('test:fail', ({ name, todo, details }) => {
    titles++;
    // A test that fails only because of one inside it is not counted again.
    const inner = (details.error as { failureType?: string } | undefined)?.failureType === 'subtestsFailed';
    if (todo !== undefined || inner) return;
    result.failed++;
    result.failures.push(`${file}: ${name}\n${saying(details.error)}`);
  });
  for await (const text of events.compose(spec())) result.report += text;
  result.report = result.report.replace(/^ℹ \w+ [\d.]+\n/gm, '');
  if (hung.aborted) {
    result.failed = Math.max(result.failed, 1);
    const words = `did not end within ${timeout / 1000} s: a test hangs, or a timer, socket or process was left open`;
    result.report += `✖ ${file} ${words}\n`;
    result.failures.push(`${file} ${words}`);
  } else if (titles === 0) {
    result.failed++;
    result.report += `✖ ${file} holds no test\n`;
    result.failures.push(`${file} holds no test`);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  result.report = `\n${file} (${seconds} s)\n${result.report}`;
  return result;
}

/** What a failed test said, short enough to be read again at the end. */
function saying(error: Error & { cause?: unknown }): string {
  const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : error.message;
  const lines = cause.split('\n').slice(0, SAYING_LINES);
  return lines.map((line) => `    ${line.slice(0, SAYING_WIDTH)}`).join('\n');
}

function reason(given: boolean | string): string {
  return typeof given === 'string' ? given : 'no reason given';
}

function choose(words: string[]): { files: string[]; leftToCi: string[] } {
  const all = FOLDERS.flatMap((folder) => {
    const files = globSync(`${folder}/**/*.test.ts`, { cwd: root }).sort();
    return files.map((file, at) => ({ file: file.split(path.sep).join('/'), place: at / files.length }));
  })
    .sort((a, b) => a.place - b.place)
    .map(({ file }) => file);
  const gone = LONGEST.filter((file) => !all.includes(file));
  if (gone.length > 0) {
    console.log(`test/run.ts names ${gone.join(' and ')}, which is not there\n0 passed, 1 failed`);
    process.exit(1);
  }
  for (const word of words) {
    if (all.some((file) => file.includes(word))) continue;
    console.log(`no test file's path contains ${word}\n0 passed, 1 failed`);
    process.exit(1);
  }
  const wanted = all.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
  const leftToCi = wanted.filter((file) => file.endsWith('.ci.test.ts') && !words.includes(file));
  const files = wanted.filter((file) => !leftToCi.includes(file));
  const [long, short] = [
    LONGEST.filter((file) => files.includes(file)),
    files.filter((file) => !LONGEST.includes(file)),
  ];
  return { files: [...long, ...short], leftToCi };
}

spawnSync(process.execPath, [path.join(root, 'scripts/prepare.ts')], { stdio: 'inherit' });
const words = process.argv.slice(2);
const { files, leftToCi } = choose(words);
const total = { passed: 0, failed: 0, skipped: [] as string[], failures: [] as string[] };
const queue = [...files];

async function drain(): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const result = await runFile(file);
    process.stdout.write(result.report);
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped.push(...result.skipped);
    total.failures.push(...result.failures);
  }
}

await Promise.all(Array.from({ length: FILES_AT_ONCE }, drain));

console.log('');
for (const failure of total.failures) console.log(`failed: ${failure}`);
for (const line of total.skipped) console.log(`skipped: ${line}`);
for (const file of leftToCi) console.log(`not run here: ${file} (run by .ci/run, or when named: npm test -- ${file})`);
if (total.passed + total.failed === 0) console.log('no test ran');
const skipped = total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
