import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import Value from 'typebox/value';
import type { PackedColumn } from '../model/envelope.ts';
import { type Frame, splitFrame } from './binary-frames.ts';
import { ClientMessage, ServerToClient } from './client-messages.ts';
import { checkTree, parseJson } from './json.ts';
import { columnOf } from './json-frames.ts';
import { ProtocolError } from './protocol-error.ts';
import { ServerToWorker, WorkerMessage } from './worker-messages.ts';

export { encodeFrame, type Frame, splitFrame } from './binary-frames.ts';

export interface Decoded<Message> {
  readonly message: Message;
  readonly column?: PackedColumn;
}

/** The text subprotocol (P5): the column as `values`, whose items are JSON texts already. */
export function encodeJsonFrame(
  message: { readonly kind: string; readonly [field: string]: unknown },
  items?: readonly string[],
): string {
  const json = JSON.stringify(message);
  return items === undefined ? json : `${json.slice(0, -1)},"values":[${items.join(',')}]}`;
}

export const decodeWorkerMessage = decoderOf<WorkerMessage>(WorkerMessage.anyOf);
export const decodeServerToWorker = decoderOf<ServerToWorker>(ServerToWorker.anyOf);
export const decodeClientMessage = decoderOf<ClientMessage>(ClientMessage.anyOf);
export const decodeServerToClient = decoderOf<ServerToClient>(ServerToClient.anyOf);

function splitJsonFrame(frame: Frame): { json: unknown; column?: PackedColumn } {
  if (typeof frame !== 'string') throw new ProtocolError('invalid', 'a binary frame in the text subprotocol');
  const json = parseJson(frame);
  if (typeof json !== 'object' || json === null || !Object.hasOwn(json, 'values')) {
    checkTree(json);
    return { json };
  }
  // What tasks returned may have any key and more levels than a message; it is written down, never looked at.
  const { values, ...message } = json as Readonly<Record<string, unknown>>;
  checkTree(message);
  return { json: message, column: columnOf(values) };
}

function decoderOf<Message>(shapes: readonly TSchema[]): (frame: Frame, json?: boolean) => Decoded<Message> {
  const byKind = new Map<string, TSchema>();
  for (const shape of shapes)
    byKind.set((shape as unknown as { properties: { kind: { const: string } } }).properties.kind.const, shape);
  // Compiled when first met: a check of every message then costs 0.2 µs instead of 10.
  const checks = new Map<TSchema, { Check(value: unknown): boolean }>();
  const checkOf = (shape: TSchema): { Check(value: unknown): boolean } => {
    const check = checks.get(shape) ?? Compile(shape);
    checks.set(shape, check);
    return check;
  };
  return (frame, asText = false) => {
    const { json, column } = asText ? splitJsonFrame(frame) : splitFrame(frame);
    const kind = typeof json === 'object' && json !== null && 'kind' in json ? json.kind : undefined;
    const shape = typeof kind === 'string' ? byKind.get(kind) : undefined;
    if (shape === undefined)
      throw new ProtocolError('unsupported', `a message of unknown kind ${JSON.stringify(kind)?.slice(0, 40)}`);
    if (!checkOf(shape).Check(json))
      throw new ProtocolError('invalid', `a ${kind as string} message ${complaint(shape, json)}`);
    return column === undefined ? { message: json as Message } : { message: json as Message, column };
  };
}

function complaint(shape: TSchema, json: unknown): string {
  const [first] = Value.Errors(shape, json) as unknown as { instancePath?: string; message?: string }[];
  return `is not as it should be: ${first?.instancePath || '/'} ${first?.message ?? 'is wrong'}`;
}
