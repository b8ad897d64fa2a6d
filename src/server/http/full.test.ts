import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { type Answer, ask } from '../../../test/support/http.ts';
import { manyhands, run, start } from '../../../test/support/processes.ts';
import { jsonBody } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { JobView } from '../../model/feed.ts';

const MiB = 1024 * 1024;
/** A disk of a few megabytes, which only the process started here sees, and which goes with it. */
const SMALL_DISK = 'mount -t tmpfs -o size=12m none "$0" && exec "$@"';

test('F-21: a full disk is 507, loses nothing that was acknowledged, and is over once there is room', async (t) => {
  const disk = temporaryDirectory(t, 'disk');
  const trial = await run(t, ['unshare', '-rm', 'sh', '-c', SMALL_DISK, disk, 'true']).catch(() => undefined);
  if (trial?.code !== 0) return t.skip('this system lets nobody mount a small disk');
  const serve = [...manyhands, 'serve', '--port', '0', '--json', '--data', path.join(disk, 'data')];
  const running = start(t, ['unshare', '-rm', 'sh', '-c', SMALL_DISK, disk, ...serve]);
  const [line] = await running.output(/\{"url".*\}/, { timeout: 30_000 });
  const { url, dashboardUrl } = JSON.parse(line) as { url: string; dashboardUrl: string };
  const port = Number(new URL(url).port);
  const token = new URL(dashboardUrl).hash.slice(1);
  const send = (method: string, address: string, more: object = {}) =>
    ask(port, { method, path: address, token, ...more });
  // The same place as the server's own process sees it.
  const filler = path.join(`/proc/${running.pid}/root`, disk, 'filler');
  const job = ((await send('POST', '/v1/jobs', jsonBody({ code: 'export default 1', open: true }))).json as JobView).id;
  mkdirSync(path.dirname(filler), { recursive: true });
  writeFileSync(filler, Buffer.alloc(4 * MiB));

  let acked = 0;
  const add = async (): Promise<Answer> => {
    const lines = `${JSON.stringify(randomBytes(20_000).toString('hex'))}\n`.repeat(10);
    const headers = { 'content-type': 'application/x-ndjson' };
    const answer = await send('POST', `/v1/jobs/${job}/inputs?from=${acked}`, { headers, body: lines });
    if (answer.status === 200) acked = (answer.json as { total: number }).total;
    return answer;
  };
  let last = await add();
  for (let i = 0; i < 100 && last.status === 200; i++) last = await add();
  refusedFor('room', last);
  assert.ok(acked > 0);
  const more = await send(
    'POST',
    '/v1/jobs',
    jsonBody({ code: `export default 2; // ${'x'.repeat(MiB)}`, inputs: [1] }),
  );
  refusedFor('room', more);

  const blob = randomBytes(8 * MiB);
  const address = `/v1/blobs/${createHash('sha256').update(blob).digest('hex')}`;
  const upload = () => send('PUT', address, { headers: { 'content-type': 'application/octet-stream' }, body: blob });
  refusedFor('room', await upload());
  assert.equal((await send('HEAD', address)).headers['upload-offset'], '0', 'nothing of it is kept');
  const view = (await send('GET', `/v1/jobs/${job}`)).json as JobView;
  assert.deepEqual([view.progress.total, view.progress.state], [acked, 'active'], 'what was acknowledged is there');

  rmSync(filler);
  last = await waitFor(
    async () => {
      const answer = await add();
      if (answer.status === 200) return answer;
      assert.ok(answer.status === 503 || answer.status === 507, answer.text);
      return undefined;
    },
    { what: 'it to go on', timeout: 30_000, interval: 200 },
  );
  assert.equal((await send('GET', `/v1/jobs/${job}/tasks/0/input`)).status, 200);
  assert.equal((await send('POST', '/v1/tokens', jsonBody({ role: 'read' }))).status, 201);
  assert.equal(running.child.exitCode, null, 'the same process');
});

function refusedFor(reason: string, answer: Answer): void {
  assert.equal(answer.status, 507, answer.text);
  const { code, detail } = answer.json as { code: string; detail: string };
  assert.equal(code, 'full');
  assert.match(detail, new RegExp(reason));
  assert.equal(answer.headers['content-type'], 'application/problem+json');
}
