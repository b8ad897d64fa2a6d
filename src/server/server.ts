import { createSocket } from 'node:dgram';
import { mkdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Logger } from 'pino';
import { FEED_ENDED_JOBS, STOP_TIME } from '../model/limits.ts';
import type { Role, TokenRecord } from '../model/records.ts';
import { Authority } from './auth/authority.ts';
import { FailedAttempts } from './auth/failed-attempts.ts';
import { keptToken, writePrivately } from './auth/kept-token.ts';
import { OriginGuard } from './auth/origin-guard.ts';
import { Tickets } from './auth/tickets.ts';
import { Tokens } from './auth/tokens.ts';
import { BootDesk } from './boot/boot-desk.ts';
import { BootImages } from './boot/boot-images.ts';
import { ClientGateway } from './client-gateway.ts';
import { systemClock } from './clock.ts';
import { configOf, ownAddresses, type ServerConfig, type ServerOptions, StartError } from './config.ts';
import { Core } from './core.ts';
import { FarmFacts } from './farm-facts.ts';
import { Feed } from './feed.ts';
import { Housekeeping } from './housekeeping.ts';
import { createListener, type Listener } from './http/listen.ts';
import { Router } from './http/router.ts';
import { allRoutes } from './http/routes.ts';
import { createLog } from './log.ts';
import { Metrics } from './metrics.ts';
import { type Data, openData } from './open-data.ts';
import { CloseCode } from './peer.ts';
import { PollSessions } from './polls/poll-sessions.ts';
import { PyodideFiles } from './pyodide.ts';
import { attachSocket } from './sockets.ts';
import { StoreTrouble } from './store-trouble.ts';

export interface RunningServer {
  /** Where it listens, for programs on this machine. */
  readonly url: string;
  readonly dashboardUrl: string;
  readonly joinUrl: string;
  readonly adminToken: string;
  readonly dataDir: string;
  /** Other machines can reach it. */
  readonly open: boolean;
  readonly core: Core;
  /** Stops accepting, saves what is under way, closes. */
  close(): Promise<void>;
}

/** Opens the data, reads what was under way, and serves. A {@link StartError} says in one sentence why not. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const config = configOf(options);
  const log = createLog(options.logLevel === undefined ? {} : { level: options.logLevel });
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const data = await openData(config);
  try {
    return await serve(config, data, log, options.onBroken);
  } catch (error) {
    await data.store.close();
    throw error;
  }
}

async function serve(
  config: ServerConfig,
  { store, blobs }: Data,
  log: Logger,
  onBroken: ServerOptions['onBroken'],
): Promise<RunningServer> {
  const core = new Core({ store, blobs, clock: systemClock });
  core.onBroken = (error) => {
    log.fatal({ err: error }, 'the data cannot be trusted any more: the server must end');
    onBroken?.(error);
  };
  const trouble = new StoreTrouble(log, systemClock);
  core.onNotSaved = (error) => trouble.notSaved(error);
  core.onSaved = () => trouble.saved();
  core.onRewound.push(() => trouble.rewound());
  await core.start();
  const parts = await assemble(core, log, config);
  const { authority, listener, feed, clients, polls, boot } = parts;
  const { tokens, guard } = authority;
  const housekeeping = new Housekeeping({ core, clock: systemClock, log, keep: config.keep });
  housekeeping.start();
  const stop = async () => {
    listener.server.close();
    core.elsewhere.leave();
    await housekeeping.stop();
    core.workerGateway.close(CloseCode.restart, 'the server stops');
    clients.close(CloseCode.restart, 'the server stops');
    feed.close();
    polls.close();
    tokens.close();
    await listener.close(STOP_TIME);
    core.stop();
    await core.loop.stop();
  };
  try {
    const keep = (file: string, role: Role): Promise<string> =>
      keptToken(tokens, config.dataDir, { file, role, name: tokenName(file, config) });
    const adminToken = await keep('admin.token', 'admin');
    const joinToken = await keep('join.token', 'work');
    const port = await listen(listener, config);
    const url = `http://${bracketed(config.open ? '127.0.0.1' : config.host)}:${port}`;
    const told = await toldUrl(config, port);
    allowNames(guard, config, told);
    boot.origin = told.origin;
    meetSiblings(core, feed, tokens, { url: told.origin, log });
    const card = path.join(config.dataDir, 'server.json');
    await writePrivately(card, `${JSON.stringify({ url, pid: process.pid })}\n`);
    let closing: Promise<void> | undefined;
    return {
      url,
      dashboardUrl: `${told.origin}/#${adminToken}`,
      joinUrl: `${told.origin}/join#${joinToken}`,
      adminToken,
      dataDir: config.dataDir,
      open: config.open,
      core,
      close: () =>
        (closing ??= (async () => {
          await rm(card, { force: true });
          await stop();
          await store.close();
        })()),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where several servers share the store: each hears of the others, and of the tokens that they write. */
function meetSiblings(core: Core, feed: Feed, tokens: Tokens, { url, log }: { url: string; log: Logger }): void {
  const { siblings, elsewhere } = core;
  if (siblings === undefined) return;
  new FarmFacts({ core, siblings, feed, clock: systemClock, url });
  elsewhere.tokensChanged = () => {
    tokens
      .reload()
      .catch((error: unknown) => log.warn({ err: error }, 'the tokens of other servers are not known yet'));
  };
}

/** Where the database went back in time, tokens may be lost, and what is worse: that they were revoked. */
function keepTokens(core: Core, tokens: Tokens, log: Logger): void {
  const { onRebuilt } = core;
  let known: TokenRecord[] | undefined;
  core.onRewound.push(() => {
    known ??= tokens.list();
  });
  core.onRebuilt = () => {
    onRebuilt();
    if (known === undefined) return;
    tokens.restore(known).then(
      () => (known = undefined),
      (error: unknown) => log.warn({ err: error }, 'tokens that the database has lost are not written again yet'),
    );
  };
}

interface Parts {
  readonly authority: Authority;
  readonly listener: Listener;
  readonly feed: Feed;
  readonly clients: ClientGateway;
  readonly polls: PollSessions;
  readonly boot: BootDesk;
}

/** Everything around the core, not yet listening. */
async function assemble(core: Core, log: Logger, config: ServerConfig): Promise<Parts> {
  const { dataDir, lenders, pyodide: isWanted, bootImages, netboot } = config;
  const tokens = new Tokens(
    { list: () => core.store.listTokens(), write: (token) => core.loop.write([{ kind: 'token', token }]) },
    systemClock,
  );
  await tokens.open();
  const authority = new Authority({
    tokens,
    tickets: new Tickets(systemClock),
    guard: new OriginGuard(),
    attempts: new FailedAttempts(systemClock),
  });
  const feed = new Feed(
    { farm: core.farm, tallies: () => core.tallies, specOf: (job) => core.live.spec(job) },
    systemClock,
  );
  feed.remember(await core.store.listJobs({ limit: FEED_ENDED_JOBS }));
  core.onChange = (change) => feed.hear(change);
  core.onRebuilt = () => feed.dropWorkers();
  keepTokens(core, tokens, log);
  core.onForgotten = (job) => feed.dropJob(job);
  core.onFault = (error) => log.error({ err: error }, 'a request failed by a fault of the server');
  core.workerGateway.onRefused = ({ id, identity }, code, detail) =>
    log.warn({ worker: id, token: identity.token, code }, `a worker was refused: ${detail}`);
  const pyodide = isWanted ? PyodideFiles.find() : undefined;
  core.workerGateway.givesPyodide = pyodide !== undefined;
  const clients = new ClientGateway(core, systemClock);
  const metrics = new Metrics({
    tallies: () => core.tallies,
    verdicts: () => core.workerGateway.verdicts,
    loop: () => ({ ...core.loop.counters, backlogBytes: core.loop.backlogBytes }),
    liveJobs: () => core.live.size,
    workers: () => feed.workers,
    clients: () => clients.connected,
    connections: () => listener.connections(),
    feedReaders: () => feed.readers,
  });
  const polls = new PollSessions({ gateway: core.workerGateway, loop: core.loop, clock: systemClock });
  const netbootToken = () =>
    keptToken(tokens, dataDir, { file: 'netboot.token', role: 'enrol', name: tokenName('netboot.token', config) });
  const boot = new BootDesk({
    images: new BootImages(bootImages),
    tokens,
    clock: systemClock,
    ...(netboot && { netbootToken }),
  });
  const routes = allRoutes({ core, feed, authority, metrics, polls, dataDir, lenders, pyodide, boot });
  const router = new Router(routes, authority, log);
  router.onAnswer = (route, method, status, seconds) => metrics.answered(route, method, status, seconds);
  const listener = createListener({
    router,
    authority,
    open: (socket, { gateway, identity }) =>
      attachSocket(socket, gateway === 'worker' ? core.workerGateway : clients, identity, {
        loop: core.loop,
        clock: systemClock,
      }),
  });
  tokens.onRevoked((token, why) => {
    authority.tickets.cut(token);
    router.cut(token);
    core.workerGateway.cut(token, why);
    clients.cut(token, why);
  });
  return { authority, listener, feed, clients, polls, boot };
}

/** Where servers share their tokens, each has those of its own files: a file that is gone revokes no other server's. */
function tokenName(file: string, { database, dataDir }: ServerConfig): string {
  return database === undefined ? file : `${file} of ${hostname()}:${dataDir}`;
}

function listen({ server }: Listener, { host, port }: ServerConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${bracketed(host)}:${port}`;
      if (error.code === 'EADDRINUSE') {
        reject(
          new StartError('portInUse', `port ${port} is in use: stop what uses it, or serve with --port N`, {
            cause: error,
          }),
        );
      } else {
        reject(
          new StartError('address', `cannot listen on ${where} (${error.code}): choose another --host or --port`, {
            cause: error,
          }),
        );
      }
    });
    server.listen({ host, port, backlog: 4_096 }, () => resolve((server.address() as AddressInfo).port));
  });
}

/** The address in the links: what people said, what was listened on, or that of the way out of this machine. */
async function toldUrl(config: ServerConfig, port: number): Promise<URL> {
  if (config.publicUrl !== undefined) return config.publicUrl;
  const any = config.host === '0.0.0.0' || config.host === '::';
  const host = any ? ((await defaultRouteAddress()) ?? '127.0.0.1') : config.host;
  return new URL(`http://${bracketed(host)}:${port}`);
}

function allowNames(guard: OriginGuard, config: ServerConfig, told: URL): void {
  guard.allowName(config.host);
  if (config.host === '0.0.0.0' || config.host === '::') for (const address of ownAddresses()) guard.allowName(address);
  guard.allowUrl(told);
  for (const origin of config.lenders) guard.allowLender(origin);
}

/** Asks the routing table, by the address a datagram would leave from; nothing is sent. */
function defaultRouteAddress(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const settle = (address: string | undefined) => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => settle(undefined));
    // An address of the range for documentation: routed like any other, and nobody's.
    socket.connect(9, '192.0.2.1', () => settle(socket.address().address));
  });
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
