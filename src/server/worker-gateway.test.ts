import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Gate } from '../../test/support/gate.ts';
import { ModelClock } from '../../test/support/model-clock.ts';
import { ValueStatus } from '../model/envelope.ts';
import { packColumn } from '../protocol/column.ts';
import { decodeServerToWorker, encodeFrame, type Frame } from '../protocol/frames.ts';
import { PROTOCOL } from '../protocol/version.ts';
import type { ServerToWorker } from '../protocol/worker-messages.ts';
import { MemoryBlobs } from '../store/blobs/memory-blobs.ts';
import { MemoryDisk } from '../store/memory/memory-disk.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import { Core } from './core.ts';
import type { Connection, Peer } from './peer.ts';

const CODE = 'export default (i) => i;';
const KEY = 'a'.repeat(32);

/** A core over a disk that the test holds, and sockets whose other end is the test. */
class Farm {
  readonly clock = new ModelClock();
  readonly gate = new Gate();
  readonly core = new Core({
    store: new MemoryStore(new MemoryDisk(), { commitGate: this.gate.pass }),
    blobs: new MemoryBlobs(),
    clock: this.clock,
  });

  submit(count: number): Promise<unknown> {
    const sha256 = createHash('sha256').update(CODE).digest('hex');
    const code = { runner: 'js', sha256, size: CODE.length, sourceName: 'test' } as const;
    return this.core.submit({ name: 'job', code, range: { start: 0, step: 1, count } }, 'me', false, CODE);
  }

  /** Lets so many changes through to the disk, one after the other. */
  async step(changes: number): Promise<void> {
    for (let i = 0; i < changes; i++) {
      await this.clock.settle();
      assert.equal(this.gate.held, 1);
      this.gate.step();
    }
    await this.clock.settle();
  }

  connect(held: { lease: number; runs: [number, number][] }[] = []): {
    said: ServerToWorker[];
    connection: Connection;
  } {
    const said: ServerToWorker[] = [];
    const peer: Peer = {
      send: (frame: Frame) => said.push(decodeServerToWorker(frame).message),
      close: () => {},
    };
    const connection = this.core.workerGateway.accept(peer, { token: 't', role: 'work' });
    const own = { key: KEY, name: 'n', device: 'node', slots: 1, runners: ['js'], labels: {}, resources: {} };
    void connection.receive(encodeFrame({ kind: 'hello', protocol: PROTOCOL, ...own, held }));
    return { said, connection };
  }
}

const tasksIn = (said: ServerToWorker[]) =>
  said.flatMap((message) => (message.kind === 'tasks' ? [{ lease: message.lease, runs: message.runs }] : []));

test('R5 P11: what was decided before a hello that did not speak of it does not reach the new connection', async () => {
  const farm = new Farm();
  await farm.core.start();
  farm.connect();
  await farm.clock.settle();
  farm.gate.hold();
  const submitted = farm.submit(1);
  // The job's number, its rows, the claim of its block.
  await farm.step(3);
  await submitted;
  // The lease's row waits for the disk when its worker comes back on another socket, and says that it holds nothing.
  assert.equal(farm.gate.held, 1);
  const { said } = farm.connect();
  farm.gate.release();
  await farm.clock.settle();
  assert.equal(tasksIn(said).length, 1, JSON.stringify(said));
});

test('P15 S5 L1: tasks whose outcomes name a blob that is gone are run again, and who keeps the outcomes is told so', async () => {
  const farm = new Farm();
  await farm.core.start();
  const first = farm.connect();
  const submitted = farm.submit(1);
  await farm.clock.settle();
  await submitted;
  const [granted] = tasksIn(first.said);
  assert.ok(granted !== undefined);
  const text = `${JSON.stringify({ sha256: 'b'.repeat(64), size: 9 })},`;
  const column = packColumn(Uint32Array.of(text.length), ValueStatus.jsonBlob, new TextEncoder().encode(text));
  const message = { kind: 'outcomes', ...granted, job: 1, micros: 1 };
  await first.connection.receive(encodeFrame(message, column));
  await farm.clock.settle();
  assert.equal(first.said.at(-1)?.kind, 'refused');
  // It comes back with what it kept, as it must.
  const second = farm.connect([granted]);
  await farm.clock.settle();
  assert.deepEqual(
    second.said.filter(({ kind }) => kind === 'revoke'),
    [{ kind: 'revoke', ...granted }],
  );
  assert.equal(tasksIn(second.said).length, 1, 'it is run again');
});
