import { isFailure } from '../../model/envelope.ts';
import type { JobId } from '../../model/ids.ts';
import { PYODIDE } from '../../model/python.ts';
import { readColumn, statusOf } from '../../protocol/column.ts';
import type { WorkerEnd } from '../driver.ts';
import { Driver } from '../driver.ts';
import type { Chunk, JobFacts, Runner, SlotEvent } from '../runner.ts';
import type { WorkerStatus } from '../session-io.ts';
import { Codes } from './codes.ts';
import { Connection } from './connection.ts';
import { deviceOf } from './device.ts';
import { FarmHttp } from './farm-http.ts';
import { parseJoinLink } from './join-link.ts';
import { PageLife, type PauseWhen } from './page-life.ts';
import { PyodideStore } from './pyodide-store.ts';
import { WebRunner } from './web-runner.ts';

export interface BrowserWorkerOptions {
  /** `https://HOST:PORT`, or a join link with its token. */
  readonly url: string | URL;
  /** Where the link carries none. */
  readonly token?: string;
  /** Tasks at once; by default as many as the device has processors. */
  readonly slots?: number;
  /** For people; by default the browser and the system. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** When it shall not compute, as far as the browser can tell; by default always it shall. */
  readonly pauseWhen?: PauseWhen;
}

/** What a lent device does, for its owner to see. */
export interface Lending {
  readonly state: 'joining' | 'working' | 'pausing' | 'paused' | 'away' | 'ended';
  /** Why it is not working, in words. */
  readonly reason?: string;
  /** Its id in the farm. */
  readonly worker?: string;
  readonly farm?: string;
  readonly slots: number;
  /** Tasks of this job run now, or did last. */
  readonly job?: { readonly id: JobId; readonly name: string };
  /** Slots that compute now. */
  readonly busy: number;
  readonly done: number;
  readonly failed: number;
  /** Time that tasks took, in milliseconds, of all slots together. */
  readonly computed: number;
}

/** As the protocol has it. */
const MOST_SLOTS = 4_096;

/** A page as a worker of a farm. Tells of changes by the event `change`. */
export class BrowserWorker extends EventTarget {
  /** Settles when it has left for good. */
  readonly ended: Promise<WorkerEnd>;
  readonly #driver: Driver;
  readonly #runner: WebRunner;
  readonly #life: PageLife;
  #settleEnd: (end: WorkerEnd) => void = () => {};
  #lending: Lending;
  readonly #running = new Map<number, { chunk: number; job: JobFacts }[]>();
  #isTold = false;

  constructor(options: BrowserWorkerOptions) {
    super();
    const { base, token } = parseJoinLink(options.url, options.token);
    const { browser, version, system } = deviceOf(navigator.userAgent);
    const slots = options.slots ?? navigator.hardwareConcurrency ?? 1;
    this.#lending = { state: 'joining', slots, busy: 0, done: 0, failed: 0, computed: 0 };
    this.ended = new Promise((resolve) => {
      this.#settleEnd = resolve;
    });
    const http = new FarmHttp(base, token);
    const codes = new Codes(http);
    const pyodide = new PyodideStore(http);
    this.#runner = new WebRunner(base, http, { codes, pyodide }, (event) => this.#heard(event));
    this.#driver = new Driver(
      {
        key: randomKey(),
        servers: [base.href],
        name: options.name ?? `${browser} on ${system}`,
        device: 'browser',
        slots,
        runners: ['js', 'wasi', PYODIDE],
        labels: options.labels ?? {},
        resources: {},
        platform: `${system}, ${browser} ${version}`.trim(),
        beats: true,
      },
      {
        runner: this.#counted(this.#runner),
        connect: (server, events) => new Connection(new URL(server), new FarmHttp(new URL(server), token), events),
        provideCode: async (ref, inline) => {
          await codes.provide(ref, inline);
          if (ref.runner === 'python') await pyodide.provide();
        },
        status: (status) => {
          if (status.state === 'joined') http.joined(new URL(status.server));
          this.#status(status);
        },
      },
    );
    this.#driver.handle({ kind: 'start' });
    this.#life = new PageLife(options.pauseWhen ?? {}, (change) => this.#driver.handle(change));
  }

  get lending(): Lending {
    return this.#lending;
  }

  /** Tasks at once from now on. What runs on slots that are too many goes on to its end. */
  resize(slots: number): void {
    if (!Number.isInteger(slots) || slots < 1 || slots > MOST_SLOTS) {
      throw new RangeError(`slots are a whole number from 1 to ${MOST_SLOTS}, not ${slots}`);
    }
    this.#driver.handle({ kind: 'resize', slots });
    this.#change({ slots });
  }

  /** When it shall not compute, from now on. */
  set pauseWhen(when: PauseWhen) {
    this.#life.pauseWhen(when);
  }

  /** Leaves now; what it runs is run elsewhere. */
  stop(reason = 'its owner stopped it'): Promise<WorkerEnd> {
    this.#driver.handle({ kind: 'stop', reason });
    return this.ended;
  }

  /** Finishes what runs, gives back the rest, and leaves. */
  drain(reason = 'its owner drained it'): Promise<WorkerEnd> {
    this.#driver.handle({ kind: 'drain', reason });
    return this.ended;
  }

  /** The runner, watched for what its owner sees. */
  #counted(runner: Runner): Runner {
    return {
      startSlot: (slot) => runner.startSlot(slot),
      runChunk: (slot: number, chunk: Chunk, job: JobFacts) => {
        this.#running.set(slot, [...(this.#running.get(slot) ?? []), { chunk: chunk.id, job }]);
        runner.runChunk(slot, chunk, job);
        this.#noteBusy(job);
      },
      abortChunk: (slot, chunk) => runner.abortChunk(slot, chunk),
      killSlot: (slot) => runner.killSlot(slot),
      forgetJob: (job) => runner.forgetJob(job),
    };
  }

  #heard(event: SlotEvent): void {
    if (event.kind === 'slotDied') this.#running.delete(event.slot);
    if (event.kind === 'chunkDone') this.#count(event);
    this.#driver.handle(event);
    if (event.kind === 'chunkDone' || event.kind === 'slotDied') this.#noteBusy();
  }

  #count({ slot, chunk, done: ended, micros, column: packed }: SlotEvent & { kind: 'chunkDone' }): void {
    const left = (this.#running.get(slot) ?? []).filter((each) => each.chunk !== chunk);
    this.#running.set(slot, left);
    const column = readColumn(packed);
    let failed = 0;
    for (let i = 0; i < ended; i++) if (isFailure(statusOf(column, i))) failed += 1;
    const { done, failed: before, computed } = this.#lending;
    this.#change({
      done: done + ended - failed,
      failed: before + failed,
      computed: computed + micros / 1_000,
    });
  }

  #noteBusy(job?: JobFacts): void {
    const busy = [...this.#running.values()].filter((chunks) => chunks.length > 0).length;
    this.#change({ busy, ...(job && { job: { id: job.job, name: job.name } }) });
  }

  #status(status: WorkerStatus): void {
    if (status.state === 'joined') {
      this.#change({ state: 'working', worker: status.worker, farm: status.farm });
    } else if (status.state === 'waiting' || status.state === 'moving') {
      this.#change({ state: 'away', reason: status.reason });
    } else if (status.state === 'draining') {
      this.#change({ state: 'pausing', reason: status.reason });
    } else if (status.state === 'undrained') {
      this.#change({ state: 'working' });
    } else if (status.state === 'asleep') {
      this.#change({ state: 'paused', reason: status.reason });
    } else if (status.state === 'ended') {
      this.#driver.stop();
      this.#life.stop();
      this.#runner.close();
      this.#running.clear();
      this.#change({ state: 'ended', reason: status.reason, busy: 0 });
      this.#settleEnd({ reason: status.reason, failed: status.failed });
    }
  }

  /** Many changes of one moment are told once. */
  #change(change: Partial<Lending>): void {
    this.#lending = { ...this.#lending, ...change };
    if (this.#isTold) return;
    this.#isTold = true;
    queueMicrotask(() => {
      this.#isTold = false;
      this.dispatchEvent(new Event('change'));
    });
  }
}

function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
