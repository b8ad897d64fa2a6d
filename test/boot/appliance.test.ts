import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Board, COLUMNS, drawBoard, duration, ROWS } from '../../os/appliance/board.ts';
import { type Card, readCard } from '../../os/appliance/network.ts';
import { settingsFrom } from '../../os/appliance/settings.ts';
import { adviceFor, whatIsMissing } from '../../os/appliance/situation.ts';
import { formatBootConfig } from '../../src/server/boot/boot-config.ts';

const hex = (text: string): string => Buffer.from(text).toString('hex');
const config = (server: string[], token?: string): string =>
  new TextDecoder().decode(formatBootConfig({ server, ...(token !== undefined && { token }) }));

describe('a booted machine knows its server', () => {
  const nothing = { leases: [], config: '', cmdline: 'console=tty0 quiet' };

  test('from the image, whose configuration may be empty', () => {
    assert.deepEqual(settingsFrom({ ...nothing, config: config(['http://a:1', 'http://b:2'], 'secret') }), {
      server: ['http://a:1', 'http://b:2'],
      token: 'secret',
      allow: [],
      from: 'the image',
    });
    assert.deepEqual(settingsFrom({ ...nothing, config: config([]) }), settingsFrom({ ...nothing, config: '\n' }));
  });

  test('from DHCP, whose word counts least, and from the command line of the kernel, whose word counts most', () => {
    const leases = [{ server: '10.0.0.9:7070', token: 'of the lease' }];
    const cmdline = 'quiet mh.server=http://c:3,d:4 panic=10 mh.allow=exec';
    const all = { leases, config: config(['http://a:1'], 'of the image'), cmdline };
    const known = settingsFrom(all);
    assert.deepEqual(known.server, ['http://c:3', 'http://d:4']);
    assert.deepEqual(
      [known.from, known.token, known.allow],
      ['the command line of the kernel', 'of the image', ['exec']],
    );
    assert.deepEqual(settingsFrom({ ...all, cmdline: '' }).server, ['http://a:1']);
    const [server] = settingsFrom({ ...all, cmdline: '', config: '' }).server;
    assert.equal(server, 'http://10.0.0.9:7070');
  });

  test('from where it was booted over HTTP', () => {
    const leases = [{ bootFile: 'http://10.0.0.9:7070/boot/ipxe' }];
    assert.deepEqual(settingsFrom({ ...nothing, leases }).server, ['http://10.0.0.9:7070']);
    assert.deepEqual(settingsFrom({ ...nothing, leases: [{ bootFile: 'pxelinux.0' }] }).server, []);
  });

  test('says what is wrong with a configuration that it does not understand', () => {
    assert.match(settingsFrom({ ...nothing, config: 'server=http://a' }).problem ?? '', /does not begin with/);
  });
});

test('what DHCP told of a card is read as the script writes it', () => {
  const state = `bound\naddress=10.0.2.15/24\nserver=${hex('http://farm:7070\0')}\ntoken=\nboot_file=pxe\n`;
  assert.deepEqual(readCard('eth0', '1\n', state), {
    name: 'eth0',
    isLinked: true,
    state: 'bound',
    address: '10.0.2.15/24',
    lease: { server: 'http://farm:7070', bootFile: 'pxe' },
  });
  assert.deepEqual(readCard('eth1', '', ''), { name: 'eth1', isLinked: false, state: 'asking' });
  assert.equal(readCard('eth1', '1', 'silent\n').state, 'silent');
});

describe('a booted machine says in words what is missing', () => {
  const card: Card = { name: 'eth0', isLinked: true, state: 'bound', address: '10.0.2.15/24', lease: {} };
  const known = { server: ['http://a:1'], token: 'secret', allow: [], from: 'the image' };
  const cases: Record<string, [Card[], typeof known | object, RegExp, RegExp | undefined]> = {
    'a network card': [[], known, /no network card/, /USB adapter/],
    'a cable': [[{ ...card, isLinked: false, state: 'asking' }], known, /cable \(eth0\)/, /Plug in/],
    'an answer, yet': [[{ ...card, state: 'asking' }], known, /Asking for an address/, undefined],
    'an answer of DHCP': [[{ ...card, state: 'silent' }], known, /No DHCP server answers on eth0/, /router/],
    'a server': [[card], { ...known, server: [] }, /which server to work for/, /mh\.server=/],
    'a token': [[card], { ...known, token: undefined }, /no token for http:\/\/a:1/, /\/boot/],
  };
  for (const [what, [cards, settings, state, advice]] of Object.entries(cases)) {
    test(what, () => {
      const situation = whatIsMissing(cards, { ...known, ...settings });
      assert.match(situation?.state ?? '', state);
      if (advice === undefined) assert.equal(situation?.advice, undefined);
      else assert.match(situation?.advice ?? '', advice);
    });
  }

  test('and nothing where nothing is missing', () => {
    assert.equal(whatIsMissing([{ ...card, state: 'silent' }, card], known), undefined);
  });

  const advice: Record<string, RegExp> = {
    'the server does not know the token (401): get a new join link from its owner': /new token/,
    'the server refused this worker: this token was revoked': /new token/,
    'the server speaks none of the protocol versions that this worker speaks': /different versions/,
    'the name farm.example cannot be found': /DNS/,
    'nothing listens at 10.0.2.2:7070': /--lan/,
    '10.0.2.2:7070 cannot be reached': /cable/,
    'farm.example: self-signed certificate': /does not trust/,
  };
  for (const [reason, says] of Object.entries(advice)) {
    test(`and what helps where ${reason}`, () => assert.match(adviceFor(reason) ?? '', says));
  }
});

describe('the board of a booted machine', () => {
  const board: Board = {
    version: '0.1.0',
    machine: 'mh-525400123456, x64, 4 cores, 1024 MiB of memory',
    network: 'eth0 10.0.2.15/24',
    server: 'http://10.0.2.2:7070 (from the image)',
    slots: 4,
    busy: 2,
    done: 1234,
    state: 'Joined http://10.0.2.2:7070 as worker w1.',
    uptime: 3_700_000,
  };

  test('shows who it is, whom it works for, and how it goes', () => {
    const text = drawBoard(board).join('\n');
    for (const words of [
      'manyhands',
      'mh-525400123456',
      '10.0.2.15',
      'as worker w1',
      '2 of 4 busy ##..',
      '1234',
      '1 h 1 min',
    ])
      assert.ok(text.includes(words), words);
  });

  test('has 25 rows of at most 80 plain characters, whatever it has to say', () => {
    const long = 'an error of many words … and a wordlikethisonethathasnoendanddoesnotfitintoanylineofascreen '.repeat(
      20,
    );
    for (const each of [
      board,
      {
        ...board,
        state: long,
        advice: long,
        lastError: long,
        network: long,
        server: long,
        machine: long,
        slots: 300,
        busy: 300,
      },
    ]) {
      const rows = drawBoard(each);
      assert.equal(rows.length, ROWS);
      assert.ok(rows.some((row) => row.includes('tasks done')) && rows.some((row) => row.includes('last error')));
      for (const row of rows) assert.match(row, new RegExp(`^[\\x20-\\x7e]{0,${COLUMNS}}$`));
    }
  });

  test('tells times as people do', () => {
    assert.deepEqual([5_000, 90_000, 7_260_000, 200_000_000].map(duration), ['5 s', '1 min', '2 h 1 min', '2 days']);
  });
});
