import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { STORE_IDLE } from '../../../model/limits.ts';
import type { Answer, Call, Calls } from '../call.ts';
import { toStoreError } from '../failure.ts';
import { Ledger } from '../ledger.ts';

/** Runs the ledger in a thread of its own, so that a stalled disk stops no heartbeat (F-23). */
function serve(port: MessagePort, ledger: Ledger): void {
  const { reader } = ledger;
  const calls: { [Verb in keyof Calls]: (args: Parameters<Calls[Verb]>) => unknown } = {
    start: () => ledger.start(),
    recover: (args) => ledger.recover(...args),
    nextJobId: () => ledger.nextJobId(),
    commit: (args) => ledger.commit(...args),
    claim: (args) => ledger.claim(...args),
    reopen: (args) => ledger.reopen(...args),
    forget: (args) => ledger.forget(...args),
    backup: (args) => ledger.backup(...args),
    close: () => ledger.close(),
    job: (args) => reader.job(...args),
    listJobs: (args) => reader.listJobs(...args),
    listBlocks: (args) => reader.listBlocks(...args),
    inputs: (args) => reader.inputs(...args),
    segments: (args) => reader.segments(...args),
    task: (args) => reader.task(...args),
    logs: (args) => reader.logs(...args),
    tokens: () => reader.tokens(),
    idempotent: (args) => reader.idempotent(...args),
    unreferenced: (args) => reader.unreferenced(...args),
  };
  const rest = new Rest(ledger);
  port.on('message', (call: Call) => {
    const answer = (value: unknown): void => post(port, { id: call.id, value });
    const fail = (error: unknown): void => post(port, { id: call.id, failure: failureOf(error) });
    try {
      const value = (calls[call.verb] as (args: unknown) => unknown)(call.args);
      if (value instanceof Promise) value.then(answer, fail);
      else answer(value);
    } catch (error) {
      fail(error);
    }
    if (call.verb === 'close') {
      rest.stop();
      port.unref();
    } else {
      ledger.checkpoint();
      rest.touch();
    }
  });
}

/** Lets the ledger rest once nothing was asked for a while. */
class Rest {
  readonly #ledger: Ledger;
  #timer: NodeJS.Timeout | undefined;
  #touched = true;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  touch(): void {
    this.#touched = true;
    this.#timer ??= setInterval(() => this.#look(), STORE_IDLE);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (this.#touched) {
      this.#touched = false;
      return;
    }
    this.stop();
    this.#ledger.rest();
  }
}

function failureOf(error: unknown): { code: ReturnType<typeof toStoreError>['code']; message: string } {
  const { code, message } = toStoreError(error);
  return { code, message };
}

/** Bytes are handed over, not copied: each was made by SQLite for this answer alone. */
function post(port: MessagePort, answer: Answer): void {
  const buffers: ArrayBuffer[] = [];
  if ('value' in answer) collect(answer.value, buffers);
  port.postMessage(answer, buffers);
}

function collect(value: unknown, into: ArrayBuffer[]): void {
  const items = Array.isArray(value) ? value : [value];
  for (const item of items) {
    const bytes: unknown = item instanceof Uint8Array ? item : (item?.inputs ?? item?.column);
    if (bytes instanceof Uint8Array && bytes.byteLength > 0 && bytes.byteLength === bytes.buffer.byteLength) {
      into.push(bytes.buffer as ArrayBuffer);
    }
  }
}

const port = parentPort as MessagePort;
try {
  const ledger = new Ledger((workerData as { dir: string }).dir);
  serve(port, ledger);
  post(port, { id: 0, value: ledger.reader.farm().name });
} catch (error) {
  post(port, { id: 0, failure: failureOf(error) });
}
