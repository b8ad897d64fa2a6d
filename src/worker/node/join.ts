import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import os from 'node:os';
import type { CodeRef } from '../../model/job.ts';
import { PYODIDE } from '../../model/python.ts';
import { FarmServers } from '../../protocol/farm-servers.ts';
import { type ConnectionEvents, Driver, type WorkerEnd } from '../driver.ts';
import type { SlotEvent } from '../runner.ts';
import type { SessionInput, WorkerStatus } from '../session-io.ts';
import { BlobFiles } from './blob-files.ts';
import { availableMemory, defaultSlots } from './capacity.ts';
import { CodeStore } from './code-store.ts';
import { type Confinement, canDenyNetwork } from './confinement.ts';
import { Connection } from './connection.ts';
import { openDirectories, type WorkerDirectories } from './directories.ts';
import { FarmHttp } from './farm-http.ts';
import { parseJoinUrls } from './join-url.ts';
import { JsRunner } from './js-runner.ts';
import { otherRunners } from './other-runners.ts';
import { PyodideStore } from './python/pyodide-store.ts';
import { Runners } from './runners.ts';
import { Tally, type WorkFigures } from './tally.ts';
import { letThrough, type TaskUser } from './task-user.ts';

/** Kinds of tasks that the owner of a machine has to allow. */
export type Allowed = 'exec' | 'python' | 'install';

export interface WorkerOptions {
  /** Servers of one farm, tried in turn: `http://HOST:PORT` or a join link with its token; also with commas between. */
  readonly url: string | readonly string[];
  /** Instead of those that the links carry. */
  readonly token?: string;
  /** Tasks at once; by default the CPUs that may be used here. */
  readonly slots?: number;
  /** For people; by default the name of this machine. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly resources?: Readonly<Record<string, number>>;
  /**
   * What else tasks may be, since it is not kept from this machine's files. `exec`: any command, as the user that the worker runs
   * as; `python`: functions in Python, by its own `python3` if there is one; `install`: modules with packages of npm, which are
   * installed here, with whatever they run for that.
   */
  readonly allow?: readonly Allowed[];
  /** Takes the network away from tasks. */
  readonly denyNetwork?: boolean;
  /**
   * Where commands run, with the environment of this process; by default each runs in a fresh directory, with PATH, HOME,
   * LANG and what `env` names.
   */
  readonly directory?: string;
  /** Names of environment variables that tasks may see. */
  readonly env?: readonly string[];
  /** Milliseconds without a task after which it leaves. */
  readonly idleExit?: number;
  /** Milliseconds after which it finishes what runs and leaves. */
  readonly maxTime?: number;
  /** Where task code and blobs are kept between runs; by default in the temporary directory, for this run. */
  readonly cache?: string;
  /** Bytes of blobs that are kept while no task needs them; by default 4 GiB, or a quarter of the free disk if that is less. */
  readonly cacheSize?: number;
  /** `image`: the bootable worker. */
  readonly device?: 'node' | 'image';
  /** Whom tasks run as; by default as this process. Only root can do so. */
  readonly taskUser?: TaskUser;
}

export interface WorkerEvents {
  status: [WorkerStatus];
}

/** How often, at most, the time without a task is looked at. */
const IDLE_LOOK = 1_000;

/** Joins a farm: the process around the session, which holds its socket, its timers and its task processes. */
export class Worker extends EventEmitter<WorkerEvents> {
  /** Settles when the worker has left for good and its processes are gone. */
  readonly ended: Promise<WorkerEnd>;
  /** Settles when the worker has joined for the first time, or `ended`. */
  readonly joined: Promise<boolean>;
  readonly #servers: FarmServers;
  readonly #driver: Driver;
  readonly #js: JsRunner;
  readonly #runner: Runners;
  readonly #tally: Tally;
  readonly #http: FarmHttp;
  readonly #code: CodeStore;
  readonly #stopped = new AbortController();
  readonly #directories: WorkerDirectories;
  #settleEnd: (end: WorkerEnd) => void;
  #settleJoin: (joined: boolean) => void;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(options: WorkerOptions) {
    super();
    this.#servers = serversOf(options);
    if (options.denyNetwork === true && !canDenyNetwork()) {
      throw new TypeError(
        `Node ${process.version} cannot keep tasks off the network: use Node 26, or leave out --deny net`,
      );
    }
    if (options.denyNetwork === true && (options.allow ?? []).length > 0) {
      throw new TypeError(
        `${options.allow?.join(' and ')} cannot be kept off the network: leave out --allow ${options.allow?.join(' and ')} or --deny net`,
      );
    }
    ({ promise: this.ended, resolve: this.#settleEnd } = Promise.withResolvers<WorkerEnd>());
    ({ promise: this.joined, resolve: this.#settleJoin } = Promise.withResolvers<boolean>());
    this.#directories = openDirectories(options.cache);
    const directories = this.#directories;
    const { blobs: blobDirectory, keepsBlobs: kept } = directories;
    this.#http = new FarmHttp(this.#servers);
    this.#code = new CodeStore(directories.code, this.#http);
    const confinement = confinementOf(options, directories);
    letThrough(options.taskUser, directories.own);
    const blobs = new BlobFiles(blobDirectory, this.#http, this.#stopped.signal, { limit: options.cacheSize, kept });
    const report = (event: SlotEvent): void => {
      this.#tally.note(event);
      this.#handle(event);
    };
    const pyodide = new PyodideStore(directories.code, this.#http);
    const heard = (event: SlotEvent): void => this.#runner.heardOfJs(event);
    this.#js = new JsRunner(confinement, blobs, this.#code.path, heard, { pyodide: pyodide.path });
    const codePath = ({ sha256 }: Pick<CodeRef, 'sha256'>): string => this.#code.path(sha256);
    const name = options.name ?? os.hostname();
    const others = otherRunners({ options, name, confinement, root: directories.root, blobs, codePath, report });
    this.#runner = new Runners(this.#js, others, report);
    this.#tally = new Tally(this.#runner);
    const device = {
      runner: this.#tally,
      connect: (server: string, events: ConnectionEvents) => this.#connect(server, events),
      provideCode: async (code: CodeRef, inline: string | undefined) => {
        await this.#code.provide(code, inline);
        if (code.runner === 'python' && !others.has('python')) await pyodide.provide();
      },
      status: (status: WorkerStatus) => this.#status(status),
    };
    this.#driver = new Driver(
      {
        key: randomBytes(16).toString('hex'),
        servers: this.#servers.addresses,
        name,
        device: options.device ?? 'node',
        slots: options.slots ?? defaultSlots(),
        runners: ['js', 'node', 'wasi', PYODIDE, ...others.keys()],
        labels: { arch: os.arch(), os: os.platform(), ...options.labels },
        resources: options.resources ?? {},
        memory: availableMemory(),
        platform: `${os.platform()} ${os.arch()}, Node ${process.version}`,
        beats: false,
      },
      device,
    );
    process.once('exit', this.#cleanNow);
    this.#handle({ kind: 'start' });
    blobs.watchLarge((names) => this.#handle({ kind: 'blobsHeld', blobs: names }));
    this.#watchTime(options);
  }

  /** The task processes, for people who look. */
  get taskPids(): number[] {
    return this.#js.pids;
  }

  get figures(): WorkFigures {
    return this.#tally.figures;
  }

  /** Finishes what runs, gives back the rest, and leaves. */
  drain(reason = 'it was asked to drain'): Promise<WorkerEnd> {
    this.#handle({ kind: 'drain', reason });
    return this.ended;
  }

  /** Leaves now; its tasks run elsewhere. */
  stop(reason = 'it was asked to stop'): Promise<WorkerEnd> {
    this.#handle({ kind: 'stop', reason });
    return this.ended;
  }

  #watchTime({ idleExit, maxTime }: WorkerOptions): void {
    if (maxTime !== undefined) {
      this.#timers.push(setTimeout(() => void this.drain('its time is up'), Math.min(maxTime, 2 ** 31 - 1)));
    }
    if (idleExit === undefined) return;
    const look = (): void => {
      if (this.#driver.idleFor >= idleExit) void this.drain('it had nothing to do');
    };
    this.#timers.push(setInterval(look, Math.min(IDLE_LOOK, Math.max(10, idleExit / 4))));
  }

  #handle(input: SessionInput): void {
    this.#driver.handle(input);
  }

  #connect(server: string, events: ConnectionEvents): Connection {
    return new Connection(new URL(server), this.#servers.tokenOf(server) ?? '', this.#servers.walkOf(server), events);
  }

  #status(status: WorkerStatus): void {
    if (status.state === 'moving' || status.state === 'waiting') this.#http.isAway = true;
    if (status.state === 'joined') {
      this.#http.isAway = false;
      if (this.#servers.joined(status.server)) this.#http.moved();
      this.#settleJoin(true);
    }
    this.emit('status', status);
    if (status.state === 'ended') this.#end(status);
  }

  #end({ reason, failed }: WorkerEnd): void {
    this.#stopped.abort();
    this.#runner.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#driver.stop();
    this.#settleJoin(false);
    // Connections and processes are given the turn they need to let go.
    setTimeout(() => {
      this.#http.close();
      process.off('exit', this.#cleanNow);
      this.#cleanNow();
      this.#settleEnd({ reason, failed });
    }, 50);
  }

  readonly #cleanNow = (): void => {
    this.#directories.clean();
  };
}

/** Starts a worker; it connects at once. */
export function startWorker(options: WorkerOptions): Worker {
  return new Worker(options);
}

function serversOf({ url, token }: WorkerOptions): FarmServers {
  const addresses = parseJoinUrls(url);
  const known = token ?? addresses.find((address) => address.token !== undefined)?.token;
  if (known === undefined) throw new TypeError('joining needs a token: use the join link that the server printed');
  return new FarmServers(
    addresses.map(({ base, token: own }) => ({ address: base.href, token: token ?? own ?? known })),
  );
}

function confinementOf({ denyNetwork, env, taskUser }: WorkerOptions, directories: WorkerDirectories): Confinement {
  const { root, code, blobs } = directories;
  const network = denyNetwork !== true;
  return { root, code, blobs, network, env: environment(env ?? []), ...(taskUser && { user: taskUser }) };
}

function environment(names: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of names) if (process.env[name] !== undefined) env[name] = process.env[name];
  // Without it no program of Windows starts.
  const { SystemRoot } = process.env;
  return process.platform === 'win32' && SystemRoot !== undefined ? { SystemRoot, ...env } : env;
}
