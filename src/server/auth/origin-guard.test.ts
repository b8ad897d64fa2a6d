import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OriginGuard, type Reach } from './origin-guard.ts';

const guard = new OriginGuard();
guard.allowName('::1');
guard.allowName('Farm.Local');
guard.allowUrl(new URL('https://farm.example'));

const names = ['localhost', '127.0.0.1', '[::1]', 'farm.local', 'farm.example'];
const text = fc.string({ unit: fc.constantFrom(...'aZ09-.:[]/@#?%,; \t\0\r\n\x80\uffff"\\'), maxLength: 30 });
const known = fc.constantFrom(...names, 'LOCALHOST', 'evil.test', 'localhost.', '');
const port = fc.constantFrom('', ':7070', ':0', ':99999', ':');
const authority = fc.oneof(
  fc.tuple(known, port).map((parts) => parts.join('')),
  text,
  fc.tuple(known, text).map((parts) => parts.join('')),
);
const origin = fc.oneof(
  authority.map((at) => `http://${at}`),
  authority.map((at) => `https://${at}`),
  text,
  fc.constantFrom('null', ''),
);
const header = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('Host', 'host', 'hOsT'), authority) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('Origin', 'origin'), origin) },
  fc.tuple(
    fc.constantFrom('Sec-Fetch-Site', 'sec-fetch-mode', 'authorization', 'cookie'),
    fc.oneof(text, fc.constantFrom('none', 'same-origin', 'cross-site')),
  ),
  fc.tuple(text, text),
);

test('T-3, T-5: whatever the headers are, the guard answers, and lets in nothing but one Host that is ours', () => {
  let taken = 0;
  const reach = fc.constantFrom<Reach>('page', 'api', 'socket');
  const headers = fc.array(header, { maxLength: 6 });
  fc.assert(
    fc.property(headers, reach, (list, how) => {
      const rawHeaders = list.flat();
      const refusal = guard.refuse({ rawHeaders }, how);
      if (refusal !== undefined) {
        assert.equal(typeof refusal, 'string');
        return;
      }
      taken++;
      const named = (name: string) => list.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
      const hosts = named('host');
      assert.equal(hosts.length, 1);
      assert.ok(names.includes(`${hosts[0]}`.toLowerCase().replace(/:\d+$/, '')), `${hosts[0]}`);
      for (const each of named('origin')) {
        const own = [`http://${hosts[0]}`, `https://${hosts[0]}`].map((mine) => mine.toLowerCase());
        assert.ok(each === 'https://farm.example' || own.includes(each.toLowerCase()), each);
      }
      for (const site of named('sec-fetch-site')) if (how !== 'page') assert.match(site, /^(none|same-origin)$/);
    }),
    { numRuns: 100_000 },
  );
  assert.ok(taken > 1_000, `only ${taken} were let in: the sets are too wild to prove anything`);
});

test('half a list of headers is no header', () => {
  assert.notEqual(guard.refuse({ rawHeaders: ['host'] }, 'api'), undefined);
  assert.equal(guard.refuse({ rawHeaders: ['host', 'localhost', 'origin'] }, 'api'), undefined);
});
