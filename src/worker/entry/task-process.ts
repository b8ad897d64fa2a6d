import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { encodeChannelFrame, FrameReader } from '../node/channel.ts';
import { Executor, readBlob, storeBlob } from '../node/executor.ts';
import type { FromTask, ToTask } from '../node/task-channel.ts';
import { FROM_WORKER, TO_WORKER } from '../node/task-channel.ts';
import { TaskOutput } from '../node/task-output.ts';

/**
 * A task process: runs what its worker sends, and says what came of it. It is started in a directory of its own, the only
 * one it may write to, with the directory for blobs as its argument.
 */
const [, , blobs = '.'] = process.argv;
const own = process.cwd();

/** Progress is for eyes: more often than this, in milliseconds, is not sent. */
const PROGRESS_EVERY = 100;

/** Synchronous: what has been reported is out, whatever the next task does to this process. */
function send(message: FromTask, bytes?: Uint8Array): void {
  const frame = encodeChannelFrame(message, bytes);
  for (let at = 0; at < frame.length; ) {
    try {
      at += writeSync(TO_WORKER, frame, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') continue;
      // The worker is gone, and with it the reason to live.
      process.exit(1);
    }
  }
}

const requests = new Map<number, { resolve(): void; reject(error: Error): void }>();
let requestNumber = 0;

function request(ask: (request: number) => FromTask): Promise<void> {
  requestNumber += 1;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  requests.set(requestNumber, { resolve, reject });
  send(ask(requestNumber));
  return promise;
}

let progressAt = Number.NEGATIVE_INFINITY;
const executor = new Executor(
  send,
  {
    log: (_, text) => output.write('log', text),
    progress(fraction, text) {
      if (!Number.isFinite(fraction)) throw new TypeError('progress needs a number from 0 to 1');
      const now = performance.now();
      if (now - progressAt < PROGRESS_EVERY) return;
      progressAt = now;
      send({
        kind: 'progress',
        ...executor.place,
        fraction,
        ...(text !== undefined && { text: String(text).slice(0, 256) }),
      });
    },
    async getBlob(sha256) {
      if (!/^[0-9a-f]{64}$/.test(sha256))
        throw new TypeError('ctx.blob needs a SHA-256 in 64 lower-case hex digits, or bytes');
      await request((number) => ({ kind: 'wantBlob', request: number, sha256 }));
      return readBlob(join(blobs, sha256));
    },
    async putBlob(bytes) {
      if (!(bytes instanceof Uint8Array)) throw new TypeError('ctx.blob needs a SHA-256 or a Uint8Array');
      const blob = storeBlob(own, bytes);
      await request((number) => ({ kind: 'giveBlob', request: number, blob }));
      return blob;
    },
  },
  { blobs, own },
);
const output = new TaskOutput(executor.place, send);
output.install();

function obey(message: ToTask, bytes: Uint8Array): void {
  if (message.kind === 'chunk') executor.runChunk(message, bytes);
  else if (message.kind === 'job') executor.noteJob(message);
  else if (message.kind === 'abort') executor.abort(message.chunk);
  else if (message.kind === 'forget') executor.forgetJob(message.job);
  else {
    const waiting = requests.get(message.request);
    requests.delete(message.request);
    if (message.error === undefined) waiting?.resolve();
    else waiting?.reject(new Error(message.error));
  }
}

// Ctrl-C, the end of a terminal and that of a service reach all processes at once. They are meant for the worker, which
// may want to finish what runs here; when it goes, this process goes with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const reader = new FrameReader(({ header, bytes }) => obey(header as ToTask, bytes));
const channel = new Socket({
  fd: FROM_WORKER,
  readable: true,
  writable: false,
  onread: {
    buffer: Buffer.alloc(64 * 1024),
    callback(count, buffer) {
      reader.push(Buffer.from(buffer.buffer, buffer.byteOffset, count));
      return true;
    },
  },
});
channel.on('close', () => process.exit(0));
channel.on('error', () => process.exit(1));
send({ kind: 'ready' });
