import type { ServerResponse } from 'node:http';

/** Codes for programs; each has one status and one title. */
const KINDS = {
  invalid: [400, 'The request is not as it should be'],
  unauthorised: [401, 'A token is needed'],
  forbidden: [403, 'Not allowed'],
  unknown: [404, 'Not here'],
  method: [405, 'Not a method of this resource'],
  timeout: [408, 'Too slow'],
  conflict: [409, 'Not in this state'],
  tooLarge: [413, 'Too large'],
  mediaType: [415, 'Not a content type of this resource'],
  range: [416, 'Not a range of this resource'],
  upgrade: [426, 'A WebSocket'],
  attempts: [429, 'Too many wrong tokens'],
  headers: [431, 'Too many headers'],
  internal: [500, 'A fault of the server'],
  busy: [503, 'Busy'],
  full: [507, 'The disk is full'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof KINDS;

/** An answer that says what is wrong, for people and for programs (RFC 9457). */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  /** Further members of the answer. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: ProblemCode,
    detail: string,
    more: { headers?: Record<string, string>; extra?: Record<string, unknown> } = {},
  ) {
    super(detail);
    this.name = 'Problem';
    this.code = code;
    this.headers = more.headers ?? {};
    this.extra = more.extra ?? {};
  }

  get status(): number {
    return KINDS[this.code][0];
  }

  get body(): Record<string, unknown> {
    const [status, title] = KINDS[this.code];
    return { type: `urn:manyhands:${this.code}`, title, status, detail: this.message, code: this.code, ...this.extra };
  }
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  const text = `${JSON.stringify(problem.body)}\n`;
  response.writeHead(problem.status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...problem.headers,
  });
  response.end(text);
}
