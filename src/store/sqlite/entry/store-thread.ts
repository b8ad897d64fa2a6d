import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { BACKUP_LOOK, STORE_IDLE } from '../../../model/limits.ts';
import type { Answer, Call, Calls } from '../call.ts';
import { toStoreError } from '../failure.ts';
import { Ledger } from '../ledger.ts';

/**
 * Runs the ledger in a thread of its own, so that a stalled disk stops no heartbeat (F-23). The thread sleeps on a bell
 * instead of in its event loop: it wakes a third sooner, which every commit that somebody waits for has twice.
 */
class Service {
  readonly #port: MessagePort;
  readonly #ledger: Ledger;
  readonly #calls: { [Verb in keyof Calls]: (args: Parameters<Calls[Verb]>) => unknown };
  /** Calls that go on by themselves: backups, whose steps need the event loop. */
  #underWay = 0;
  /** Nothing was asked since the log was emptied. */
  #rested = false;
  #closed = false;

  constructor(port: MessagePort, ledger: Ledger) {
    this.#port = port;
    this.#ledger = ledger;
    this.#calls = callsOf(ledger);
  }

  run(bell: Int32Array): void {
    for (;;) {
      const rung = Atomics.load(bell, 0);
      let message = receiveMessageOnPort(this.#port);
      for (; message !== undefined; message = receiveMessageOnPort(this.#port)) this.#take(message.message as Call);
      if (this.#closed) return;
      if (this.#underWay > 0) {
        setTimeout(() => this.run(bell), BACKUP_LOOK);
        return;
      }
      const woken = Atomics.wait(bell, 0, rung, this.#rested ? Number.POSITIVE_INFINITY : STORE_IDLE);
      if (woken !== 'timed-out') continue;
      this.#rested = true;
      this.#ledger.rest();
    }
  }

  #take(call: Call): void {
    this.#rested = false;
    const answer = (value: unknown): void => post(this.#port, { id: call.id, value });
    const fail = (error: unknown): void => post(this.#port, { id: call.id, failure: failureOf(error) });
    try {
      const value = (this.#calls[call.verb] as (args: unknown) => unknown)(call.args);
      if (value instanceof Promise) this.#await(value.then(answer, fail));
      else answer(value);
    } catch (error) {
      fail(error);
    }
    if (call.verb === 'close') this.#closed = true;
    else this.#ledger.checkpoint();
  }

  #await(end: Promise<void>): void {
    this.#underWay++;
    void end.then(() => {
      this.#underWay--;
    });
  }
}

function callsOf(ledger: Ledger): { [Verb in keyof Calls]: (args: Parameters<Calls[Verb]>) => unknown } {
  const { reader } = ledger;
  return {
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
    batches: (args) => reader.batches(...args),
    attempts: (args) => reader.attempts(...args),
    task: (args) => reader.task(...args),
    logs: (args) => reader.logs(...args),
    tokens: () => reader.tokens(),
    idempotent: (args) => reader.idempotent(...args),
    unreferenced: (args) => reader.unreferenced(...args),
  };
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
const { dir, bell } = workerData as { dir: string; bell: Int32Array };
try {
  const ledger = new Ledger(dir);
  post(port, { id: 0, value: ledger.reader.farm().name });
  new Service(port, ledger).run(bell);
} catch (error) {
  post(port, { id: 0, failure: failureOf(error) });
}
