import type { PackedColumn } from '../model/envelope.ts';
import type { JobId } from '../model/ids.ts';
import { hasEnded, type JobProgress } from '../model/job.ts';
import { BLOCK_TASKS } from '../model/limits.ts';
import type { ClientMessage, Inputs, Results, ServerToClient, Submit } from '../protocol/client-messages.ts';
import { decodeClientMessage, encodeFrame, type Frame } from '../protocol/frames.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { toWireRuns } from '../protocol/shapes.ts';
import { PROTOCOL } from '../protocol/version.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import { CloseCode, type Connection, type Gateway, type Identity, type Peer } from './peer.ts';
import { RequestError } from './requests.ts';
import type { ResultStream } from './result-stream.ts';

/** Milliseconds between progress notes to one client about one job. */
const NOTE_EVERY = 250;

/** Between client sockets and the core: requests in, one answer each; result streams out. */
export class ClientGateway implements Gateway {
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #connections = new Set<ClientConnection>();

  constructor(core: Core, clock: Clock) {
    this.#core = core;
    this.#clock = clock;
  }

  get connected(): number {
    return this.#connections.size;
  }

  accept(peer: Peer, identity: Identity): Connection {
    const connection = new ClientConnection(this.#core, this.#clock, peer, identity, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    return connection;
  }

  close(code: number, reason: string): void {
    for (const connection of this.#connections) connection.end(code, reason);
  }

  cut(token: string): void {
    for (const connection of [...this.#connections]) {
      if (connection.identity.token === token) connection.end(CloseCode.unauthorised, 'token revoked');
    }
  }
}

class ClientConnection implements Connection {
  readonly identity: Identity;
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #peer: Peer;
  readonly #onClosed: () => void;
  readonly #streams = new Map<number, ResultStream>();
  readonly #follows = new Map<JobId, () => void>();
  #over = false;

  constructor(core: Core, clock: Clock, peer: Peer, identity: Identity, onClosed: () => void) {
    this.#core = core;
    this.#clock = clock;
    this.#peer = peer;
    this.identity = identity;
    this.#onClosed = onClosed;
    this.#send({ kind: 'clientWelcome', protocol: PROTOCOL, farm: core.farm });
  }

  receive(frame: Frame): void {
    if (this.#over) return;
    try {
      const { message, column } = decodeClientMessage(frame);
      this.#take(message, column);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.end(error.code === 'tooLarge' ? CloseCode.tooBig : CloseCode.invalid, error.message);
    }
  }

  heard(): void {}

  closed(): void {
    this.#over = true;
    for (const stream of this.#streams.values()) this.#core.closeStream(stream);
    for (const stop of this.#follows.values()) stop();
    this.#streams.clear();
    this.#follows.clear();
    this.#onClosed();
  }

  end(code: number, reason: string): void {
    this.#peer.close(code, reason.slice(0, 100));
    this.closed();
  }

  #take(message: ClientMessage, column: PackedColumn | undefined): void {
    if (message.kind === 'credit') return this.#streams.get(message.stream)?.addCredit(message.bytes);
    if (message.kind === 'unsubscribe') return this.#unsubscribe(message.stream);
    const changes = message.kind !== 'results' && message.kind !== 'status';
    if (changes && this.identity.role !== 'admin' && this.identity.role !== 'submit') {
      return this.#refuse(
        message.request,
        'forbidden',
        `a token with the role ${this.identity.role} may not ${message.kind}`,
      );
    }
    const answer = this.#do(message, column);
    answer.then(
      (value) => this.#answer(message.request, value),
      (error: unknown) => this.#refuse(message.request, ...reasonOf(error)),
    );
  }

  #do(
    message: Exclude<ClientMessage, { kind: 'credit' | 'unsubscribe' }>,
    column: PackedColumn | undefined,
  ): Promise<unknown> {
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
    if (follow && !hasEnded(known.progress.state) && !this.#follows.has(job)) this.#follow(job);
    return { spec: known.spec, progress: known.progress };
  }

  #follow(job: JobId): void {
    let latest: JobProgress | undefined;
    let planned: (() => void) | undefined;
    const note = () => {
      planned = undefined;
      if (latest === undefined || this.#over) return;
      const live = this.#core.liveCounts(job);
      this.#send({ kind: 'progressNote', job, progress: latest, running: live.running, waiting: live.waiting });
    };
    const stop = this.#core.watchJob(job, (progress) => {
      latest = progress;
      if (hasEnded(progress.state)) {
        planned?.();
        note();
        this.#follows.delete(job);
        stop();
      } else planned ??= this.#clock.alarm(NOTE_EVERY, note);
    });
    this.#follows.set(job, () => {
      planned?.();
      stop();
    });
  }

  async #results(message: Results): Promise<unknown> {
    const stream = message.request;
    const opened = await this.#core.openStream(
      message.job,
      { order: message.order, after: message.after ?? 0, credit: message.credit, defined: message.defined === true },
      {
        batch: ({ segment, column }, cursor) => {
          const frame = encodeFrame(
            {
              kind: 'resultBatch',
              stream,
              job: segment.job,
              block: segment.block,
              runs: toWireRuns(segment.runs),
              cursor,
              generation: segment.generation,
              ...(segment.attempts === undefined
                ? {}
                : { attempts: segment.attempts.map(([i, n]) => [i, n] as [number, number]) }),
            } satisfies ServerToClient,
            column,
          );
          if (!this.#over) this.#peer.send(frame);
          return frame.length;
        },
        mark: (next) => this.#send({ kind: 'resultMark', stream, next }),
        end: (progress) => {
          this.#send({ kind: 'resultsEnd', stream, progress });
          this.#streams.delete(stream);
        },
        failed: (error) => {
          this.#streams.delete(stream);
          this.#refuse(stream, ...reasonOf(error));
        },
      },
    );
    if (this.#over) return this.#core.closeStream(opened);
    this.#streams.set(stream, opened);
    // The answer leaves before the first batch: both go in the order of their turns.
    this.#clock.defer(() => opened.pump());
    return undefined;
  }

  #unsubscribe(stream: number): void {
    const known = this.#streams.get(stream);
    if (known === undefined) return;
    this.#streams.delete(stream);
    this.#core.closeStream(known);
  }

  #answer(request: number, value: unknown): void {
    this.#send(
      value === undefined ? { kind: 'answer', request, ok: true } : { kind: 'answer', request, ok: true, value },
    );
  }

  #refuse(request: number, code: string, message: string): void {
    this.#send({ kind: 'answer', request, ok: false, code, message });
  }

  #send(message: ServerToClient): void {
    if (!this.#over) this.#peer.send(encodeFrame(message));
  }
}

function reasonOf(error: unknown): [code: string, message: string] {
  if (error instanceof RequestError) return [error.code, error.message];
  if (error instanceof ProtocolError) return ['invalid', error.message];
  throw error;
}

function specOf(message: Submit): Parameters<Core['submit']>[0] {
  const { kind: _kind, request: _request, inline: _inline, ...spec } = message;
  return spec as Parameters<Core['submit']>[0];
}
