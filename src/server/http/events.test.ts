import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, test } from 'node:test';
import { Wire } from '../../../test/support/http.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor, within } from '../../../test/support/wait.ts';
import type { FeedMessage } from '../../model/feed.ts';
import { EVENTS_BACKLOG_BYTES, FEED_HISTORY_STEP } from '../../model/limits.ts';

const farm = await ServedFarm.start({ after });

interface Event {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: FeedMessage;
}

/** A reader as the standard for server-sent events describes one. */
class Reader {
  readonly events: Event[] = [];
  readonly message: IncomingMessage;
  ended = false;
  #text = '';

  private constructor(message: IncomingMessage) {
    this.message = message;
    message.setEncoding('utf8');
    message.on('error', () => {});
    message.on('close', () => (this.ended = true));
    message.on('data', (text: string) => {
      this.#text += text;
      const blocks = this.#text.split('\n\n');
      this.#text = blocks.pop() as string;
      for (const block of blocks) this.#take(block);
    });
  }

  static async open(headers: Record<string, string> = {}, query = ''): Promise<Reader> {
    const { message } = await farm.begin(`/v1/events${query}`, { token: farm.tokens.read, headers });
    assert.equal(message.statusCode, 200);
    assert.equal(message.headers['content-type'], 'text/event-stream');
    return new Reader(message);
  }

  get last(): string {
    return this.events.findLast(({ id }) => id !== undefined)?.id ?? '';
  }

  has(kind: string, what: (data: FeedMessage) => boolean = () => true): Promise<unknown> {
    return waitFor(() => this.events.some(({ event, data }) => event === kind && what(data)), { what: `a ${kind}` });
  }

  close(): void {
    this.message.destroy();
  }

  #take(block: string): void {
    if (block.startsWith(':')) return;
    const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]));
    this.events.push({
      event: fields.get('event') ?? '',
      id: fields.get('id'),
      data: JSON.parse(fields.get('data') ?? ''),
    });
  }
}

const tells = (job: number) => (data: FeedMessage) =>
  data.kind === 'delta' && data.jobs?.some(({ id }) => id === job) === true;
const submit = () => farm.submit({ code: 'export default 1', inputs: [1] });

test('first what is there, a boundary, then what happens', async () => {
  const before = await submit();
  const reader = await Reader.open();
  await reader.has('boundary');
  const [snapshot, boundary] = reader.events;
  assert.deepEqual([snapshot?.event, snapshot?.id, boundary?.event], ['snapshot', undefined, 'boundary']);
  assert.ok(snapshot?.data.kind === 'snapshot' && snapshot.data.jobs.some(({ id }) => id === before));
  const later = await submit();
  await reader.has('delta', tells(later));
  for (const { id, data } of reader.events.slice(1))
    assert.equal(id, data.kind === 'snapshot' ? undefined : data.cursor);
  reader.close();
});

test('S7: who comes back with Last-Event-ID gets what was missed, each once, in order', async () => {
  const first = await Reader.open();
  await first.has('boundary');
  const seen = await submit();
  await first.has('delta', tells(seen));
  const { last } = first;
  first.close();
  const missed = await submit();
  const watcher = await Reader.open();
  await watcher.has('boundary');
  for (const [headers, query] of [
    [{ 'last-event-id': last }, ''],
    [{}, `?after=${last}`],
    // The browser repeats the address that it began with, which is older than what it has seen.
    [{ 'last-event-id': last }, '?after=something-old'],
  ] as const) {
    const again = await Reader.open(headers, query);
    await again.has('delta', tells(missed));
    assert.ok(
      again.events.every(({ event }) => event === 'delta'),
      'no second snapshot',
    );
    assert.ok(!again.events.some(({ data }) => tells(seen)(data)), 'nothing that was seen before');
    const numbers = again.events.map(({ id }) => Number(id?.split('-')[1]));
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    );
    assert.equal(numbers[0], Number(last.split('-')[1]) + 1, 'nothing is left out');
    again.close();
  }
  watcher.close();
});

test('a cursor of another life, from the future or of nonsense begins with a snapshot', async () => {
  for (const id of ['00000000-1', 'nonsense', '-1', `${(await firstCursor()).split('-')[0]}-999999`, '__proto__']) {
    const reader = await Reader.open({ 'last-event-id': id });
    await reader.has('boundary');
    assert.equal(reader.events[0]?.event, 'snapshot', id);
    reader.close();
  }
  assert.equal((await farm.ask('GET', `/v1/events?after=${'x'.repeat(65)}`)).status, 400);
});

async function firstCursor(): Promise<string> {
  const reader = await Reader.open();
  await reader.has('boundary');
  reader.close();
  return reader.last;
}

test('a job that is forgotten is told as gone', async () => {
  const job = await submit();
  const reader = await Reader.open();
  await reader.has('boundary');
  await farm.json('POST', `/v1/jobs/${job}/cancel`);
  await farm.json('DELETE', `/v1/jobs/${job}`);
  await reader.has('delta', (data) => data.kind === 'delta' && data.goneJobs?.includes(job) === true);
  reader.close();
});

/** Jobs whose description is so large that a few hundred are more than may wait for one reader. */
async function submitLarge(on: ServedFarm, count: number): Promise<void> {
  const requires = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`label ${i}`, '漢'.repeat(200)]));
  const range = { start: 0, step: 1, count: 1 };
  for (let i = 0; i < count; i++) await on.submit({ code: 'export default 1', range, requires });
}

test('a snapshot that is larger than what may wait for a reader arrives whole', async (t) => {
  const own = await ServedFarm.start(t);
  await submitLarge(own, 130);
  const { message } = await own.begin('/v1/events');
  let bytes = 0;
  let end = '';
  message.on('data', (part: Buffer) => {
    bytes += part.length;
    end = (end + part.toString('latin1')).slice(-200);
  });
  await waitFor(() => /event: boundary\nid: \S+\ndata: .*\n\n$/.test(end), { what: 'the boundary', timeout: 30_000 });
  assert.ok(bytes > EVENTS_BACKLOG_BYTES, `${bytes}`);
  message.destroy();
});

test('F-11: a reader that takes nothing is cut at the bound; the others see everything', async (t) => {
  const own = await ServedFarm.start(t);
  const readers = async () =>
    Number(/^manyhands_feed_readers (\d+)/m.exec((await own.ask('GET', '/metrics')).text)?.[1]);
  const stuck = await Wire.open(own.port);
  stuck.write(`GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${own.tokens.read}\r\n\r\n`);
  await waitFor(() => /event: boundary/.test(stuck.text), { what: 'the stream' });
  stuck.socket.pause();
  const { message } = await own.begin('/v1/events');
  let seen = '';
  message.on('data', (part: Buffer) => (seen = (seen + part.toString('latin1')).slice(-100_000)));
  await waitFor(async () => (await readers()) === 2, { what: 'both readers' });
  for (let i = 0; i < 20 && (await readers()) === 2; i++) await submitLarge(own, 40);
  assert.equal(await readers(), 1, 'one was cut');
  const last = await own.submit({ code: 'export default 1', inputs: [1] });
  await waitFor(() => seen.includes(`{"id":${last},`), { what: 'the other reader to hear of the last job' });
  message.destroy();
  stuck.close();
});

test('a server that stops ends its event streams, which have no end of their own', async (t) => {
  const own = await ServedFarm.start(t);
  const { message } = await own.begin('/v1/events');
  let text = '';
  message.setEncoding('utf8');
  const reading = (async () => {
    for await (const part of message) text += part;
  })();
  const closing = own.server.close();
  await within(reading, 10_000, 'the end of the stream');
  await closing;
  assert.equal(message.complete, true, 'it was ended, not cut');
  assert.match(text, /event: boundary\n/);
});

test('who begins to read is told the last minutes, so that a chart need not begin empty', async (t) => {
  const farm = await ServedFarm.start(t);
  await farm.join(1);
  const job = await farm.submit({
    name: 'j',
    // Longer than the step between two moments that are kept, on however fast a machine.
    code: `export default () => new Promise((done) => setTimeout(done, ${FEED_HISTORY_STEP}))`,
    range: { start: 0, step: 1, count: 2 },
  });
  const isOver = async () =>
    (await farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt;
  await waitFor(isOver, { what: 'the end of the job' });
  const { message } = await farm.begin('/v1/events');
  let text = '';
  message.setEncoding('utf8');
  for await (const part of message) if (/event: boundary/.test((text += part))) break;
  const snapshot = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '') as Extract<FeedMessage, { kind: 'snapshot' }>;
  const { history, at } = snapshot;
  assert.deepEqual(history.at(-1), { at, ended: 2, busy: 0, slots: 1 });
  assert.ok(history.length > 1 && history[0]?.ended === 0, JSON.stringify(history));
});
