import { BlobRequests } from '../../tasks/blob-requests.ts';
import { Executor } from '../../tasks/executor.ts';
import { TaskOutput } from '../../tasks/task-output.ts';
import { TaskProgress } from '../../tasks/task-progress.ts';
import { inspect, installConsole } from '../slot-console.ts';
import type { FromSlot, ToSlot } from '../slot-messages.ts';
import { packetOf } from '../slot-messages.ts';
import { SlotPlatform } from '../slot-platform.ts';

/** The script of a slot: a Web Worker that runs what its page sends, and says what came of it. */

// What tasks may change afterwards is taken before any of them is here.
const close = self.close.bind(self);
const post: (this: MessagePort, packet: unknown, transfer: Transferable[]) => void = MessagePort.prototype.postMessage;

function work(port: MessagePort): void {
  const platform = new SlotPlatform();
  const send = (message: FromSlot['message'], bytes?: Uint8Array): void => {
    const { packet, transfer } = packetOf(message, bytes, platform.takeAlong(message));
    post.call(port, packet, transfer);
  };
  const blobs = new BlobRequests(send);
  const progress = new TaskProgress(() => executor.place, send);
  const executor = new Executor(
    send,
    {
      log: (_, text) => output.write('log', text),
      progress: progress.tell,
      getBlob: async (sha256) => (await blobs.get(sha256)) ?? new Uint8Array(),
      putBlob: (bytes) => blobs.put(bytes, (each) => platform.makeBlob(each)),
    },
    platform,
  );
  const output = new TaskOutput(executor.place, send);
  installConsole(output);
  watchEnd((reason) => send({ kind: 'failed', reason }));
  port.addEventListener('message', ({ data: { message, bytes, blobs: given, pyodide } }: MessageEvent<ToSlot>) => {
    if (message.kind === 'chunk') {
      platform.take(message.id, given);
      executor.runChunk(message, bytes ?? new Uint8Array());
    } else if (message.kind === 'job') {
      if (pyodide !== undefined) platform.takePyodide(pyodide);
      executor.noteJob(message, bytes);
    } else if (message.kind === 'abort') executor.abort(message.chunk);
    else if (message.kind === 'forget') executor.forgetJob(message.job);
    else blobs.settle(message, bytes);
  });
  port.start();
  send({ kind: 'ready' });
}

/** As a process of Node would, a slot ends by what nothing catches, and by its task's wish. */
function watchEnd(failed: (reason: string) => void): void {
  addEventListener('error', (event) => {
    event.preventDefault();
    failed(`Uncaught ${inspect(event.error ?? event.message)}`);
  });
  addEventListener('unhandledrejection', (event) => {
    event.preventDefault();
    failed(`Uncaught ${inspect(event.reason)}`);
  });
  self.close = () => {
    failed('it closed itself');
    close();
  };
}

addEventListener(
  'message',
  ({ ports: [port] }) => {
    if (port !== undefined) work(port);
  },
  { once: true },
);
