import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ServedFarm } from '../../../test/support/served-farm.ts';

const farm = await ServedFarm.start({ after });
const job = await farm.submit({ name: 'a secret name', code: 'export default () => 1', inputs: [1] });
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  farm.ask(method, path, { token: null, headers });
const pages = ['/', '/run', '/join', '/boot', `/jobs/${job}`, `/jobs/${job}/tasks/0`, '/workers/aaaaaaaaaa'];
const first = ['/assets/dashboard.js', '/assets/dashboard.css', '/assets/icon.svg'];
/** Loaded by one page only, when it is used. */
const assets = [...first, '/assets/readers.js'];

describe('pages', () => {
  test('T-29: are the same shell everywhere, for anybody, without any data', async () => {
    const texts = new Set<string>();
    for (const path of pages) {
      const { status, headers, text } = await ask(path, { accept: 'text/html' });
      assert.equal(status, 200, path);
      assert.equal(headers['content-type'], 'text/html; charset=utf-8');
      texts.add(text);
    }
    assert.equal(texts.size, 1);
    assert.doesNotMatch([...texts].join(), /secret|mh_/);
  });

  test('T-6: carry a policy that allows nothing inline and nothing of others', async () => {
    for (const path of pages) {
      const policy = String((await ask(path, { accept: 'text/html' })).headers['content-security-policy']);
      const rules = new Map(policy.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1).join(' ')]));
      assert.equal(rules.get('default-src'), "'none'");
      for (const name of ['script-src', 'style-src', 'connect-src']) assert.equal(rules.get(name), "'self'", name);
      for (const name of ['frame-ancestors', 'base-uri', 'form-action']) assert.equal(rules.get(name), "'none'", name);
      assert.equal(rules.get('require-trusted-types-for'), "'script'");
      assert.doesNotMatch(policy, /unsafe|\*|http/);
    }
    const { text } = await ask('/');
    assert.doesNotMatch(text, /<script(?![^>]*\bsrc=)|<style|\son\w+=|style=|javascript:/i);
  });

  test('are what programs ask for under the same address, if they say so', async () => {
    const asked = await farm.ask('GET', `/jobs/${job}`, { headers: { accept: 'application/json' } });
    assert.equal((asked.json as { id: number }).id, job);
    assert.equal((await ask(`/jobs/${job}`, { accept: 'application/json' })).status, 401);
  });

  test('and what they are made of weigh less than 100 KB as they are sent', async () => {
    const weights = new Map<string, number>();
    for (const path of ['/', ...assets]) {
      const { status, headers, body } = await ask(path, { 'accept-encoding': 'gzip, br' });
      assert.equal(status, 200, path);
      assert.equal(headers['content-encoding'], 'gzip');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      weights.set(path, body.length);
      assert.deepEqual(gunzipSync(body), (await ask(path)).body, path);
    }
    const loaded = ['/', ...first].reduce((sum, path) => sum + (weights.get(path) ?? 0), 0);
    assert.ok(loaded < 100_000 && (weights.get('/assets/readers.js') ?? 0) < 100_000, JSON.stringify([...weights]));
  });

  test('are sent once: whoever has the newest is told so', async () => {
    for (const path of ['/', ...assets]) {
      for (const accepted of ['gzip', 'identity']) {
        const first = await ask(path, { 'accept-encoding': accepted });
        const tag = String(first.headers.etag);
        for (const known of [tag, `W/${tag}`, `"other", ${tag}`]) {
          const again = await ask(path, { 'accept-encoding': accepted, 'if-none-match': known });
          assert.deepEqual([again.status, again.body.length], [304, 0], `${path} ${known}`);
        }
        assert.equal((await ask(path, { 'accept-encoding': accepted, 'if-none-match': '"old"' })).status, 200);
        const head = await ask(path, { 'accept-encoding': accepted }, 'HEAD');
        assert.deepEqual(
          [head.status, head.headers['content-length'], head.body.length],
          [200, first.headers['content-length'], 0],
        );
      }
    }
  });

  test('have only the files that they have', async () => {
    for (const file of ['nothing.js', 'shell.html', 'dashboard.ts']) {
      assert.equal((await ask(`/assets/${file}`)).status, 404, file);
    }
    for (const file of ['..%2f..%2fpackage.json', '%2e%2e', '__proto__', 'constructor']) {
      assert.ok([400, 404].includes((await ask(`/assets/${file}`)).status), file);
    }
  });
});
