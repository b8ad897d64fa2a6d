import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { type PollFault, pollSession } from './faulty-polls.ts';

type Runs = readonly (readonly [number, number])[];

/** Whatever stands in the messages that it looks at. */
interface Said {
  readonly kind: string;
  readonly job: number;
  readonly lease: number;
  readonly runs: Runs;
  readonly values: readonly { readonly value: unknown }[];
  readonly inline?: string;
  readonly code: { readonly sha256: string };
  readonly range?: { readonly start: number; readonly step: number };
}

export type Say = (message: { kind: string; [field: string]: unknown }) => void;

/** What a worker does wrong. */
export interface Fault {
  /** The rules that are found broken. */
  readonly found: readonly string[];
  readonly hello?: object;
  readonly path?: string;
  readonly early?: boolean;
  /** The key is another one each time. */
  readonly forgetsKey?: boolean;
  /** What is kept is neither named nor sent again. */
  readonly forgetsOutcomes?: boolean;
  readonly twice?: boolean;
  readonly wrongValue?: boolean;
  readonly failsAsValue?: boolean;
  readonly stays?: boolean;
  /** It polls, in place of a socket. */
  readonly polls?: PollFault;
}

/** A worker in the text subprotocol that does what the sample does, but for its fault. */
export function faultyWorker(t: Cleanup, link: URL, fault: Fault): void {
  const token = link.hash.slice(1);
  let key = randomBytes(16).toString('hex');
  const kept = new Map<string, Parameters<Say>[0]>();
  const jobs = new Map<number, Said>();
  let isLeaving = false;
  const fetchOnce = codeFetcher(link);

  const hear = async (message: Said, say: Say): Promise<void> => {
    if (message.kind === 'job') jobs.set(message.job, message);
    if (message.kind === 'job' && message.inline === undefined) await fetchOnce(message.code.sha256);
    if (message.kind === 'welcome') for (const outcome of kept.values()) say(outcome);
    if (message.kind === 'ack')
      for (const [start, count] of message.runs)
        for (let index = start; index < start + count; index++) kept.delete(`${message.lease} ${index}`);
    if (message.kind === 'dismiss' && !fault.stays) {
      isLeaving = true;
      say({ kind: 'bye' });
    }
    if (message.kind !== 'tasks') return;
    const range = jobs.get(message.job)?.range;
    let position = 0;
    for (const [start, count] of message.runs) {
      for (let index = start; index < start + count; index++) {
        const input = range === undefined ? message.values[position++]?.value : range.start + index * range.step;
        const { lease, job } = message;
        const outcome = {
          kind: 'outcomes',
          lease,
          job,
          runs: [[index, 1]],
          micros: 1,
          values: [outcomeOf(input, fault)],
        };
        if (!fault.forgetsOutcomes) kept.set(`${lease} ${index}`, outcome);
        say(outcome);
      }
    }
  };

  const hello = () => {
    if (fault.forgetsKey) key = randomBytes(16).toString('hex');
    return helloOf(key, kept.keys(), fault);
  };

  const connect = (): void => {
    if (fault.polls !== undefined)
      return pollUntilEnd(t, link, fault.polls, { hello, hear, isLeaving: () => isLeaving });
    const address = `${link.origin.replace('http', 'ws')}${fault.path ?? '/v1/worker'}`;
    const socket = new WebSocket(address, 'manyhands.v1.json', { headers: { authorization: `Bearer ${token}` } });
    cleanUp(t, () => socket.terminate());
    const say: Say = (message) => socket.send(JSON.stringify(message));
    socket.on('error', () => {});
    socket.on('open', () => {
      say(hello());
      if (fault.early) say({ kind: 'beat' });
    });
    let turn = Promise.resolve();
    socket.on('message', (data: Buffer) => {
      turn = turn.then(() => hear(JSON.parse(data.toString()), say));
    });
    socket.on('close', () => {
      if (!isLeaving && fault.path === undefined) setTimeout(connect, 20).unref();
    });
  };
  connect();
}

function outcomeOf(input: unknown, fault: Fault): object {
  if (input === 13)
    return fault.failsAsValue ? { value: 'unlucky' } : { failed: { kind: 'error', name: 'Error', message: 'unlucky' } };
  if (typeof input === 'number') return { value: fault.wrongValue ? input + 2 : input * 2 };
  return { value: input };
}

function helloOf(key: string, kept: Iterable<string>, fault: Fault) {
  const held = [...kept].map((name) => {
    const [lease, index] = name.split(' ').map(Number);
    return { lease, runs: [[index, 1]] };
  });
  const facts = { name: 'faulty', device: 'other', slots: 1, runners: ['js'], labels: {}, resources: {}, held };
  return { kind: 'hello', protocol: 1, key, ...facts, ...fault.hello };
}

function pollUntilEnd(
  t: Cleanup,
  link: URL,
  fault: PollFault,
  mind: { hello(): object; hear(message: Said, say: Say): Promise<void>; isLeaving(): boolean },
): void {
  const stop = new AbortController();
  cleanUp(t, () => stop.abort());
  const hear = (text: string, say: Say) => mind.hear(JSON.parse(text) as Said, say);
  void pollSession(link, fault, { ...mind, hear, stop: stop.signal });
}

/** Fetches code of each hash once. */
function codeFetcher(link: URL): (sha256: string) => Promise<void> {
  const fetched = new Set<string>();
  return async (sha256) => {
    if (fetched.has(sha256)) return;
    fetched.add(sha256);
    const headers = { authorization: `Bearer ${link.hash.slice(1)}` };
    await (await fetch(new URL(`/v1/blobs/${sha256}`, link), { headers })).arrayBuffer();
  };
}
