import { spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, link, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createBrotliDecompress } from 'node:zlib';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { repository, temporaryDirectory } from './directories.ts';
import { start } from './processes.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The package holds the program compressed; it is unpacked once, beside the packages, so that `npm ci` takes it away. */
const PACKED = path.join(fileURLToPath(import.meta.resolve('@sparticuz/chromium')), '../../bin/chromium.br');
const DIRECTORY = path.join(repository, 'node_modules/.cache/manyhands');
const PROGRAM = path.join(DIRECTORY, 'chromium');

/**
 * Why Chromium cannot run here, for `skip`; false: it can. Where everything has to be tested it is not skipped: what is
 * missing is then an error that says how to get it.
 */
export const noBrowser = await whyNot();

/** A real Chromium, closed when the test ends. */
export async function openBrowser(t: Cleanup, ...flags: string[]): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: PROGRAM, args: [...FLAGS, ...flags] });
  cleanUp(t, () => browser.close());
  return browser;
}

/**
 * A Chromium whose pages may be hidden and frozen, as those of people are: who drives a browser keeps its pages awake
 * otherwise. It has one context, and a window for each page.
 */
export async function openDrowsyBrowser(t: Cleanup): Promise<BrowserContext> {
  const profile = temporaryDirectory(t, 'browser');
  const flags = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`, '--window-size=1280,800'];
  const running = start(t, [PROGRAM, ...FLAGS, ...flags], { env: { HOME: profile } });
  const [, address = ''] = await running.output(/DevTools listening on (ws:\S+)/, { timeout: 60_000 });
  const browser = await chromium.connectOverCDP(address, { noDefaults: true });
  cleanUp(t, () => browser.close());
  return browser.contexts()[0] as BrowserContext;
}

/** A Chromium started by another command, such as one that puts it into another network. */
export async function openBrowserBy(t: Cleanup, command: readonly string[]): Promise<Browser> {
  const script = path.join(temporaryDirectory(t, 'browser'), 'chromium');
  await writeFile(script, `#!/bin/sh\nexec ${command.join(' ')} ${PROGRAM} "$@"\n`, { mode: 0o755 });
  const browser = await chromium.launch({ executablePath: script, args: FLAGS });
  cleanUp(t, () => browser.close());
  return browser;
}

async function whyNot(): Promise<string | false> {
  const reason = await fault();
  if (reason !== undefined && process.env['CI'] !== undefined) throw new Error(reason);
  return reason ?? false;
}

async function fault(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the Chromium from npm runs on Linux x64 only';
  await unpack();
  const { status, stderr } = spawnSync(PROGRAM, ['--version', '--no-sandbox'], { encoding: 'utf8' });
  if (status === 0) return undefined;
  const library = /lib[\w.]+\.so[\w.]*/.exec(stderr)?.[0];
  if (library === undefined) return `Chromium does not start: ${stderr.trim().slice(0, 200)}`;
  return `Chromium needs ${library}; on Debian: apt-get install -y libnss3 libnspr4`;
}

async function unpack(): Promise<void> {
  if (existsSync(PROGRAM)) return;
  await mkdir(DIRECTORY, { recursive: true });
  // Several test files may do this at once: each makes its own, and the first one stays, since it may run by then.
  const draft = `${PROGRAM}.${process.pid}`;
  try {
    await pipeline(createReadStream(PACKED), createBrotliDecompress(), createWriteStream(draft));
    await chmod(draft, 0o755);
    await link(draft, PROGRAM).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
}
