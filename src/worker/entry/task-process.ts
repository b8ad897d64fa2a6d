import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { encodeChannelFrame, FROM_WORKER, FrameReader, TO_WORKER } from '../node/channel.ts';
import { installConsole } from '../node/task-console.ts';
import { nodePlatform, readBlob, storeBlob, takeFile } from '../node/task-platform.ts';
import { BlobRequests } from '../tasks/blob-requests.ts';
import { Executor, isFull } from '../tasks/executor.ts';
import type { FromTask, ToTask } from '../tasks/task-channel.ts';
import { TaskOutput } from '../tasks/task-output.ts';
import { TaskProgress } from '../tasks/task-progress.ts';

/**
 * A task process: runs what its worker sends, and says what came of it. It is started in a directory of its own, the only
 * one it may write to, with the directory for blobs as its argument.
 */
const [, , blobs = '.'] = process.argv;
const own = process.cwd();

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

const requests = new BlobRequests(send);
const progress = new TaskProgress(() => executor.place, send);
const executor = new Executor(
  send,
  {
    log: (_, text) => output.write('log', text),
    progress: progress.tell,
    async getBlob(sha256) {
      const { request, here } = requests.ask(sha256);
      await here;
      const bytes = readBlob(join(blobs, sha256));
      send({ kind: 'readBlob', request });
      return bytes;
    },
    putBlob: (bytes) => withRoom(() => requests.put(bytes, (each) => storeBlob(own, each))),
    files: {
      async get(sha256) {
        await requests.get(sha256);
        return join(blobs, sha256);
      },
      keep: async (path) => await requests.give(await takeFile(own, path)),
    },
  },
  nodePlatform({ blobs, own }),
);

/** Where there is no room for what a task made, its chunk goes elsewhere, and this process ends: it says nothing more. */
async function withRoom<Result>(store: () => Promise<Result>): Promise<Result> {
  try {
    return await store();
  } catch (error) {
    if (!isFull(error)) throw error;
    send({ kind: 'full', chunk: executor.place.chunk });
    return await new Promise<never>(() => {});
  }
}

const output = new TaskOutput(executor.place, send);
installConsole(output);

function obey(message: ToTask, bytes: Uint8Array): void {
  if (message.kind === 'chunk') executor.runChunk(message, bytes);
  else if (message.kind === 'job') executor.noteJob(message);
  else if (message.kind === 'abort') executor.abort(message.chunk);
  else if (message.kind === 'forget') executor.forgetJob(message.job);
  else requests.settle(message);
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
