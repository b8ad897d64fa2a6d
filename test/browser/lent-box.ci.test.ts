import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { lendPage, valuesOf } from '../support/lent-page.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';

const browser = (noBrowser === false ? await openBrowser({ after }) : undefined) as Browser;

/** What a task may try, by what it tries to get. Each gives what it got; what throws or never ends got nothing. */
const ATTEMPTS = `{
  document: () => document.title,
  window: () => window.location.href,
  parent: () => parent.location.href,
  top: () => top.location.href,
  opener: () => opener.location.href,
  sessionStorage: () => sessionStorage.getItem('manyhands.join'),
  localStorage: () => 'items: ' + localStorage.length,
  cookies: () => cookieStore.getAll().then(String),
  indexedDB: () => new Promise((resolve, reject) => { const open = indexedDB.open('x'); open.onsuccess = () => resolve('a database'); open.onerror = () => reject(open.error); }),
  caches: () => caches.keys().then((keys) => 'caches: ' + keys),
  files: () => navigator.storage.getDirectory().then(String),
  locks: () => navigator.locks.request('x', () => 'a lock'),
  serviceWorker: () => navigator.serviceWorker.register(url),
  tabs: () => new Promise((resolve) => { const channel = new BroadcastChannel('manyhands'); channel.onmessage = ({ data }) => resolve(JSON.stringify(data)); channel.postMessage('whoever knows a token'); }),
  fetch: () => fetch(url).then(String),
  'fetch, blind': () => fetch(url, { mode: 'no-cors' }).then(String),
  'fetch, kept alive': () => fetch(url, { method: 'POST', body: 'x', mode: 'no-cors', keepalive: true }).then(String),
  'the API': () => fetch(api + '/v1/jobs').then(String),
  'the page': () => fetch(api + '/join').then(String),
  XMLHttpRequest: () => new Promise((resolve, reject) => { const request = new XMLHttpRequest(); request.onload = () => resolve('loaded'); request.onerror = reject; request.open('GET', url); request.send(); }),
  WebSocket: () => new Promise((resolve, reject) => { const socket = new WebSocket(url.replace('http', 'ws')); socket.onopen = () => resolve('open'); socket.onerror = reject; }),
  EventSource: () => new Promise((resolve, reject) => { const events = new EventSource(url); events.onopen = () => resolve('open'); events.onerror = reject; }),
  WebTransport: () => new WebTransport(url.replace('http', 'https')).ready.then(() => 'ready'),
  RTCPeerConnection: () => String(new RTCPeerConnection()),
  importScripts: () => { importScripts(url); return 'loaded'; },
  import: () => import(url).then(() => 'loaded'),
  'import of data': () => import('data:text/javascript,export default 1').then(() => 'loaded'),
  FontFace: () => new FontFace('x', 'url(' + url + ')').load().then(String),
  Worker: () => new Promise((resolve, reject) => { const worker = new Worker(url); worker.onmessage = resolve; worker.onerror = reject; }),
  SharedWorker: () => String(new SharedWorker(url)),
  'a Worker that fetches': () => new Promise((resolve, reject) => { const text = 'fetch("' + url + '", { mode: "no-cors" }).then(() => postMessage("fetched"), () => postMessage(""))'; const worker = new Worker(URL.createObjectURL(new Blob([text]))); worker.onmessage = ({ data }) => (data === '' ? reject(data) : resolve(data)); worker.onerror = reject; }),
  clipboard: () => navigator.clipboard.readText(),
  location: () => (/^blob:null|^blob:https?:\\/\\/null/.test(location.href) ? undefined : location.href),
  origin: () => (origin === 'null' ? undefined : origin),
  referrer: () => (performance.getEntriesByType('navigation').length > 0 ? 'a navigation' : undefined),
  token: () => Object.getOwnPropertyNames(self).find((name) => { try { return /mh_[\\w-]{43}/.test(String(self[name])); } catch { return false; } }),
}`;

const CODE = `export default async ({ url, api, name, patience = 1_500 }) => {
  const attempts = ${ATTEMPTS};
  if (name === undefined) return Object.keys(attempts);
  const never = new Promise((resolve) => setTimeout(resolve, patience));
  try { return await Promise.race([attempts[name](), never]); } catch { return undefined; }
};`;

describe('T-17: a task in a page is in a box', { skip: noBrowser }, () => {
  test('it reaches no storage, no document, no token, no network and no API', async (t) => {
    const farm = await ServedFarm.start(t);
    const { url, heard } = await listen(t);
    // A tab that would give its token to any page of its origin that asks.
    const dashboard = await openPage(t, browser, farm.server.dashboardUrl);
    const api = `http://127.0.0.1:${farm.port}`;
    const opened = await lendPage(t, browser, farm, 2);
    const names = (await valuesOf(farm, await farm.submit({ code: CODE, inputs: [{ url, api }] })))[0] as string[];
    assert.ok(names.length > 30);
    const job = await farm.submit({ code: CODE, inputs: names.map((name) => ({ url, api, name })) });
    const got = await valuesOf(farm, job);
    assert.deepEqual(Object.fromEntries(names.map((name, i) => [name, got[i]]).filter(([, value]) => value)), {});
    assert.deepEqual(heard, [], 'nothing has arrived anywhere');
    assert.equal(opened.complaints.filter((each) => each.startsWith('a dialog')).length, 0);
    assertQuiet(dashboard);
  });

  test('the same attempts get what they want where nothing forbids them', async (t) => {
    const { url, heard } = await listen(t, () => '0', 'text/javascript');
    const home = await listen(t, () => '<title>home</title>');
    const { page } = await openPage(t, browser, home.url);
    const worker = `${CODE.replace('export default', 'const run =')}
      onmessage = async ({ data }) => postMessage(await run(data));`;
    const ask = (name?: string): Promise<unknown> =>
      page.evaluate(`new Promise((resolve) => {
        const worker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(worker)}])));
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage(${JSON.stringify({ url, api: home.url.slice(0, -1), name, patience: 10_000 })});
      })`);
    const names = (await ask()) as string[];
    const got = await Promise.all(names.map(ask));
    const storage = ['indexedDB', 'caches', 'files', 'locks'];
    const network = ['fetch', 'fetch, blind', 'fetch, kept alive', 'XMLHttpRequest', 'importScripts', 'import'];
    for (const name of [...storage, ...network, 'the API', 'a Worker that fetches', 'location', 'origin']) {
      assert.ok(got[names.indexOf(name)], name);
    }
    assert.ok(heard.includes('upgrade /'), 'a socket was asked for');
  });

  test('what the frame may do comes with it, also when it is opened by itself', async (t) => {
    const farm = await ServedFarm.start(t);
    const { page } = await openPage(t, browser, `http://127.0.0.1:${farm.port}/sandbox`);
    assert.equal(await page.evaluate('origin'), 'null');
    await assert.rejects(page.evaluate('fetch("/healthz").then(String)'), /Failed to fetch/);
    const { headers } = await farm.ask('GET', '/sandbox', { token: null });
    assert.match(`${headers['content-security-policy']}`, /^sandbox allow-scripts; default-src 'none'; /);
    assert.match(`${headers['content-security-policy']}`, /connect-src 'none'.*frame-ancestors 'self'$/);
  });

  test('no other site can put a farm into a frame', async (t) => {
    const farm = await ServedFarm.start(t);
    const address = `http://127.0.0.1:${farm.port}`;
    const { url } = await listen(
      t,
      () => `<iframe src="${address}/sandbox"></iframe><iframe src="${address}/join"></iframe>`,
    );
    const { page } = await openPage(t, browser, url);
    await page.waitForTimeout(300);
    const shown = await Promise.all(
      page
        .frames()
        .slice(1)
        .map((frame) => frame.title().catch(() => '')),
    );
    assert.ok(
      shown.every((title) => !/tasks run here|manyhands/.test(title)),
      shown.join(),
    );
  });
});

/** A server of somebody else, and the requests that it has heard. */
async function listen(
  t: Cleanup,
  body: () => string = () => 'hello',
  type = 'text/html',
): Promise<{ url: string; heard: string[] }> {
  const heard: string[] = [];
  const server = createServer(({ method, url }, response) => {
    heard.push(`${method} ${url}`);
    response.setHeader('content-type', type);
    response.setHeader('access-control-allow-origin', '*');
    response.end(body());
  });
  server.on('upgrade', ({ url }, socket) => {
    heard.push(`upgrade ${url}`);
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(t, () => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, heard };
}
