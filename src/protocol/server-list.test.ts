import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HELLO_TIME } from '../model/limits.ts';
import { FIRST_TRY_TIME, SERVERS } from '../model/move-limits.ts';
import { AddressWalk } from './address-walk.ts';
import { FarmServers } from './farm-servers.ts';
import { ServerList } from './server-list.ts';

const gone = { reason: 'gone' };

/** Fails as often as there is another to go to; the way, with the pause at its end. */
function way(list: ServerList, now = 0): string {
  const steps = [list.current];
  while (list.failed({ reason: `${list.current} is gone` }, now)) steps.push(list.current);
  return `${steps.join(' ')}, then after ${list.startAgain(now)} ${list.current}`;
}

describe('the servers of a farm', () => {
  test('P29: the next is tried at once, and after all have failed a pause is due', () => {
    const list = new ServerList(['a', 'b', 'c']);
    assert.equal(way(list), 'a b c, then after 0 a');
    assert.equal(list.failed(gone, 0), true);
    assert.equal(list.current, 'b');
    // One that works is stayed with, and is the last to be tried again when it is gone.
    list.worked();
    assert.equal(way(list), 'b c a, then after 0 b');
    assert.equal(way(new ServerList(['a'])), 'a, then after 0 a');
    assert.deepEqual([new ServerList(['a', 'a']).several, list.several], [false, true]);
    assert.throws(() => new ServerList([]), TypeError);
  });

  test('P29 P2: one that wants to be left alone is, as long as there are others; else for the shortest such time', () => {
    const list = new ServerList(['a', 'b', 'c']);
    assert.ok(list.failed({ reason: 'busy', retryAfter: 5_000 }, 0));
    assert.ok(list.failed({ reason: 'busy', retryAfter: 3_000 }, 0));
    list.worked();
    assert.deepEqual(
      [list.current, list.failed(gone, 1_000), list.startAgain(1_000), list.current],
      ['c', false, 0, 'c'],
    );
    assert.equal(list.failed({ reason: 'busy', retryAfter: 9_000 }, 1_000), false);
    assert.deepEqual([list.startAgain(1_000), list.current], [2_000, 'b']);
    assert.equal(way(list, 6_000), 'b a, then after 0 b');
  });

  test('P29: those that a server tells of come behind those that were given, in an order of each peer’s own', () => {
    const list = new ServerList(['http://a/']);
    list.told(['http://b', 'http://c/', 'http://a', 'http://b/'], 0);
    assert.equal(way(list), 'http://a/ http://b/ http://c/, then after 0 http://a/');
    const other = new ServerList(['http://a/']);
    other.told(['http://b', 'http://c'], 0.5);
    assert.equal(way(other), 'http://a/ http://c/ http://b/, then after 0 http://a/');
    const more = Array.from({ length: 100 }, (_, i) => `http://s${i}/`);
    other.told(more, 0);
    assert.equal(way(other).split(' http').length, SERVERS + 1);
  });

  test('P29: what is no address, or would take a token off TLS, is not believed', () => {
    const list = new ServerList(['https://a/']);
    list.told(
      ['http://b/', 'ftp://b', 'https://u:p@b/', 'https://b/?x', 'https://b/#t', 'https://b c/', '', 'b:7070'],
      0,
    );
    assert.equal(list.several, false);
    list.told(['https://b:7/farm'], 0);
    assert.equal(way(list), 'https://a/ https://b:7/farm/, then after 0 https://a/');
  });

  test('P29: who is sent elsewhere goes to one of those that were named, and is not sent in circles', () => {
    const list = new ServerList(['http://a/', 'http://b/']);
    list.told(['http://c/', 'http://d/'], 0);
    assert.equal(list.sentAway(gone, 0), true);
    assert.equal(list.current, 'http://c/');
    list.told(['http://a/'], 0);
    assert.ok(list.sentAway(gone, 0));
    assert.equal(list.current, 'http://d/');
    assert.ok(list.sentAway(gone, 0));
    assert.deepEqual([list.current, list.sentAway(gone, 0)], ['http://b/', false]);
  });

  test('P30: of several a welcome is waited for less long, but only in the first round', () => {
    const list = new ServerList(['a', 'b']);
    assert.equal(list.patience, FIRST_TRY_TIME);
    way(list);
    assert.equal(list.patience, HELLO_TIME);
    list.worked();
    assert.equal(list.patience, FIRST_TRY_TIME);
    assert.equal(new ServerList(['a']).patience, HELLO_TIME);
  });

  test('P29: it is hopeless only if none will do better, and all are complained of', () => {
    const list = new ServerList(['http://a/', 'http://b/']);
    list.failed({ reason: 'no token', fatal: true }, 0);
    assert.equal(list.hopeless, false);
    list.failed({ reason: 'not there' }, 0);
    assert.equal(list.hopeless, false);
    assert.equal(list.complaint, 'none of the 2 servers can be had: http://a: no token; http://b: not there');
    list.failed({ reason: 'no token', fatal: true }, 0);
    assert.equal(list.hopeless, true);
    const single = new ServerList(['a']);
    single.failed({ reason: 'not there' }, 0);
    assert.equal(single.complaint, 'not there');
  });

  test('P29: whatever happens, each round tries every server that may be tried once, and none twice', () => {
    const step = fc.record({ busy: fc.option(fc.nat(5_000)), works: fc.boolean(), wait: fc.nat(3_000) });
    const some = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
    fc.assert(
      fc.property(some, fc.array(step, { maxLength: 60 }), (servers, steps) => {
        const list = new ServerList(servers);
        const tried = new Set<string>();
        const rests = new Map<string, number>();
        let now = 0;
        for (const { busy, works, wait } of steps) {
          assert.ok(!tried.has(list.current), 'twice in a round');
          if (works) {
            list.worked();
            tried.clear();
          }
          now += wait;
          tried.add(list.current);
          rests.set(list.current, now + (busy ?? 0));
          const left = servers.filter((server) => !tried.has(server) && (rests.get(server) ?? 0) <= now);
          const moved = list.failed({ reason: '', ...(busy !== null && { retryAfter: busy }) }, now);
          assert.equal(moved, left.length > 0);
          if (moved) continue;
          now += list.startAgain(now);
          assert.ok((rests.get(list.current) ?? 0) <= now, 'it wanted to be left alone');
          tried.clear();
        }
      }),
    );
  });
});

describe('the addresses behind a name', () => {
  test('P29: one that was connected to and failed gives way to the others, and is the last after all have', () => {
    const walk = new AddressWalk();
    const names = ['1', '2', '3'];
    assert.deepEqual(walk.order(names), names);
    walk.connectedTo('1');
    assert.deepEqual(walk.failed('hung up'), { another: true, reason: 'hung up' });
    assert.deepEqual(walk.order(names), ['2', '3']);
    walk.connectedTo('3');
    assert.equal(walk.failed('hung up').another, true);
    assert.deepEqual(walk.order(names), ['2']);
    walk.connectedTo('2');
    walk.worked();
    // Transfers go to the same one first.
    assert.deepEqual(walk.order(names), ['2', '3', '1']);
    assert.equal(walk.failed('silent').another, true);
    assert.deepEqual(walk.order(names), ['1', '3']);
  });

  test('P29: where none can be connected to all were tried, and who said something is quoted', () => {
    const walk = new AddressWalk();
    walk.order(['1', '2']);
    walk.connectedTo('1');
    assert.equal(walk.failed('go away').another, true);
    walk.connecting();
    walk.order(['1', '2']);
    assert.deepEqual(walk.failed('nothing listens'), { another: false, reason: 'go away' });
    assert.deepEqual(walk.failed('nothing listens'), { another: false, reason: 'nothing listens' });
    assert.deepEqual(walk.order(['1', '2']), ['1', '2']);
    const several = (...addresses: string[]): boolean => {
      walk.order(addresses);
      return walk.several;
    };
    assert.deepEqual([several('1.1', '1.2'), several('1.1', '::1'), several('1.1', '::1', '::2')], [true, false, true]);
    // An address needs no look-up.
    const plain = new AddressWalk();
    plain.connectedTo('1');
    assert.deepEqual(plain.failed('cut'), { another: false, reason: 'cut' });
  });

  test('P29: a token is that of its server, or else of another of the farm; a move is told', () => {
    const servers = new FarmServers([
      { address: 'http://a/', token: undefined },
      { address: 'http://b/', token: 'b' },
      { address: 'http://c/', token: 'c' },
    ]);
    const tokens = ['http://b/', 'http://c/', 'http://told/'].map((server) => servers.tokenOf(server));
    assert.deepEqual([...tokens, servers.tokenOf('http://a/')], ['b', 'c', 'b', 'b']);
    assert.deepEqual([servers.joined('http://a/'), servers.joined('http://a/')], [false, false]);
    servers.walkOf('http://a/').connectedTo('127.0.0.2');
    assert.deepEqual([servers.joined('http://a/'), servers.joined('http://b/')], [true, true]);
    assert.equal(servers.current, 'http://b/');
  });
});
