import type { IncomingMessage, ServerResponse } from 'node:http';
import Type, { type TSchema } from 'typebox';
import type { Role } from '../../model/records.ts';
import { Count, Index, Sha256 } from '../../protocol/shapes.ts';
import type { Identity } from '../peer.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

/** One request, after everything about it has been checked. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** On public routes: nobody. */
  readonly identity: Identity;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Sent as JSON. Absent: an answer without a body. */
  readonly json?: unknown;
}

/** What an answer looks like, for the description of the API. */
export interface AnswerShape {
  readonly description: string;
  readonly type?: string;
  readonly schema?: TSchema;
}

/** What a request carries. */
export interface BodyShape<Schema extends TSchema> {
  readonly type: string;
  /** Absent: the handler reads the request itself. */
  readonly schema?: Schema;
  readonly optional?: boolean;
  /** Members of the body that are users' values: anything that JSON can say. */
  readonly values?: readonly string[];
  /** Something that can be sent as it is. */
  readonly example?: unknown;
}

/**
 * One line of the route table. The router, the description of the API and the test of who may do what are all made of
 * it, so a route that is not in the table does not exist.
 */
export interface Route {
  readonly method: Method;
  /** Parameters as `:name`; what they may be stands in {@link PARAMETERS}. */
  readonly path: string;
  readonly access: 'public' | readonly Role[];
  /** A page may be opened from anywhere on the web, since it holds no data. */
  readonly page?: boolean;
  /** Programs that ask for this page get what is at `/v1` and the same path. */
  readonly machine?: boolean;
  /** Also for pages of other origins that the server was told of: what a device that is lent there needs. */
  readonly lends?: boolean;
  /** A browser may use a ticket instead of a header: downloads. */
  readonly ticket?: boolean;
  /** Answers also where it has just ended the token that asked. */
  readonly endsTokens?: boolean;
  readonly summary: string;
  readonly query?: TSchema;
  readonly body?: BodyShape<TSchema>;
  readonly answers: Readonly<Record<number, AnswerShape>>;
  readonly handle: (call: Call<never, never, never>) => Promise<Reply | undefined> | Reply | undefined;
}

type Parameter<Path extends string> = Path extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}`
    ? Name | Parameter<`/${Tail}`>
    : Rest
  : never;

/** What the names in paths stand for. */
export const PARAMETERS = {
  job: Count,
  index: Index,
  worker: Type.String({ pattern: '^[a-z2-7]{1,16}$' }),
  sha256: Sha256,
  token: Type.String({ pattern: '^[a-z0-9]{1,16}$' }),
  download: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  session: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  action: Type.String({ pattern: '^[a-z]{1,16}$' }),
  file: Type.String({ pattern: '^[a-z0-9-]{1,64}(\\.[a-z0-9-]{1,16}){1,2}$' }),
} as const;

type Parameters<Path extends string> = {
  readonly [Name in Parameter<Path> & keyof typeof PARAMETERS]: Type.Static<(typeof PARAMETERS)[Name]>;
};

/** Writes a route so that its handler knows the types of its parameters, query and body. */
export function route<const Path extends string, Query extends TSchema, Body extends TSchema>(
  definition: Omit<Route, 'path' | 'query' | 'body' | 'handle'> & {
    readonly path: Path;
    readonly query?: Query;
    readonly body?: BodyShape<Body>;
    readonly handle: (
      call: Call<Parameters<Path>, Type.Static<Query>, Type.Static<Body>>,
    ) => Promise<Reply | undefined> | Reply | undefined;
  },
): Route {
  return definition as unknown as Route;
}

export const READERS = ['admin', 'submit', 'read'] as const satisfies readonly Role[];
export const SUBMITTERS = ['admin', 'submit'] as const satisfies readonly Role[];
export const ADMINS = ['admin'] as const satisfies readonly Role[];
