import { readFileSync } from 'node:fs';
import path from 'node:path';
import { connect, type Farm } from '../../src/index.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { cleanUp } from '../support/cleanup.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { freePort } from '../support/free-port.ts';
import { type Answer, type Asked, ask } from '../support/http.ts';
import { type Running, startManyhands } from '../support/processes.ts';

/** A server as people start it, on data and a port that outlive its process: it can be killed and started again. */
export class Served {
  readonly dataDir: string;
  readonly port: number;
  readonly url: string;
  readonly #t: Cleanup;
  readonly #options: readonly string[];
  #running: Running | undefined;

  private constructor(t: Cleanup, dataDir: string, port: number, options: readonly string[]) {
    this.#t = t;
    this.dataDir = dataDir;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#options = options;
  }

  static async start(t: Cleanup, { dataDir, options = [] }: { dataDir?: string; options?: string[] } = {}) {
    const served = new Served(t, dataDir ?? temporaryDirectory(t, 'served'), await freePort(), options);
    await served.start();
    return served;
  }

  /** The process, as long as nobody has ended it. */
  get process(): Running {
    if (this.#running === undefined) throw new Error('the server does not run');
    return this.#running;
  }

  get admin(): string {
    return this.#token('admin.token');
  }

  get joinUrl(): string {
    return `${this.url}/join#${this.#token('join.token')}`;
  }

  /** Starts the process; it may not listen yet. */
  launch(): Running {
    const args = ['serve', '--json', '--port', `${this.port}`, '--data', this.dataDir, ...this.#options];
    this.#running = startManyhands(this.#t, args);
    return this.#running;
  }

  /** Resolves once the server accepts connections. */
  async start(): Promise<void> {
    await this.launch().output(/"dataDir"/, { stream: 'stdout', timeout: 60_000 });
  }

  /** `kill -9`, of the server alone. */
  async kill(): Promise<void> {
    this.process.signal('SIGKILL');
    await this.process.exited;
    this.#running = undefined;
  }

  async stop(): Promise<void> {
    this.process.signal('SIGTERM');
    const { code, stderr } = await this.process.exit(60_000);
    if (code !== 0) throw new Error(`the server ended with ${code}: ${stderr}`);
    this.#running = undefined;
  }

  /** Starts a worker, which may not have joined yet. */
  launchWorker(...options: string[]): Running {
    return startManyhands(this.#t, ['join', this.joinUrl, '--json', ...options]);
  }

  /** A worker as people start it. */
  async join(...options: string[]): Promise<Running> {
    const worker = this.launchWorker(...options);
    await worker.output(/"joined"/, { stream: 'stdout', timeout: 60_000 });
    return worker;
  }

  async connect(): Promise<Farm> {
    const farm = await connect({ url: this.url, token: this.admin });
    cleanUp(this.#t, () => farm.close().catch(() => {}));
    return farm;
  }

  ask(asked: Asked): Promise<Answer> {
    return ask(this.port, { token: this.admin, ...asked });
  }

  /** What the API says there, as JSON. */
  async get<Body>(address: string): Promise<Body> {
    const answer = await this.ask({ path: address });
    if (answer.status !== 200) throw new Error(`GET ${address}: ${answer.status} ${answer.text}`);
    return answer.json as Body;
  }

  #token(file: string): string {
    return readFileSync(path.join(this.dataDir, file), 'utf8').split('\n', 1)[0] as string;
  }
}
