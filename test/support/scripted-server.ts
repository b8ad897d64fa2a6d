import assert from 'node:assert/strict';
import type { Transport, TransportConnection, TransportListener } from '../../src/client/transport.ts';
import { indexesOf, type Run, runsOf } from '../../src/model/runs.ts';
import type { ClientMessage, ServerToClient } from '../../src/protocol/client-messages.ts';
import { readColumn, selectColumn } from '../../src/protocol/column.ts';
import { decodeClientMessage, encodeFrame, type Frame } from '../../src/protocol/frames.ts';
import { toWireRuns } from '../../src/protocol/shapes.ts';

type Of<Kind extends ClientMessage['kind']> = Extract<ClientMessage, { kind: Kind }>;

interface Block {
  readonly first: number;
  readonly count: number;
  readonly column: Uint8Array;
  readonly ended: Set<number>;
}

interface Segment {
  readonly block: number;
  readonly runs: readonly Run[];
  readonly column: Uint8Array;
}

interface ScriptedJob {
  readonly id: number;
  readonly blocks: Block[];
  readonly segments: Segment[];
  total: number;
  open: boolean;
  cancelled: boolean;
}

interface Stream {
  readonly asked: Of<'results'>;
  readonly job: ScriptedJob;
  /** Completion: segments sent. Index: where the block at hand begins. */
  at: number;
  /** Index order: segments that were looked at for the block at hand. */
  looked: number;
  credit: number;
}

/** One connection as two queues of frames, which the test moves on or cuts off at any point. */
class Line implements TransportConnection {
  readonly listener: TransportListener;
  readonly toServer: Frame[] = [];
  readonly toClient: Frame[] = [];
  readonly streams = new Map<number, Stream>();
  isOpen = false;
  isCut = false;

  constructor(listener: TransportListener) {
    this.listener = listener;
  }

  send(frame: Frame): void {
    if (!this.isCut) this.toServer.push(frame);
  }

  close(): void {
    this.isCut = true;
  }

  hold(): void {}
}

/** The server's half of the client protocol in a few lines: every task gives its input back. (P16, P17, P18) */
export class ScriptedServer implements Transport {
  readonly jobs: ScriptedJob[] = [];
  readonly #keys = new Map<string, ScriptedJob>();
  #line: Line | undefined;
  #history = 0;
  /** So many of the next requests are refused as busy. */
  busy = 0;

  open(_server: string, listener: TransportListener): TransportConnection {
    this.#line = new Line(listener);
    return this.#line;
  }

  /** Opens what the client began to open. */
  accept(): boolean {
    const line = this.#line;
    if (line === undefined || line.isOpen || line.isCut) return false;
    line.isOpen = true;
    const wentBack = this.#history > 0 && { history: this.#history };
    this.#say({ kind: 'clientWelcome', protocol: 1, farm: 'scripted', ...wentBack });
    line.listener.opened();
    return true;
  }

  /** The server reads one frame. */
  hear(): boolean {
    const line = this.#line;
    if (line === undefined || line.isCut) return false;
    const frame = line.toServer.shift();
    if (frame === undefined) return false;
    const { message, column } = decodeClientMessage(frame);
    this.#take(line, message, column);
    return true;
  }

  /** The client reads one frame. */
  deliver(): boolean {
    const line = this.#line;
    if (line === undefined || line.isCut) return false;
    const frame = line.toClient.shift();
    if (frame === undefined) return false;
    line.listener.frame(frame);
    return true;
  }

  /** Whatever was on its way is lost, in both directions. */
  cut(): void {
    const line = this.#line;
    if (line === undefined || line.isCut) return;
    line.isCut = true;
    line.listener.closed({ reason: 'cut' });
  }

  /** What it stored of a job goes back to these first blocks of its inputs, and the line is cut. (P31) */
  goBack(job: ScriptedJob, blocks: number): void {
    job.blocks.splice(blocks);
    job.total = job.blocks.reduce((sum, { count }) => sum + count, 0);
    job.open = true;
    this.#history += 1;
    this.cut();
  }

  ping(): void {
    if (this.#line?.isCut === false) this.#line.listener.heard();
  }

  /** Up to `most` tasks of one block end; `chance` chooses the block and the tasks. */
  work(most: number, chance: () => number): boolean {
    const blocks = this.jobs
      .filter((job) => !job.cancelled)
      .flatMap((job) => job.blocks.filter((block) => block.ended.size < block.count).map((block) => ({ job, block })));
    const chosen = blocks[Math.floor(chance() * blocks.length)];
    if (chosen === undefined) return false;
    const { job, block } = chosen;
    const left = Array.from({ length: block.count }, (_, i) => i).filter((i) => !block.ended.has(i));
    const some = left.slice(0, Math.max(1, most)).filter((_, i) => i === 0 || chance() < 0.8);
    for (const i of some) block.ended.add(i);
    const positions = runsOf(some);
    const runs = positions.map(({ start, count }) => ({ start: block.first + start, count }));
    job.segments.push({ block: block.first, runs, column: selectColumn(readColumn(block.column), positions) });
    this.#pumpAll();
    return true;
  }

  hasEnded(job: ScriptedJob): boolean {
    return job.cancelled || (!job.open && job.blocks.every((block) => block.ended.size === block.count));
  }

  #take(line: Line, message: ClientMessage, column: Uint8Array | undefined): void {
    if (message.kind === 'credit') {
      const stream = line.streams.get(message.stream);
      if (stream !== undefined) stream.credit += message.bytes;
      return this.#pumpAll();
    }
    if (message.kind === 'unsubscribe') return void line.streams.delete(message.stream);
    if (this.busy > 0) {
      this.busy -= 1;
      return this.#refuse(message.request, 'busy', 'the store has its troubles');
    }
    if (message.kind === 'submit') return this.#submit(message);
    const job = this.jobs[message.job - 1];
    if (job === undefined) return this.#refuse(message.request, 'unknown', `there is no job ${message.job}`);
    if (message.kind === 'inputs') return this.#inputs(message, job, column);
    if (message.kind === 'results') return this.#results(line, message, job);
    if (message.kind === 'status') return this.#answer(message.request, { spec: {}, progress: this.#progress(job) });
    if (message.kind === 'close') {
      if (message.total !== job.total) return this.#refuse(message.request, 'invalid', 'some inputs did not arrive');
      job.open = false;
    } else job.cancelled = true;
    this.#answer(message.request);
    this.#pumpAll();
  }

  #submit({ request, idempotencyKey = '' }: Of<'submit'>): void {
    const known = this.#keys.get(idempotencyKey);
    const id = this.jobs.length + 1;
    const job = known ?? { id, blocks: [], segments: [], total: 0, open: true, cancelled: false };
    if (known === undefined) this.jobs.push(job);
    this.#keys.set(idempotencyKey, job);
    this.#answer(request, { job: job.id, existing: known !== undefined });
  }

  #inputs({ request, runs }: Of<'inputs'>, job: ScriptedJob, column: Uint8Array | undefined): void {
    const [[first, count]] = runs as [[number, number]];
    assert.equal(readColumn(column ?? new Uint8Array(0)).count, count);
    if (first + count > job.total) {
      if (!job.open || job.cancelled) return this.#refuse(request, 'conflict', 'it takes no more inputs');
      if (first !== job.total) return this.#refuse(request, 'conflict', `go on at ${job.total}, not at ${first}`);
      job.blocks.push({ first, count, column: column as Uint8Array, ended: new Set() });
      job.total += count;
    } else {
      assert.ok(job.blocks.some((block) => block.first === first && block.count === count));
    }
    this.#answer(request);
  }

  #results(line: Line, asked: Of<'results'>, job: ScriptedJob): void {
    const { request, after = 0, credit } = asked;
    assert.ok(!line.streams.has(request), `stream ${request} was opened twice on one connection`);
    line.streams.set(request, { asked, job, at: after, looked: 0, credit });
    this.#answer(request);
    this.#pumpAll();
  }

  #pumpAll(): void {
    for (const [number, stream] of this.#line?.streams ?? []) {
      if (stream.asked.order === 'completion') this.#pumpCompletion(number, stream);
      else this.#pumpBlocks(number, stream);
    }
  }

  #pumpCompletion(number: number, stream: Stream): void {
    const { job } = stream;
    while (stream.credit > 0 && stream.at < job.segments.length) {
      const segment = job.segments[stream.at] as Segment;
      stream.at += 1;
      this.#batch(number, stream, segment, segment.runs, stream.at);
    }
    if (stream.at === job.segments.length) this.#endIfOver(number, stream);
  }

  #pumpBlocks(number: number, stream: Stream): void {
    const { job } = stream;
    for (;;) {
      const block = job.blocks.find(({ first, count }) => first <= stream.at && stream.at < first + count);
      if (block === undefined) return this.#endIfOver(number, stream);
      while (stream.credit > 0 && stream.looked < job.segments.length) {
        const segment = job.segments[stream.looked] as Segment;
        stream.looked += 1;
        if (segment.block !== block.first) continue;
        const from = stream.asked.after ?? 0;
        const runs = runsOf([...indexesOf(segment.runs)].filter((index) => index >= from));
        if (runs.length > 0) this.#batch(number, stream, segment, runs, block.first);
      }
      if (stream.looked < job.segments.length) return;
      if (block.ended.size < block.count && !this.hasEnded(job)) return;
      stream.at = block.first + block.count;
      stream.looked = 0;
      this.#say({ kind: 'resultMark', stream: number, next: stream.at });
    }
  }

  #batch(number: number, stream: Stream, segment: Segment, runs: readonly Run[], cursor: number): void {
    const all = [...indexesOf(segment.runs)];
    const positions = runsOf([...indexesOf(runs)].map((index) => all.indexOf(index)));
    const column = selectColumn(readColumn(segment.column), positions);
    const { block } = segment;
    const wire = toWireRuns(runs);
    stream.credit -= this.#say(
      { kind: 'resultBatch', stream: number, job: stream.job.id, block, runs: wire, cursor, generation: 0 },
      column,
    );
  }

  #endIfOver(number: number, stream: Stream): void {
    if (!this.hasEnded(stream.job)) return;
    this.#line?.streams.delete(number);
    this.#say({ kind: 'resultsEnd', stream: number, progress: this.#progress(stream.job) });
  }

  #progress(job: ScriptedJob): Record<string, unknown> {
    const done = job.blocks.reduce((sum, block) => sum + block.ended.size, 0);
    const over = this.hasEnded(job);
    const state = job.cancelled ? 'cancelled' : over ? 'done' : 'active';
    return { state, open: job.open, total: job.total, done, failed: 0, generation: 0, ...(over && { endedAt: 1 }) };
  }

  #answer(request: number, value?: unknown): void {
    this.#say({ kind: 'answer', request, ok: true, ...(value !== undefined && { value }) });
  }

  #refuse(request: number, code: string, message: string): void {
    this.#say({ kind: 'answer', request, ok: false, code, message });
  }

  #say(message: ServerToClient, column?: Uint8Array): number {
    const frame = encodeFrame(message, column);
    this.#line?.toClient.push(frame);
    return frame.length;
  }
}
