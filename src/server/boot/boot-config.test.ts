import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BOOT_CONFIG_BYTES } from '../../model/boot-limits.ts';
import {
  BOOT_CONFIG_MAGIC,
  type BootAllowed,
  type BootConfig,
  formatBootConfig,
  parseBootConfig,
} from './boot-config.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

describe('the configuration of a boot image', () => {
  const configs: Record<string, BootConfig> = {
    'nothing at all': { server: [] },
    'one server': { server: ['http://10.0.2.2:7070'] },
    'several servers, a token, commands': {
      server: ['https://farm.example/', 'http://[fd00::1]:7070'],
      token: `mh_${'x'.repeat(43)}`,
      allow: ['exec'],
    },
  };
  for (const [what, config] of Object.entries(configs)) {
    test(`is always as long, and is read as it was written: ${what}`, () => {
      const written = formatBootConfig(config);
      assert.equal(written.length, BOOT_CONFIG_BYTES);
      assert.equal(text(written).split(BOOT_CONFIG_MAGIC).length, 2);
      assert.deepEqual(parseBootConfig(written), config);
    });
  }

  test('is lines for a person, which may be edited by hand', () => {
    const written = text(formatBootConfig({ server: ['http://a:1', 'http://b:2'], token: 'secret' }));
    assert.equal(written.trimEnd(), `${BOOT_CONFIG_MAGIC}\nserver=http://a:1,http://b:2\ntoken=secret`);
    const edited = `${BOOT_CONFIG_MAGIC}\r\n# my farm\r\n server = http://a:1 , http://b:2\r\nfrom=later\r\ntoken=\r\n`;
    assert.deepEqual(parseBootConfig(bytes(edited)), { server: ['http://a:1', 'http://b:2'] });
  });

  const refused: Record<string, [BootConfig, RegExp]> = {
    'a line break in the token': [{ server: [], token: 'a\nserver=http://evil' }, /the token .* is one line/],
    'a blank before the token': [{ server: [], token: ' a' }, /the token/],
    'no token in the token': [{ server: [], token: '' }, /the token/],
    'a line break in an address': [{ server: ['http://a\ntoken=x'] }, /no address/],
    'two addresses in one': [{ server: ['http://a,http://b'] }, /no address/],
    'a join link, whose token has a place of its own': [{ server: ['http://a/join#secret'] }, /no address/],
    'an address without its scheme': [{ server: ['10.0.2.2:7070'] }, /give something like http:\/\/HOST:7070/],
    'more than fits': [{ server: Array(80).fill('http://a-long-name.example:7070') }, /room for 2048 bytes.*fewer/],
    'what nobody can allow': [{ server: [], allow: ['all' as BootAllowed] }, /allow=all .* knows exec/],
  };
  for (const [what, [config, says]] of Object.entries(refused)) {
    test(`is refused: ${what}`, () =>
      assert.throws(() => formatBootConfig(config), { name: 'BootConfigError', message: says }));
  }

  test('is refused if it is damaged, of another version, or allows what this image does not know', () => {
    const later = BOOT_CONFIG_MAGIC.replace('1', '2');
    for (const wrong of ['', 'server=http://a', `\n${BOOT_CONFIG_MAGIC}\n`, `${later}\nserver=http://a\n`])
      assert.throws(() => parseBootConfig(bytes(wrong)), { name: 'BootConfigError', message: /does not begin with/ });
    assert.throws(() => parseBootConfig(bytes(`${BOOT_CONFIG_MAGIC}\nallow=root\n`)), /allow=root means nothing/);
  });
});
