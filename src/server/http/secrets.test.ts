import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { ask, Wire } from '../../../test/support/http.ts';
import { startManyhands } from '../../../test/support/processes.ts';
import { jsonBody } from '../../../test/support/served-farm.ts';

test('T-26: no token is in the log, the command line, the environment or the data, whatever goes wrong', async (t) => {
  const dataDir = temporaryDirectory(t, 'secrets');
  const running = startManyhands(t, ['serve', '--port', '0', '--data', dataDir, '--json']);
  const [line] = await running.output(/\{"url".*\}/);
  const { url, dashboardUrl, joinUrl } = JSON.parse(line) as { url: string; dashboardUrl: string; joinUrl: string };
  const port = Number(new URL(url).port);
  const admin = new URL(dashboardUrl).hash.slice(1);
  const made = await ask(port, {
    method: 'POST',
    path: '/v1/tokens',
    token: admin,
    ...jsonBody({ role: 'submit', name: 'me' }),
  });
  const { token } = made.json as { token: string };
  const wrong = `mh_${'W'.repeat(43)}`;
  const tokens = [admin, token, wrong, new URL(joinUrl).hash.slice(1)];
  // What no caller could have caused is logged with its request.
  const name = 'd'.repeat(64);
  symlinkSync(name, path.join(dataDir, 'blobs', name));
  for (const secret of tokens) {
    await ask(port, { path: `/v1/blobs/${name}`, token: secret });
    await ask(port, { path: `/v1/blobs/${name}?ticket=${secret}`, token: admin });
    await ask(port, { path: `/v1/jobs?token=${secret}`, token: secret });
    await ask(port, { path: `/v1/jobs/${secret}`, token: secret });
    await ask(port, { path: '/v1/jobs', headers: { authorization: `Basic ${secret}` } });
    const bare = await Wire.open(port);
    bare.write(`GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\nbroken\r\n\r\n`);
    await bare.end();
  }
  const ticket = await ask(port, {
    method: 'POST',
    path: '/v1/tickets',
    token: admin,
    ...jsonBody({ path: `/v1/blobs/${name}` }),
  });
  const { ticket: text } = ticket.json as { ticket: string };
  assert.equal((await ask(port, { path: `/v1/blobs/${name}?ticket=${text}` })).status, 500);
  await running.output(/a request failed/, { stream: 'stderr' });
  const places: [string, string][] = [['the log', running.stderr]];
  if (process.platform === 'linux') {
    for (const each of ['cmdline', 'environ'])
      places.push([each, readFileSync(`/proc/${running.pid}/${each}`, 'latin1')]);
  }
  for (const file of readdirSync(dataDir, { recursive: true, encoding: 'utf8' })) {
    const full = path.join(dataDir, file);
    // These two are where their owner finds the tokens again; only the owner can read them.
    if (/\.token$/.test(file)) assert.equal(statSync(full).mode & 0o077, 0, file);
    else if (!file.includes(name) && statSync(full).isFile()) places.push([file, readFileSync(full, 'latin1')]);
  }
  assert.ok(places.length > 4);
  for (const [place, content] of places) {
    for (const secret of [...tokens, text])
      assert.ok(!content.includes(secret.replace(/^mh_/, '')), `${secret} is in ${place}`);
  }
  assert.equal(statSync(dataDir).mode & 0o077, 0, "and the directory is its owner's");
});
