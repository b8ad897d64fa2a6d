import type { PackedColumn } from '../model/envelope.ts';
import type { JobId } from '../model/ids.ts';
import { hasEnded, type JobProgress } from '../model/job.ts';
import { BLOCK_TASKS, CLIENT_REQUEST_BYTES, CLIENT_STREAMS, NOTE_INTERVAL } from '../model/limits.ts';
import type { Role } from '../model/records.ts';
import type { ClientMessage, Inputs, Results, ServerToClient, Submit } from '../protocol/client-messages.ts';
import { decodeClientMessage, encodeFrame, type Frame } from '../protocol/frames.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { toWireRuns } from '../protocol/shapes.ts';
import { PROTOCOL } from '../protocol/version.ts';
import type { StoredSegment } from '../store/store.ts';
import { notAllowed } from './auth/refusal.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import { problemOf } from './http/failure.ts';
import { SUBMITTERS } from './http/route.ts';
import { CloseCode, type Connection, type Identity, type Peer, TOO_LARGE } from './peer.ts';
import { RequestError } from './requests.ts';
import type { ResultStream } from './result-stream.ts';

const MAY_CHANGE: readonly Role[] = SUBMITTERS;

type Request = Exclude<ClientMessage, { kind: 'credit' | 'unsubscribe' }>;

/** One socket of a client: requests in, one answer each; result streams and progress notes out. */
export class ClientConnection implements Connection {
  readonly identity: Identity;
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #peer: Peer;
  readonly #onClosed: () => void;
  /** By the number of the request; undefined while it is being opened. */
  readonly #streams = new Map<number, ResultStream | undefined>();
  readonly #follows = new Map<JobId, () => void>();
  /** Bytes of requests that have no answer yet. */
  #asked = 0;
  #calm: PromiseWithResolvers<void> | undefined;
  #over = false;

  constructor(core: Core, clock: Clock, peer: Peer, identity: Identity, onClosed: () => void) {
    this.#core = core;
    this.#clock = clock;
    this.#peer = peer;
    this.identity = identity;
    this.#onClosed = onClosed;
    const { history } = core.readers;
    const servers = core.elsewhere.addresses();
    this.#send({
      kind: 'clientWelcome',
      protocol: PROTOCOL,
      farm: core.farm,
      ...(servers.length > 0 && { servers: [...servers] }),
      ...(history > 0 && { history }),
    });
  }

  receive(frame: Frame): Promise<void> | undefined {
    if (this.#over) return undefined;
    try {
      const { message, column } = decodeClientMessage(frame);
      this.#take(message, column, frame.length);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.end(error.code === 'tooLarge' ? CloseCode.tooBig : CloseCode.invalid, error.message);
    }
    if (this.#asked <= CLIENT_REQUEST_BYTES || this.#over) return undefined;
    this.#calm ??= Promise.withResolvers<void>();
    return this.#calm.promise;
  }

  heard(): void {}

  tooLarge(): void {
    this.end(CloseCode.tooBig, TOO_LARGE);
  }

  drained(): void {
    for (const stream of [...this.#streams.values()]) stream?.pump();
  }

  closed(): void {
    this.#over = true;
    for (const stream of this.#streams.values()) if (stream !== undefined) this.#core.readers.close(stream);
    for (const stop of this.#follows.values()) stop();
    this.#streams.clear();
    this.#follows.clear();
    this.#calm?.resolve();
    this.#onClosed();
  }

  end(code: number, reason: string): void {
    if (this.#over) return;
    this.#peer.close(code, reason);
    this.closed();
  }

  #take(message: ClientMessage, column: PackedColumn | undefined, bytes: number): void {
    if (message.kind === 'credit') return this.#streams.get(message.stream)?.addCredit(message.bytes);
    if (message.kind === 'unsubscribe') return this.#unsubscribe(message.stream);
    const { request } = message;
    const changes = message.kind !== 'results' && message.kind !== 'status';
    if (changes && !MAY_CHANGE.includes(this.identity.role)) {
      return this.#refuse(request, 'forbidden', notAllowed(this.identity.role, MAY_CHANGE));
    }
    this.#asked += bytes;
    this.#do(message, column)
      .then(
        (value) => this.#answer(request, value),
        (error: unknown) => this.#failed(request, error),
      )
      .finally(() => this.#answered(bytes));
  }

  #do(message: Request, column: PackedColumn | undefined): Promise<unknown> {
    switch (message.kind) {
      case 'submit':
        return this.#core.submit(specOf(message), this.identity.token, message.range === undefined, message.inline);
      case 'inputs':
        return this.#inputs(message, column);
      case 'close':
        return this.#core.closeJob(message.job, message.total);
      case 'act':
        return this.#core.act(message.job, message.action);
      case 'status':
        return this.#status(message.job, message.follow === true);
      case 'results':
        return this.#results(message);
    }
  }

  #inputs(message: Inputs, column: PackedColumn | undefined): Promise<unknown> {
    const run = message.runs[0];
    if (column === undefined || run === undefined || message.runs.length !== 1 || run[1] > BLOCK_TASKS) {
      throw new ProtocolError('invalid', `inputs must be one run of at most ${BLOCK_TASKS} tasks, with a column`);
    }
    return this.#core.addInputs(message.job, run[0], run[1], column);
  }

  async #status(job: JobId, follow: boolean): Promise<unknown> {
    const known = await this.#core.readJob(job);
    if (known === undefined) throw new RequestError('unknown', `there is no job ${job}`);
    if (follow && !hasEnded(known.progress.state) && !this.#follows.has(job) && !this.#over) {
      if (this.#follows.size >= CLIENT_STREAMS) throw tooMany('jobs are followed');
      this.#follow(job);
    }
    return { spec: known.spec, progress: known.progress };
  }

  #follow(job: JobId): void {
    let latest: JobProgress | undefined;
    let planned: (() => void) | undefined;
    const note = () => {
      planned = undefined;
      if (latest === undefined) return;
      const { running, waiting } = this.#core.live.counts(job);
      this.#send({ kind: 'progressNote', job, progress: latest, running, waiting });
    };
    const stop = this.#core.readers.watch(job, (progress) => {
      latest = progress;
      if (hasEnded(progress.state)) {
        planned?.();
        note();
        this.#follows.delete(job);
        stop();
      } else planned ??= this.#clock.alarm(NOTE_INTERVAL, note);
    });
    this.#follows.set(job, () => {
      planned?.();
      stop();
    });
  }

  async #results(message: Results): Promise<unknown> {
    const stream = message.request;
    if (this.#streams.has(stream)) throw new RequestError('invalid', `there is a stream ${stream} already`);
    if (this.#streams.size >= CLIENT_STREAMS) throw tooMany('streams are open');
    this.#streams.set(stream, undefined);
    const over = () => this.#streams.delete(stream);
    let opened: ResultStream;
    try {
      opened = await this.#core.openStream(
        message.job,
        { order: message.order, after: message.after ?? 0, credit: message.credit, defined: message.defined === true },
        {
          batch: (stored, cursor) => this.#batch(stream, stored, cursor),
          mark: (next) => this.#send({ kind: 'resultMark', stream, next }),
          full: () => this.#peer.full === true,
          end: (progress) => {
            over();
            this.#send({ kind: 'resultsEnd', stream, progress });
          },
          failed: (error) => {
            over();
            this.#failed(stream, error);
          },
        },
      );
    } catch (error) {
      over();
      throw error;
    }
    // It may have been given up, or the socket closed, while it was opened.
    if (!this.#streams.has(stream)) {
      this.#core.readers.close(opened);
      return undefined;
    }
    this.#streams.set(stream, opened);
    // The answer leaves before the first batch: both go in the order of their turns.
    this.#clock.defer(() => opened.pump());
    return undefined;
  }

  #batch(stream: number, { segment, column }: StoredSegment, cursor: number): number {
    const { job, block, generation, attempts } = segment;
    const message: ServerToClient = {
      kind: 'resultBatch',
      stream,
      job,
      block,
      runs: toWireRuns(segment.runs),
      cursor,
      generation,
      ...(attempts === undefined
        ? {}
        : { attempts: attempts.map(([index, count]): [number, number] => [index, count]) }),
    };
    const frame = encodeFrame(message, column);
    if (!this.#over) this.#peer.send(frame);
    return frame.length;
  }

  #unsubscribe(stream: number): void {
    const known = this.#streams.get(stream);
    this.#streams.delete(stream);
    if (known !== undefined) this.#core.readers.close(known);
  }

  #answer(request: number, value: unknown): void {
    this.#send(
      value === undefined ? { kind: 'answer', request, ok: true } : { kind: 'answer', request, ok: true, value },
    );
  }

  #answered(bytes: number): void {
    this.#asked -= bytes;
    if (this.#asked > CLIENT_REQUEST_BYTES / 2) return;
    this.#calm?.resolve();
    this.#calm = undefined;
  }

  #failed(request: number, error: unknown): void {
    const problem = problemOf(error);
    if (problem !== undefined) return this.#refuse(request, problem.code, problem.message);
    this.#core.onFault(error);
    this.#refuse(request, 'internal', 'the server made a mistake; its log says more');
  }

  #refuse(request: number, code: string, message: string): void {
    this.#send({ kind: 'answer', request, ok: false, code, message });
  }

  #send(message: ServerToClient): void {
    if (!this.#over) this.#peer.send(encodeFrame(message));
  }
}

function tooMany(what: string): RequestError {
  return new RequestError('busy', `${CLIENT_STREAMS} ${what} on this connection, which is the most`);
}

function specOf(message: Submit): Parameters<Core['submit']>[0] {
  const { kind: _kind, request: _request, inline: _inline, ...spec } = message;
  return spec as Parameters<Core['submit']>[0];
}
