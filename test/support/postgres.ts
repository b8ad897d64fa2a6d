import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { findPostgres, type PostgresPrograms } from './postgres-programs.ts';

/** Milliseconds in which it has to start, or to stop. */
const PATIENCE = 30_000;

/** Where it runs and listens, if not on the loopback of this machine. */
export interface PostgresPlace {
  readonly address: string;
  /** From here anybody may connect: addresses as `10.0.0.0/8`. */
  readonly trusted: string;
  /** What starts a command there. */
  readonly command: readonly string[];
}

const HERE: PostgresPlace = { address: '127.0.0.1', trusted: '127.0.0.1/32', command: [] };

/** A real PostgreSQL with data of its own, for a test file; it needs nothing but what `npm ci` installs. */
export class TestPostgres {
  readonly #dir: string;
  readonly #programs: PostgresPrograms;
  #port: number;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #place: PostgresPlace;
  #process: ChildProcess | undefined;
  #databases = 0;

  private constructor(
    dir: string,
    programs: PostgresPrograms,
    port: number,
    settings: Readonly<Record<string, string>>,
    place: PostgresPlace,
  ) {
    this.#dir = dir;
    this.#programs = programs;
    this.#port = port;
    this.#settings = settings;
    this.#place = place;
  }

  static async start(settings: Readonly<Record<string, string>> = {}, place = HERE): Promise<TestPostgres> {
    const programs = findPostgres();
    const dir = mkdtempSync(path.join(tmpdir(), 'manyhands-pg-'));
    const server = new TestPostgres(dir, programs, await freePort(), settings, place);
    try {
      if (programs.as !== undefined) chownSync(dir, programs.as.uid, programs.as.gid);
      chmodSync(dir, 0o700);
      const init = ['-D', server.#data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '-k'];
      execFileSync(path.join(programs.bin, 'initdb'), init, { ...programs.as, cwd: dir, stdio: 'pipe' });
      if (place !== HERE)
        appendFileSync(path.join(server.#data, 'pg_hba.conf'), `host all all ${place.trusted} trust\n`);
      await server.#runFirst();
      return server;
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  /** Another one that follows this one by what it hears at a port, and answers only questions until it is promoted. This one is stopped for a moment. */
  async standby(port: number): Promise<TestPostgres> {
    await this.stop();
    const dir = mkdtempSync(path.join(tmpdir(), 'manyhands-pg-'));
    const settings = { ...this.#settings, primary_conninfo: `host=127.0.0.1 port=${port} user=postgres` };
    const standby = new TestPostgres(dir, this.#programs, await freePort(), settings, this.#place);
    try {
      cpSync(this.#data, standby.#data, { recursive: true });
      writeFileSync(path.join(standby.#data, 'standby.signal'), '');
      const { as } = this.#programs;
      if (as !== undefined) execFileSync('chown', ['-R', `${as.uid}:${as.gid}`, dir]);
      for (const each of [dir, standby.#data]) chmodSync(each, 0o700);
      await this.run();
      await standby.#runFirst();
      return standby;
    } catch (error) {
      await standby.remove();
      throw error;
    }
  }

  /** Over TCP, as it is usual. */
  url(database: string, user = 'postgres'): string {
    return `postgres://${user}@${this.#place.address}:${this.#port}/${database}`;
  }

  get port(): number {
    return this.#port;
  }

  /** The process that the others are children of. */
  get pid(): number {
    return Number(readFileSync(path.join(this.#data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** Another test file may have taken its port since it was found. */
  async #runFirst(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.run();
      } catch (error) {
        if (tries === 5 || !/could not bind|could not create any TCP/.test(String(error))) throw error;
        this.#port = await freePort();
      }
    }
  }

  /** Starts it again, after `stop` or `kill`. */
  async run(): Promise<void> {
    const given = { listen_addresses: this.#place.address, port: `${this.#port}`, shared_buffers: '32MB' };
    const options = Object.entries({ ...given, ...this.#settings }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]);
    const args = ['-D', this.#data, '-k', this.#dir, ...options];
    const [program = '', ...rest] = [...this.#entry(), path.join(this.#programs.bin, 'postgres'), ...args];
    const child = spawn(program, rest, {
      ...(this.#place.command.length === 0 ? this.#programs.as : undefined),
      cwd: this.#dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
    const until = Date.now() + PATIENCE;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > until) throw new Error(`PostgreSQL did not start: ${said}`);
      await sleep(20);
    }
  }

  /** An empty one. */
  async database(): Promise<{ url: string; name: string }> {
    const name = `test_${++this.#databases}`;
    await this.query(`CREATE DATABASE ${name} STRATEGY file_copy`);
    return { url: this.url(name), name };
  }

  async query(text: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.url(database) });
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** In the middle of whatever it does: what has been synced survives. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Cuts its connections and writes everything out. */
  async stop(): Promise<void> {
    await this.#end('SIGINT');
  }

  /** All its processes hold still, or go on. */
  pause(isPaused: boolean): void {
    for (const pid of [this.pid, ...this.#children()]) {
      try {
        process.kill(pid, isPaused ? 'SIGSTOP' : 'SIGCONT');
      } catch {
        // It has just ended.
      }
    }
  }

  async remove(): Promise<void> {
    await this.#end('SIGQUIT');
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  /** What starts elsewhere needs root for that, and drops it there. */
  #entry(): readonly string[] {
    const { command } = this.#place;
    const { as } = this.#programs;
    if (command.length === 0 || as === undefined) return command;
    return [...command, 'setpriv', `--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups'];
  }

  get #data(): string {
    return path.join(this.#dir, 'data');
  }

  #children(): number[] {
    const { pid } = this;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  }

  /** It, and not another one at its port. */
  async #answers(): Promise<boolean> {
    return await this.query('SHOW data_directory').then(
      ([row]) => row?.['data_directory'] === this.#data,
      () => false,
    );
  }

  async #end(signal: 'SIGKILL' | 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await gone;
  }
}
