import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Served } from '../reliability/served.ts';
import type { Cleanup } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';
import { type Exit, manyhands, type Running, type StartOptions, start } from './processes.ts';

/** Task modules that tests of commands share. */
const MODULES: Readonly<Record<string, string>> = {
  'square.ts': 'export default (x: number): number => x * x;\n',
  'even.ts': 'export default (x: number) => (x % 2 === 0 ? x : undefined);\n',
  'echo.mjs': 'export default (x) => x;\n',
  'kind.mjs': 'export default (x) => Object.prototype.toString.call(x).slice(8, -1);\n',
  'odd.ts': [
    'export default (x: number) => {',
    "  if (x % 2 === 0) throw new TypeError('no ' + x);",
    '  return x;',
    '};\n',
  ].join('\n'),
  'talk.mjs': "export default (x) => { console.log('I am', x); console.error('\\x1b[31mred'); return x; };\n",
  'slow.mjs': 'export default (x) => new Promise((done) => setTimeout(() => done(x), 300));\n',
  'endless.mjs':
    'export default (x, { signal }) => new Promise((_, no) => { signal.onabort = () => no(signal.reason); });\n',
};

/** A directory with task modules, and a shell there in which nothing points to any server. */
export class CommandLine {
  readonly directory: string;
  readonly env: Record<string, string | undefined>;
  readonly #t: Cleanup;

  constructor(t: Cleanup) {
    this.#t = t;
    this.directory = temporaryDirectory(t, 'commands');
    for (const [name, text] of Object.entries(MODULES)) this.write(name, text);
    this.env = {
      XDG_STATE_HOME: path.join(this.directory, 'state'),
      MANYHANDS_URL: undefined,
      MANYHANDS_TOKEN: undefined,
      MANYHANDS_TOKEN_FILE: undefined,
      NO_COLOR: undefined,
    };
  }

  /** The data directory of a server that is started here without being told another. */
  get dataDir(): string {
    return path.join(this.directory, 'state', 'manyhands');
  }

  /** A server with that data directory: commands find it without a flag. */
  serve(...options: string[]): Promise<Served> {
    mkdirSync(this.dataDir, { recursive: true });
    return Served.start(this.#t, { dataDir: this.dataDir, options });
  }

  write(name: string, text: string | Uint8Array): string {
    const file = path.join(this.directory, name);
    writeFileSync(file, text);
    return file;
  }

  start(args: readonly string[], { env, ...options }: StartOptions = {}): Running {
    return this.shell([...manyhands, ...args], { ...options, ...(env && { env }) });
  }

  run(args: readonly string[], options: StartOptions = {}): Promise<Exit> {
    return this.start(args, options).exit(PATIENCE);
  }

  /** Any command, such as one with a pipe in it. */
  shell(command: string[], { env, ...options }: StartOptions = {}): Running {
    return start(this.#t, command, { cwd: this.directory, ...options, env: { ...this.env, ...env } });
  }

  /** On a terminal of its own (`script`), with both streams in one: what is written to its input are keys. */
  onTerminal(args: readonly string[], options: StartOptions = {}): Running {
    const words = [...manyhands, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    const command = [
      'script',
      '--quiet',
      '--return',
      '--command',
      `stty cols 100; exec ${words.join(' ')}`,
      '/dev/null',
    ];
    // Whatever the terminal is that these tests are run on.
    return this.shell(command, { input: 'open', ...options, env: { TERM: 'xterm-256color', ...options.env } });
  }
}

/** Milliseconds for one command on a machine that has other things to do. */
const PATIENCE = 60_000;

/** Why there is no terminal to test on; undefined: there is one. */
export const noTerminal = process.platform === 'linux' ? undefined : 'needs script from util-linux';
