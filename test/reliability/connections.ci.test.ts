import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INLINE_VALUE_BYTES, WORKER_HTTP_CONNECTIONS } from '../../src/model/limits.ts';
import { runManyhands, startManyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { Line } from './line.ts';
import { Served } from './served.ts';

const FETCHES = 1_000;

test('a worker fetches 1,000 blobs over two connections that it keeps', async (t) => {
  const served = await Served.start(t);
  const proxy = await Line.start(t, served.port);
  const link = served.joinUrl.replace(`:${served.port}/`, `:${proxy.port}/`);
  const worker = startManyhands(t, ['join', link, '--json', '--slots', '4']);
  await worker.output(/"joined"/, { timeout: 60_000 });
  const socket = proxy.accepted;
  const farm = await served.connect();
  function* blobs() {
    for (let at = 0; at < FETCHES; at++) {
      const bytes = new Uint8Array(INLINE_VALUE_BYTES + 1);
      new DataView(bytes.buffer).setUint32(0, at);
      yield bytes;
    }
  }
  const job = await farm.map(
    (bytes: Uint8Array) => [new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), bytes.length],
    blobs(),
  );
  const values = await job.values();
  assert.deepEqual(
    values,
    Array.from({ length: FETCHES }, (_, at) => [at, INLINE_VALUE_BYTES + 1]),
  );
  assert.equal(socket, 1);
  assert.ok(
    proxy.accepted - socket <= WORKER_HTTP_CONNECTIONS,
    `${proxy.accepted - socket} connections for ${FETCHES} fetches`,
  );
});

test('a worker is stopped in the middle of a long task, which then runs elsewhere (R24)', async (t) => {
  const served = await Served.start(t);
  const counter = await Counter.start(t);
  const farm = await served.connect();
  const env = { MANYHANDS_URL: served.url, MANYHANDS_TOKEN: served.admin };
  const workersOf = async () => (await served.get<{ workers: { id: string; state: string }[] }>('/v1/workers')).workers;
  const stops = {
    command: async (id: string) => {
      const { code, stdout, stderr } = await runManyhands(t, ['stop', id], { env });
      assert.deepEqual([code, stdout, stderr], [0, '', '']);
    },
    API: async (id: string) => {
      const answer = await served.ask({ method: 'POST', path: `/v1/workers/${id}/stop` });
      assert.equal(answer.status, 204, answer.text);
    },
  };
  for (const [how, stop] of Object.entries(stops)) {
    const first = await served.join('--slots', '1');
    const [worker] = (await workersOf()).filter(({ state }) => state !== 'lost');
    const job = await farm.map(
      async ({ url, nth }: { url: string; nth: number }, ctx: { key: string; attempt: string }) => {
        const answer = await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
        // The first execution would take an hour; its worker does not wait for it.
        await new Promise((resolve) =>
          setTimeout(resolve, Number(answer.headers.get('x-starts')) === 1 ? 3_600_000 : 10),
        );
        return nth;
      },
      [{ url: counter.url, nth: 1 }],
    );
    await waitFor(() => [...counter.starts.keys()].some((key) => key.includes(`-${job.id}-`)), {
      what: 'the task to run',
    });
    await stop(worker?.id as string);
    const { code, stdout } = await first.exit();
    assert.equal(code, 0, how);
    assert.match(stdout, /"state":"ended"/, how);
    await waitFor(async () => (await workersOf()).every(({ id, state }) => id !== worker?.id || state === 'lost'), {
      what: 'its end',
    });
    const second = await served.join('--slots', '1');
    assert.deepEqual(await job.values(), [1], how);
    const { progress } = await job.status();
    assert.deepEqual([progress.done, progress.failed, progress.retried], [1, 0, 0]);
    second.signal('SIGTERM');
    assert.equal((await second.exit()).code, 0);
  }
});
