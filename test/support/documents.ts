import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { Cleanup } from './cleanup.ts';
import { repository, temporaryDirectory } from './directories.ts';
import { run, start } from './processes.ts';

/**
 * A fenced block of a document. What tests do with it stands behind the language:
 * `console`: each line after `$ ` is typed, the lines under it are what it prints; `…` stands for anything in a line, and
 * alone on a line for any lines. `console stays`: its one command is left running. `console elsewhere`: not typed, for it
 * needs another machine, and says so itself. `ts NAME`, `js NAME`: the text of a file, which is there from then on.
 */
interface Block {
  readonly language: string;
  readonly word: string | undefined;
  readonly lines: readonly string[];
  /** Number of its first line in the document. */
  readonly line: number;
}

/** One command, and what a terminal shows under it. */
export interface Typed {
  readonly command: string;
  readonly output: readonly string[];
  readonly line: number;
}

/** Milliseconds that a command may take, on a machine that has other things to do. */
const PATIENCE = 170_000;
/** Milliseconds in which a server must have said where it is. */
const START = 60_000;

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; word: string | undefined; lines: string[]; line: number } | undefined;
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\w*) ?(\S*)/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open !== undefined) {
      blocks.push(open);
      open = undefined;
    } else open = { language: fence[1] as string, word: fence[2] || undefined, lines: [], line: index + 2 };
  }
  if (open !== undefined) throw new Error(`the block at line ${open.line - 1} is never closed`);
  return blocks;
}

/** The commands of a `console` block; `> ` continues one, as the shell shows it. */
export function typedIn(block: Block): Typed[] {
  const all: { command: string; output: string[]; line: number }[] = [];
  for (const [index, line] of block.lines.entries()) {
    const last = all.at(-1);
    if (line.startsWith('$ ')) all.push({ command: line.slice(2), output: [], line: block.line + index });
    else if (last === undefined) throw new Error(`line ${block.line + index}: the block begins without a command`);
    else if (/^>( |$)/.test(line) && last.output.length === 0) last.command += `\n${line.slice(2)}`;
    else last.output.push(line);
  }
  return all;
}

/** What the output must look like. */
export function patternOf(output: readonly string[]): RegExp {
  const lines = output.map((line) =>
    line === '…' ? '(?:.*\\n)*?' : `${line.split('…').map(RegExp.escape).join('.*?')}\\n`,
  );
  return new RegExp(`^${lines.join('')}$`);
}

/** Types every command of a document, in a fresh directory that looks like the repository, and compares what they print. */
export async function typeDocument(t: Cleanup, file: string): Promise<number> {
  const cwd = workplace(t);
  const env = freshEnvironment(cwd);
  // The first npx in a directory links the package into a cache, and may warn of a Node that is older than ours.
  await run(t, ['npx', 'manyhands', '--version'], { cwd, env });
  let typed = 0;
  for (const block of blocksOf(readFileSync(path.join(repository, file), 'utf8'))) {
    if ((block.language === 'ts' || block.language === 'js') && block.word !== undefined) {
      mkdirSync(path.dirname(path.join(cwd, block.word)), { recursive: true });
      writeFileSync(path.join(cwd, block.word), `${block.lines.join('\n')}\n`);
    }
    if (block.language !== 'console' || block.word === 'elsewhere') continue;
    for (const { command, output, line } of typedIn(block)) {
      typed += 1;
      const where = `${file}:${line}: ${command}`;
      // Both streams into one, as in a terminal.
      const shell = ['sh', '-c', `exec 2>&1\n${command}`];
      if (block.word === 'stays') {
        await start(t, shell, { cwd, env }).output(begins(output), { timeout: START });
        continue;
      }
      const { code, stdout } = await run(t, shell, { cwd, env, timeout: PATIENCE });
      assert.match(stdout, patternOf(output), where);
      assert.equal(code, 0, `${where}: exit code ${code}\n${stdout}`);
    }
  }
  return typed;
}

/** Documents use the ports that users get; where somebody has one, they can't be typed, and the test is skipped. */
export async function skipIfTaken(t: TestContext, port: number): Promise<boolean> {
  const server = net.createServer().listen(port, '127.0.0.1');
  const isFree = await new Promise<boolean>((resolve) => {
    server.once('listening', () => resolve(true));
    server.once('error', () => resolve(false));
  });
  if (isFree) await new Promise((resolve) => server.close(resolve));
  else t.skip(`port ${port} is in use here`);
  return !isFree;
}

function begins(output: readonly string[]): RegExp {
  return new RegExp(patternOf(output).source.replace(/\$$/, ''));
}

/** A directory in which one finds what a clone has, and whose own files are nobody else's. */
function workplace(t: Cleanup): string {
  const directory = temporaryDirectory(t, 'typed');
  for (const name of ['package.json', 'node_modules', 'src', 'examples', 'docs', 'scripts']) {
    symlinkSync(path.join(repository, name), path.join(directory, name));
  }
  return directory;
}

/** The shell of somebody who has just cloned: no server, no settings, and a `node` that may be older than ours. */
function freshEnvironment(directory: string): Record<string, string | undefined> {
  const theirs = (process.env.PATH ?? '').split(path.delimiter).filter((place) => !place.endsWith('node_modules/.bin'));
  const ours = Object.keys(process.env).filter((name) => /^(MANYHANDS_|npm_|NODE_)/.test(name));
  return {
    ...Object.fromEntries(ours.map((name) => [name, undefined])),
    PATH: theirs.join(path.delimiter),
    XDG_STATE_HOME: path.join(directory, '.state'),
    npm_config_cache: path.join(directory, '.npm'),
    npm_config_update_notifier: 'false',
  };
}
