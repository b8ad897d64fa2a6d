import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceOf } from './device.ts';

const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';
const agents: [agent: string, words: string][] = [
  [`Mozilla/5.0 (Linux; Android 15; Pixel 9) ${webkit} Chrome/153.0.0.0 Mobile Safari/537.36`, 'Android, Chrome 153'],
  [`Mozilla/5.0 (X11; Linux x86_64) ${webkit} HeadlessChrome/153.0.8010.0 Safari/537.36`, 'Linux, Chrome 153'],
  [
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/153.0.0.0 Safari/537.36 Edg/153.0.0.0`,
    'Windows, Edge 153',
  ],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0', 'Linux, Firefox 150'],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1',
    'iPhone, Safari 19',
  ],
  ['something else', 'a device, a browser '],
];

for (const [agent, words] of agents) {
  test(words, () => {
    const { browser, version, system } = deviceOf(agent);
    assert.equal(`${system}, ${browser} ${version}`, words);
  });
}
