// A farm of the demo's own: a server and workers, each the process that anybody would start from a shell.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What `manyhands serve --json` says once it accepts connections. */
interface Announcement {
  readonly url: string;
  readonly dashboardUrl: string;
  readonly joinUrl: string;
}

/** Milliseconds that a process has to end when it is asked to. */
const PATIENCE = 5_000;

export class OwnFarm {
  readonly url: string;
  readonly dashboardUrl: string;
  readonly joinUrl: string;
  readonly token: string;
  /** Settles when the server's process is gone. */
  readonly serverEnded: Promise<unknown>;
  readonly #program: string;
  readonly #dataDir: string;
  readonly #server: ChildProcess;
  readonly #workers: ChildProcess[] = [];

  private constructor(said: Announcement, token: string, program: string, dataDir: string, server: ChildProcess) {
    this.url = said.url;
    this.dashboardUrl = said.dashboardUrl;
    this.joinUrl = said.joinUrl;
    this.token = token;
    this.#program = program;
    this.#dataDir = dataDir;
    this.#server = server;
    this.serverEnded = once(server, 'close');
  }

  /** Starts a server on a free port, with a data directory that lasts as long as the farm. */
  static async start({ lan }: { lan: boolean }): Promise<OwnFarm> {
    const program = await programFile();
    const dataDir = await mkdtemp(path.join(os.tmpdir(), 'manyhands-demo-'));
    const server = launch(program, ['serve', '--json', '--port', '0', '--data', dataDir, ...(lan ? ['--lan'] : [])]);
    try {
      const said = JSON.parse(await firstLine(server)) as Announcement;
      const [token = ''] = (await readFile(path.join(dataDir, 'admin.token'), 'utf8')).split('\n');
      return new OwnFarm(said, token, program, dataDir, server);
    } catch (error) {
      await end(server);
      await rm(dataDir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Starts a worker with so many slots, and waits until it has joined. */
  async join(slots: number): Promise<void> {
    // The token goes through the environment: what stands on a command line, everybody on the machine can read.
    const token = new URL(this.joinUrl).hash.slice(1);
    const worker = launch(this.#program, ['join', this.url, '--slots', String(slots), '--json'], token);
    this.#workers.push(worker);
    await firstLine(worker);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(end));
    await end(this.#server);
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}

/** Where the package that we import has its command. */
async function programFile(): Promise<string> {
  const manifest = import.meta.resolve('manyhands/package.json');
  const { bin } = JSON.parse(await readFile(new URL(manifest), 'utf8')) as { bin: { manyhands: string } };
  return fileURLToPath(new URL(bin.manyhands, manifest));
}

/** In a group of its own: Ctrl-C is meant for the demo, which ends its processes in their order. */
function launch(program: string, args: string[], token?: string): ChildProcess {
  const env = token === undefined ? process.env : { ...process.env, MANYHANDS_TOKEN: token };
  const child = spawn(process.execPath, [program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => process.off('exit', kill));
  return child;
}

/** The first line that a process prints; the others are read too, so that it is never held up. */
function firstLine(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  if (child.stdout !== null) createInterface({ input: child.stdout }).once('line', resolve);
  child.once('error', reject);
  child.once('close', (code, signal) =>
    reject(new Error(`manyhands ${child.spawnargs[2]} ended (${code ?? signal}) before it was ready`)),
  );
  return promise;
}

/** Asks a process to end, and ends it if it does not. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  const impatient = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  await closed;
  clearTimeout(impatient);
}
