import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import findMyWay from 'find-my-way';
import type { Logger } from 'pino';
import type { TSchema } from 'typebox';
import { ANSWER_STALL } from '../../model/limits.ts';
import type { Authority } from '../auth/authority.ts';
import { notAllowed } from '../auth/refusal.ts';
import type { Identity } from '../peer.ts';
import { Problem, sendProblem } from '../problem.ts';
import { isEmpty, readJson, requireType } from './body.ts';
import { problemOf } from './failure.ts';
import type { BodyShape, Call, Method, Reply, Route } from './route.ts';
import { check, checkParameters, checkQuery, refusePrototypeKeys } from './validation.ts';

/** Milliseconds in which the rest of a refused body is read and dropped, so that the sender gets to see the answer. */
const LINGER = 5_000;
/** How long a browser remembers what it may ask. */
const PREFLIGHT_SECONDS = 600;
const NOBODY: Identity = { token: '', role: 'read' };

type Methods = ReadonlyMap<Method, Route>;

/** From a request to a handler: where it may come from, which route it is, who sends it, what it says — in this order. */
export class Router {
  readonly routes: readonly Route[];
  readonly #authority: Authority;
  readonly #log: Logger;
  readonly #paths = findMyWay({ maxParamLength: 128 });
  readonly #answering = new Map<string, Set<ServerResponse>>();
  /** Requests whose sender waits for leave to send the body. */
  readonly #waiting = new WeakSet<IncomingMessage>();
  /** Hears the status of each answer. */
  onAnswer: (route: string, method: string, status: number, seconds: number) => void = () => {};
  /** The socket has shown a valid token. */
  onKnown: (request: IncomingMessage) => void = () => {};

  constructor(routes: readonly Route[], authority: Authority, log: Logger) {
    this.routes = routes;
    this.#authority = authority;
    this.#log = log;
    const byPath = new Map<string, Map<Method, Route>>();
    for (const route of routes) {
      let methods = byPath.get(route.path);
      if (methods === undefined) byPath.set(route.path, (methods = new Map()));
      if (methods.has(route.method)) throw new Error(`${route.method} ${route.path} is there twice`);
      methods.set(route.method, route);
    }
    // The library finds the path; the method is looked up here, so that 405 and 404 are told apart.
    for (const [path, methods] of byPath) this.#paths.on('GET', path, () => {}, methods);
  }

  /** Never throws, never rejects. `waits`: the body comes only once it is asked for. */
  async handle(request: IncomingMessage, response: ServerResponse, waits = false): Promise<void> {
    const started = performance.now();
    if (waits) this.#waiting.add(request);
    let name = 'none';
    response.once('close', () => {
      this.onAnswer(name, request.method ?? '', response.statusCode, (performance.now() - started) / 1000);
    });
    for (const [header, value] of INERT) response.setHeader(header, value);
    try {
      if (this.#answersLender(request, response)) return;
      const found = this.#find(request);
      name = found.route.path;
      const reply = await this.#answer(found, request, response);
      if (reply !== undefined) send(response, reply);
    } catch (error) {
      this.#refuse(error, request, response);
    }
    // What is written and not taken yet may not wait for ever.
    if (response.writableEnded && !response.writableFinished) response.setTimeout(ANSWER_STALL);
  }

  /** Ends what a revoked token is still reading. */
  cut(token: string): void {
    for (const response of this.#answering.get(token) ?? []) response.destroy();
  }

  /**
   * Tells a browser that a page of another origin may have this answer, if the server was told of that origin; false: there
   * is still a request to be answered. What may be asked is decided by the guard all the same.
   */
  #answersLender(request: IncomingMessage, response: ServerResponse): boolean {
    const { guard } = this.#authority;
    const { origin } = request.headers;
    const [path = ''] = splitUrl(request.url ?? '');
    const methods = path.startsWith('/') ? (this.#paths.find('GET', path)?.store as Methods | undefined) : undefined;
    if (!guard.isLender(origin) || methods === undefined || !lendsTo(methods, request)) return false;
    if (guard.refuse(request, 'api', true) !== undefined) return false;
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', 'retry-after');
    response.setHeader('vary', 'origin');
    if (request.method !== 'OPTIONS') return false;
    response.setHeader('access-control-allow-methods', [...methods.keys()].join(', '));
    response.setHeader('access-control-allow-headers', 'authorization, content-type');
    // A page of the web may ask for what is in a network of its visitor's.
    response.setHeader('access-control-allow-private-network', 'true');
    response.setHeader('access-control-max-age', PREFLIGHT_SECONDS);
    response.writeHead(204);
    response.end();
    return true;
  }

  #find(request: IncomingMessage): Found {
    const url = request.url ?? '';
    const [path = '', search = ''] = splitUrl(url);
    let match = path.startsWith('/') ? this.#paths.find('GET', path) : null;
    if (match !== null && request.method === 'GET' && wantsData(request) && isMachineToo(match.store as Methods)) {
      match = this.#paths.find('GET', `/v1${path}`);
    }
    const methods = match?.store as Methods | undefined;
    const any = methods?.values().next().value;
    const page = methods !== undefined && [...methods.values()].some((route) => route.page === true);
    const lends = methods !== undefined && lendsTo(methods, request);
    const refusal = this.#authority.guard.refuse(request, page ? 'page' : 'api', lends);
    if (refusal !== undefined) throw new Problem('forbidden', refusal);
    if (match === null || methods === undefined || any === undefined) {
      // Strangers are not told what there is and what there is not.
      if (path.startsWith('/v1')) this.#authority.identify(request);
      throw new Problem('unknown', `there is nothing at ${path.slice(0, 200)}`);
    }
    const route = methods.get(request.method as Method);
    if (route === undefined) {
      if (any.access !== 'public') this.#authority.identify(request);
      const allow = [...methods.keys()].join(', ');
      throw new Problem('method', `${request.method} is not for ${any.path}: use ${allow}`, { headers: { allow } });
    }
    return { route, path, params: match.params, query: new URLSearchParams(search) };
  }

  async #answer(found: Found, request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> {
    const { route, path, query } = found;
    const identity = this.#identify(route, path, query, request);
    const params = checkParameters(route.path, found.params);
    const checked = checkQuery(route.query, query);
    // Who asks before sending a body is told to send it only now: a refused gigabyte stays where it is.
    if (this.#waiting.delete(request)) response.writeContinue();
    const body = route.body === undefined ? undefined : await this.#read(route.body, request);
    const call: Call = { request, response, identity, params, query: checked, body };
    if (route.endsTokens !== true) response.once('close', this.#remember(identity, response));
    return route.handle(call as Call<never, never, never>);
  }

  /** Only what has a shape is read here; other bodies are their handlers'. */
  async #read(shape: BodyShape<TSchema>, request: IncomingMessage): Promise<unknown> {
    const untyped = request.headers['content-type'] === undefined;
    if (shape.optional === true && untyped && (await isEmpty(request))) return undefined;
    requireType(request, shape.type);
    if (shape.schema === undefined) return undefined;
    const body = await readJson(request);
    if (body === undefined && shape.optional === true) return undefined;
    refusePrototypeKeys(body, 'the body', shape.values);
    check(shape.schema, body, 'the body');
    return body;
  }

  #identify(route: Route, path: string, query: URLSearchParams, request: IncomingMessage): Identity {
    if (route.access === 'public') return NOBODY;
    const text = route.ticket === true ? query.get('ticket') : null;
    if (text !== null) query.delete('ticket');
    const identity = this.#authority.identify(request, text === null ? undefined : { text, path });
    this.onKnown(request);
    if (!route.access.includes(identity.role)) {
      throw new Problem('forbidden', notAllowed(identity.role, route.access));
    }
    return identity;
  }

  #remember(identity: Identity, response: ServerResponse): () => void {
    if (identity === NOBODY) return () => {};
    const { token } = identity;
    let open = this.#answering.get(token);
    if (open === undefined) this.#answering.set(token, (open = new Set()));
    open.add(response);
    return () => {
      open.delete(response);
      if (open.size === 0 && this.#answering.get(token) === open) this.#answering.delete(token);
    };
  }

  #refuse(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    const problem = problemOf(error) ?? this.#fault(error, request);
    // An answer that has begun can only be cut: what was sent of it must not look whole.
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    if (this.#waiting.has(request)) response.setHeader('connection', 'close');
    sendProblem(response, problem);
    if (request.complete) return;
    request.resume();
    const timer = setTimeout(() => request.socket.destroy(), LINGER);
    timer.unref();
    request.once('close', () => clearTimeout(timer));
  }

  /** The log has the story, the answer only its number. (T-29) */
  #fault(error: unknown, request: IncomingMessage): Problem {
    const id = randomBytes(4).toString('hex');
    const [path] = splitUrl(request.url ?? '');
    if (!request.destroyed)
      this.#log.error({ error: id, err: error, method: request.method, path }, 'a request failed');
    return new Problem('internal', `the server made a mistake; its log has the story under ${id}`, {
      extra: { error: id },
    });
  }
}

interface Found {
  readonly route: Route;
  readonly path: string;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: URLSearchParams;
}

/** Whether what is asked for, or asked about, is for devices that are lent by pages of other origins. */
function lendsTo(methods: Methods, { method, headers }: IncomingMessage): boolean {
  const wanted = method === 'OPTIONS' ? headers['access-control-request-method'] : method;
  return methods.get(wanted as Method)?.lends === true;
}

function isMachineToo(methods: Methods): boolean {
  return methods.get('GET')?.machine === true;
}

/** Whether a page's address is asked for by a program: it says so, or it sends a token, which no browser does for a page. */
function wantsData(request: IncomingMessage): boolean {
  const accept = request.headers.accept ?? '';
  if (accept.includes('text/html')) return false;
  return accept.includes('json') || request.headers.authorization !== undefined;
}

function splitUrl(url: string): [path: string, search: string] {
  const at = url.indexOf('?');
  return at === -1 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

/**
 * What every answer says unless its handler says otherwise: it is no page. It is not shown, guessed at, run, framed or
 * read by pages of others, whatever is in it. (T-2, T-6, T-7)
 */
const INERT = Object.entries({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
});

function send(response: ServerResponse, reply: Reply): void {
  const status = reply.status ?? (reply.json === undefined ? 204 : 200);
  if (reply.json === undefined) {
    response.writeHead(status, { ...reply.headers });
    response.end();
    return;
  }
  const text = `${JSON.stringify(reply.json)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...reply.headers,
  });
  response.end(text);
}
