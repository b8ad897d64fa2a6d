import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { PackedColumn } from '../../src/model/envelope.ts';
import { isFailure } from '../../src/model/envelope.ts';
import type { Run } from '../../src/model/runs.ts';
import { indexesOf } from '../../src/model/runs.ts';
import { packColumn, readColumn, statusOf } from '../../src/protocol/column.ts';
import { decodeWorkerMessage, encodeFrame } from '../../src/protocol/frames.ts';
import { fromWireRuns, toWireRuns } from '../../src/protocol/shapes.ts';
import { encodeColumn } from '../../src/protocol/values/column.ts';
import { decodeValue } from '../../src/protocol/values/value.ts';
import { WORKER_PROTOCOL } from '../../src/protocol/version.ts';
import type { JobNotice, Outcomes, ServerToWorker, WorkerMessage } from '../../src/protocol/worker-messages.ts';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { waitFor } from './wait.ts';

export interface SeenOutcome {
  readonly lease: number;
  readonly index: number;
  readonly status: number;
  /** The value, or the record of a failure or blob. */
  readonly value: unknown;
}

/** A server that does nothing by itself: a test says what it says, and looks at what it heard. */
export class FakeFarm {
  readonly token = 'a'.repeat(43);
  /** Everything heard, in order, over all connections. */
  readonly heard: WorkerMessage[] = [];
  readonly outcomes: SeenOutcome[] = [];
  readonly batches: Outcomes[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** HTTP connections ever opened for blobs, and exchanges on them. */
  readonly httpSockets = new Set<Socket>();
  exchanges: string[] = [];
  connections = 0;
  /** Whether outcomes are acknowledged by themselves. */
  acks = true;
  /** Upgrades are answered with this status instead. */
  refuseWith: number | undefined;
  /** Blobs are answered with this status instead. */
  blobsRefuseWith: number | undefined;
  silence = 25_000;
  socket: WebSocket | undefined;
  port = 0;
  readonly #http = createServer((request, response) => void this.#serve(request, response));
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => WORKER_PROTOCOL });

  static async start(t: Cleanup): Promise<FakeFarm> {
    const farm = new FakeFarm();
    cleanUp(t, () => farm.close());
    await farm.listen(0);
    return farm;
  }

  constructor() {
    this.#http.on('upgrade', (request, socket, head) => {
      if (this.refuseWith !== undefined) {
        socket.end(`HTTP/1.1 ${this.refuseWith} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      if (request.headers.authorization !== `Bearer ${this.token}`) {
        socket.end('HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#opened(webSocket));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/join#${this.token}`;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#http.listen(port, '127.0.0.1', resolve));
    this.port = (this.#http.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  say(message: ServerToWorker, column?: PackedColumn): void {
    if (this.socket?.readyState !== WebSocket.OPEN) throw new Error('no worker is connected');
    this.socket.send(encodeFrame(message, column));
  }

  /** Tells of a job whose module is this text. */
  job(job: number, code: string, more: Partial<JobNotice> = {}, how: 'inline' | 'blob' = 'inline'): void {
    const sha256 = sha256Of(code);
    if (how === 'blob') this.blobs.set(sha256, Buffer.from(code));
    const ref = { runner: 'js', sha256, size: code.length, sourceName: 'task.js' } as const;
    this.say({ kind: 'job', job, name: `job ${job}`, code: ref, ...(how === 'inline' && { inline: code }), ...more });
  }

  /** Grants tasks with these inputs, from index `first` on. */
  tasks(lease: number, job: number, inputs: readonly unknown[], more: { first?: number; alone?: boolean } = {}): void {
    const { lengths, status, bytes } = encodeColumn(inputs);
    const { first = 0, ...rest } = more;
    const runs: [number, number][] = [[first, inputs.length]];
    this.say({ kind: 'tasks', lease, job, runs, ...rest }, packColumn(lengths, status, bytes));
  }

  range(lease: number, job: number, runs: readonly Run[]): void {
    this.say({ kind: 'tasks', lease, job, runs: toWireRuns(runs) });
  }

  ofKind<Kind extends WorkerMessage['kind']>(kind: Kind): (WorkerMessage & { kind: Kind })[] {
    return this.heard.filter((message): message is WorkerMessage & { kind: Kind } => message.kind === kind);
  }

  welcomed(times = 1): Promise<unknown> {
    return waitFor(() => this.ofKind('hello').length >= times, { what: `hello number ${times}` });
  }

  /** Waits until so many outcomes have come, and returns them sorted by index. */
  async gathered(count: number, timeout = 15_000): Promise<SeenOutcome[]> {
    await waitFor(() => this.outcomes.length >= count, { what: `${count} outcomes`, timeout });
    return [...this.outcomes].sort((a, b) => a.index - b.index);
  }

  #opened(socket: WebSocket): void {
    this.connections += 1;
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data, binary) => {
      const { message, column } = decodeWorkerMessage(binary ? (data as Buffer) : data.toString(), false);
      if (message.kind === 'hello') {
        const welcome = { kind: 'welcome', protocol: 1, worker: 'w', farm: 'farm', pingEvery: 10_000 } as const;
        socket.send(encodeFrame({ ...welcome, silence: this.silence }));
      }
      if (message.kind === 'outcomes') this.#note(message, column as PackedColumn);
      this.heard.push(message);
    });
  }

  #note(message: Outcomes, packed: PackedColumn): void {
    this.batches.push(message);
    const column = readColumn(packed);
    let position = 0;
    let at = 0;
    for (const index of indexesOf(fromWireRuns(message.runs) ?? [])) {
      const length = column.lengths[position] as number;
      const status = statusOf(column, position);
      const bytes = column.bytes.slice(at, at + length);
      const value = decodeValue(bytes, status === 1 && !isFailure(status) ? 1 : 0);
      this.outcomes.push({ lease: message.lease, index, status, value });
      position += 1;
      at += length;
    }
    if (this.acks) this.say({ kind: 'ack', lease: message.lease, verdict: 'recorded', runs: message.runs });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.httpSockets.add(request.socket);
    this.exchanges.push(`${request.method} ${request.url}`);
    const sha256 = request.url?.replace('/v1/blobs/', '') ?? '';
    if (this.blobsRefuseWith !== undefined || request.headers.authorization !== `Bearer ${this.token}`) {
      request.resume();
      response.writeHead(this.blobsRefuseWith ?? 401).end();
      return;
    }
    if (request.method === 'PUT') {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const blob = Buffer.concat(parts);
      if (sha256Of(blob) === sha256) this.blobs.set(sha256, blob);
      response.writeHead(this.blobs.has(sha256) ? 201 : 400).end();
      return;
    }
    const blob = this.blobs.get(sha256);
    response.writeHead(blob === undefined ? 404 : 200).end(blob);
  }
}

export function sha256Of(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
