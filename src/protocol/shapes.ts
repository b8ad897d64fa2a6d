import Type from 'typebox';
import { LABELS } from '../model/limits.ts';
import { SERVER_ADDRESS, SERVERS } from '../model/move-limits.ts';

/** The shapes that several messages share. Every object is closed to nothing: unknown fields are ignored (F-33). */

export const Index = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const Count = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
export const ShortText = Type.String({ maxLength: 256 });
export const Text = Type.String({ maxLength: 65_536 });
/** A pattern, since lengths of keys are not looked at otherwise; and closed, since a key that fits none would pass unseen. */
const Name = Type.String({ pattern: '^[\\s\\S]{1,128}$' });
const few = { maxProperties: LABELS, additionalProperties: false } as const;
export const Labels = Type.Record(Name, Type.String({ maxLength: 256 }), few);
export const Amounts = Type.Record(Name, Type.Number({ minimum: 0 }), few);

export { fromWireRuns, toWireRuns } from './wire-runs.ts';

/** `[start, count]` pairs, sorted and disjoint. */
export const WireRuns = Type.Array(Type.Tuple([Index, Count]), { maxItems: 4096 });
export type WireRuns = Type.Static<typeof WireRuns>;

/** `[task, inputs]` pairs, sorted: how many inputs which task gave its own job. */
export const WireSpawned = Type.Array(Type.Tuple([Index, Count]), { maxItems: 4096 });
export type WireSpawned = Type.Static<typeof WireSpawned>;

export const CodeShape = Type.Object({
  runner: Type.Union([
    Type.Literal('js'),
    Type.Literal('node'),
    Type.Literal('npm'),
    Type.Literal('wasi'),
    Type.Literal('python'),
    Type.Literal('venv'),
    Type.Literal('exec'),
  ]),
  sha256: Sha256,
  size: Index,
  sourceName: ShortText,
  /** Of `wasi`: clock and chance follow from the code and the task's index. */
  deterministic: Type.Optional(Type.Boolean()),
  /** Labels that a worker must have for this code. */
  requires: Type.Optional(Labels),
});

/** `http://HOST:PORT` or `https://…`, perhaps with a path. */
export const ServerAddresses = Type.Array(Type.String({ maxLength: SERVER_ADDRESS }), { maxItems: SERVERS });

export const RangeShape = Type.Object({ start: Type.Number(), step: Type.Number(), count: Index });
