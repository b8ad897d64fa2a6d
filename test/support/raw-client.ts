import type { PackedColumn } from '../../src/model/envelope.ts';
import { packColumn } from '../../src/protocol/column.ts';
import { encodeColumn } from '../../src/protocol/values/column.ts';
import type { Cleanup } from './cleanup.ts';
import { type Heard, type Listening, RawSocket } from './raw-socket.ts';
import { codeOf, SQUARE } from './raw-worker.ts';

export interface Answered {
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly value?: unknown;
}

/** A client whose every word is the test's; only the numbers of its requests are given for it. */
export class RawClient {
  readonly wire: RawSocket;
  #requests = 0;

  private constructor(wire: RawSocket) {
    this.wire = wire;
  }

  static async open(t: Cleanup, server: Listening, token = server.admin): Promise<RawClient> {
    return new RawClient(await RawSocket.open(t, server, '/v1/client', 'manyhands.client.v1', token));
  }

  /** The number of the request; its answer is not waited for. */
  send(kind: string, fields: Record<string, unknown> = {}, column?: PackedColumn): number {
    const request = ++this.#requests;
    this.wire.say({ kind, request, ...fields }, column);
    return request;
  }

  async ask(kind: string, fields: Record<string, unknown> = {}, column?: PackedColumn): Promise<Answered> {
    return this.answerTo(this.send(kind, fields, column));
  }

  async answerTo(request: number): Promise<Answered> {
    const answer = await this.wire.hearsThat(
      `the answer to ${request}`,
      (message) => message.kind === 'answer' && message.request === request,
    );
    return answer as unknown as Answered;
  }

  /** The job's number. */
  async submit(fields: Record<string, unknown> = {}): Promise<number> {
    const answer = await this.ask('submit', submitOf(fields));
    if (!answer.ok) throw new Error(`${answer.code}: ${answer.message}`);
    return (answer.value as { job: number }).job;
  }

  inputs(job: number, first: number, values: readonly unknown[]): Promise<Answered> {
    return this.ask('inputs', { job, runs: [[first, values.length]] }, columnOfValues(values));
  }

  batches(stream: number): Heard[] {
    return this.wire.of('resultBatch').filter((message) => message.stream === stream);
  }

  async streamEnd(stream: number): Promise<Heard> {
    return this.wire.hearsThat(
      `the end of stream ${stream}`,
      (message) => message.kind === 'resultsEnd' && message.stream === stream,
    );
  }
}

export function submitOf(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { name: 'job', code: codeOf(SQUARE), inline: SQUARE, ...fields };
}

export function columnOfValues(values: readonly unknown[]): PackedColumn {
  const { lengths, status, bytes } = encodeColumn(values);
  return packColumn(lengths, status, bytes);
}
