import dns from 'node:dns';
import type { TestContext } from 'node:test';

/** Lets a name stand for these addresses, in this process, while the test runs. */
export function nameFor(t: TestContext, name: string, addresses: readonly string[]): void {
  const found = addresses.map((address) => ({ address, family: 4 }));
  const lookup = dns.lookup as (...all: unknown[]) => void;
  t.mock.method(dns, 'lookup', (asked: string, options: object, callback: (...answer: unknown[]) => void) =>
    asked === name ? callback(null, found) : lookup(asked, options, callback),
  );
}
