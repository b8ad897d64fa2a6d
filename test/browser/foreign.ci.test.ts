import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, type TestContext, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';

interface Stage {
  readonly browser: Browser;
  readonly farm: ServedFarm;
}

const { browser, farm } = (noBrowser === false ? await setUp({ after }) : {}) as Stage;

async function setUp(suite: Cleanup): Promise<Stage> {
  // The second name is what an attacker's name server would answer: this machine.
  const browser = await openBrowser(suite, '--host-resolver-rules=MAP evil.test 127.0.0.1');
  return { browser, farm: await ServedFarm.start(suite) };
}

/** A page of somebody else's, on another port of this machine: to the browser another origin. */
async function foreignSite(t: TestContext): Promise<string> {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><title>${request.url}</title><body>somebody else's page`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(t, () => new Promise((resolve) => server.close(resolve)));
  cleanUp(t, () => server.closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * All the ways in which a page can make its visitor's browser ask a server. Each gives what it could read or open; nothing
 * at all: it did not succeed. TOKEN is a good one, so that the origin alone is what stops them.
 */
const ATTEMPTS: Record<string, string> = {
  'a fetch': `(await fetch(U + '/v1/jobs')).status`,
  'a fetch with the token': `(await fetch(U + '/v1/jobs', { headers: AUTH })).status`,
  'a fetch without CORS': `(await (await fetch(U + '/v1/jobs', { mode: 'no-cors' })).text()) || undefined`,
  'a fetch of a page': `(await fetch(U + '/')).status`,
  'a fetch of the health': `(await fetch(U + '/healthz')).status`,
  'a job by fetch': `(await fetch(U + '/v1/jobs', { method: 'POST', headers: { ...AUTH, 'content-type': 'application/json' }, body: JOB })).status`,
  'a job by a simple request': `(await fetch(U + '/v1/jobs', { method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body: JOB }).then((r) => r.text())) || undefined`,
  'a cancel by DELETE': `(await fetch(U + '/v1/jobs/1', { method: 'DELETE', headers: AUTH })).status`,
  'a blob by PUT': `(await fetch(U + '/v1/blobs/' + 'a'.repeat(64), { method: 'PUT', headers: AUTH, body: 'x' })).status`,
  'a beacon': `navigator.sendBeacon(U + '/v1/jobs', new Blob([JOB], { type: 'text/plain' })) && undefined`,
  'an XMLHttpRequest': `await new Promise((resolve) => { const x = new XMLHttpRequest(); x.open('GET', U + '/v1/jobs'); x.setRequestHeader('authorization', AUTH.authorization); x.onload = () => resolve(x.status); x.onerror = () => resolve(undefined); x.send(); })`,
  'an event source': `await new Promise((resolve) => { const e = new EventSource(U + '/v1/events'); e.onopen = () => resolve('open'); e.onerror = () => { e.close(); resolve(undefined); }; })`,
  'a script': `await loads('script', 'src', '/v1/jobs')`,
  'the script of the pages': `await loads('script', 'src', '/assets/dashboard.js')`,
  'a style sheet': `await loads('link', 'href', '/assets/dashboard.css')`,
  'a picture': `await loads('img', 'src', '/assets/icon.svg')`,
  'a frame': `await frame('/')`,
  'a frame of a job': `await frame('/jobs/1')`,
  'a window': `(() => { const w = open(U + '/'); try { return w.document.title || undefined; } catch { return undefined; } finally { w?.close(); } })()`,
  'a form': `await form('/v1/jobs', 'text/plain')`,
  'a form as JSON': `await form('/v1/jobs/1/cancel', 'application/x-www-form-urlencoded')`,
  'a socket of a client': `await socket('/v1/client', ['manyhands.client.v1'])`,
  'a socket of a client with a ticket': `await socket('/v1/client', ['manyhands.client.v1', 'manyhands.ticket.' + TICKETS.pop()])`,
  'a socket of a worker': `await socket('/v1/worker', ['manyhands.v1.json'])`,
  'a socket from a frame without an origin': `await opaque('/v1/client')`,
};

const HELP = `
const AUTH = { authorization: 'Bearer ' + TOKEN };
const JOB = JSON.stringify({ name: 'foreign', code: 'export default () => 1', inputs: [1] });
const later = (value) => new Promise((resolve) => setTimeout(() => resolve(value), PATIENCE));
const loads = (tag, attribute, path) => new Promise((resolve) => {
  const element = document.createElement(tag);
  if (tag === 'link') element.rel = 'stylesheet';
  element.onload = () => resolve('loaded');
  element.onerror = () => resolve(undefined);
  element[attribute] = U + path;
  document.body.append(element);
});
const frame = (path) => new Promise((resolve) => {
  const element = document.createElement('iframe');
  element.onload = () => { try { resolve(element.contentDocument?.title || undefined); } catch { resolve(undefined); } };
  element.src = U + path;
  document.body.append(element);
});
const form = (path, type) => new Promise((resolve) => {
  const target = document.createElement('iframe');
  target.name = 'target' + Math.random();
  document.body.append(target);
  const element = document.createElement('form');
  Object.assign(element, { action: U + path, method: 'post', enctype: type, target: target.name });
  const input = document.createElement('input');
  Object.assign(input, { name: JOB.slice(0, -1) + ',"x":"', value: '"}' });
  element.append(input);
  document.body.append(element);
  target.onload = () => { try { if (target.contentWindow.location.href !== 'about:blank') resolve('readable'); } catch { resolve(undefined); } };
  element.submit();
});
const socket = (path, protocols) => new Promise((resolve) => {
  const socket = new WebSocket(U.replace('http', 'ws') + path, protocols);
  socket.onopen = () => { resolve('open'); socket.close(); };
  socket.onerror = () => resolve(undefined);
});
const opaque = (path) => new Promise((resolve) => {
  const element = document.createElement('iframe');
  element.sandbox = 'allow-scripts';
  onmessage = ({ data }) => resolve(data === 'open' ? data : undefined);
  const address = JSON.stringify(U.replace('http', 'ws') + path);
  const protocols = JSON.stringify(['manyhands.client.v1', 'manyhands.ticket.' + TICKETS.pop()]);
  element.srcdoc = '<script>const s = new WebSocket(' + address + ', ' + protocols + '); s.onopen = () => parent.postMessage("open", "*"); s.onerror = () => parent.postMessage("refused", "*");<' + '/script>';
  document.body.append(element);
});`;

/** What each attempt got, run in a page. */
async function tried(page: Page, tickets: string[], patience = 1_500): Promise<Record<string, unknown>> {
  const runs = Object.entries(ATTEMPTS).map(([name, code]) => `[${JSON.stringify(name)}, async () => ${code}]`);
  return (await page.evaluate(`(async () => {
    const U = 'http://127.0.0.1:${farm.port}', TOKEN = '${farm.tokens.admin}', TICKETS = ${JSON.stringify(tickets)}, PATIENCE = ${patience};
    ${HELP}
    const got = {};
    await Promise.all([${runs.join(', ')}].map(async ([name, run]) => {
      try { got[name] = (await Promise.race([run(), later(undefined)])) ?? 'nothing'; } catch (error) { got[name] = 'nothing'; }
    }));
    return got;
  })()`)) as Record<string, unknown>;
}

async function someTickets(): Promise<string[]> {
  const make = () => farm.json<{ ticket: string }>('POST', '/v1/tickets', { path: '/v1/client' });
  return (await Promise.all([make(), make()])).map(({ ticket }) => ticket);
}

describe('pages of others', { skip: noBrowser }, () => {
  test('T-2, T-4: a page on another port tries every kind of request, and none succeeds', async (t) => {
    const { page } = await openPage(t, browser, await foreignSite(t));
    const got = await tried(page, await someTickets());
    assert.deepEqual(got, Object.fromEntries(Object.keys(ATTEMPTS).map((name) => [name, 'nothing'])));
    const { jobs } = await farm.json<{ jobs: unknown[] }>('GET', '/v1/jobs');
    assert.deepEqual(jobs, [], 'and nothing has happened');
  });

  test('the same attempts of our own page succeed where they should, so they are well made', async (t) => {
    const opened = await openPage(t, browser, `http://127.0.0.1:${farm.port}/#${farm.tokens.admin}`);
    await opened.page.getByText('live', { exact: true }).waitFor();
    // A busy machine may need a while for what does succeed; some attempts never end.
    const own = await tried(opened.page, await someTickets(), 8_000);
    const succeeded = Object.keys(own).filter((name) => ![401, 404, 'nothing'].includes(own[name] as never));
    for (const name of [
      'a fetch with the token',
      'a job by fetch',
      'an XMLHttpRequest',
      'a socket of a client with a ticket',
      'a fetch of a page',
      'a picture',
      'a style sheet',
    ]) {
      assert.ok(succeeded.includes(name), `${name}: ${own[name]}`);
    }
    // Even here a frame without an origin, forms and frames are refused.
    for (const name of ['a socket from a frame without an origin', 'a form', 'a frame', 'a socket of a client']) {
      assert.ok(!succeeded.includes(name), `${name}: ${own[name]}`);
    }
  });

  test('T-3: a name of others that leads here gets nothing, not even the page', async (t) => {
    const opened = await openPage(t, browser, `http://evil.test:${farm.port}/`);
    const text = await opened.page.locator('body').textContent();
    assert.match(text ?? '', /does not answer to the name evil\.test/);
    const asked = `fetch('/v1/jobs', { headers: { authorization: 'Bearer ${farm.tokens.admin}' } })`;
    assert.equal(await opened.page.evaluate(`${asked}.then((answer) => answer.ok, () => false)`), false);
  });

  test('a link from anywhere opens the dashboard: only what it holds is guarded', async (t) => {
    const opened = await openPage(t, browser, await foreignSite(t));
    await opened.page.evaluate(`location.href = 'http://127.0.0.1:${farm.port}/#${farm.tokens.read}'`);
    await opened.page.getByText('live', { exact: true }).waitFor();
    assertQuiet(opened);
  });
});
