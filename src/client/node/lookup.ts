import dns from 'node:dns';
import net from 'node:net';
import type { AddressWalk } from '../../protocol/address-walk.ts';

/** Looks a name up; of its addresses those that have failed are left out, as long as there are others. */
export function lookupBy(walk: AddressWalk): net.LookupFunction {
  return (name, options, callback) => {
    dns.lookup(name, { ...options, all: true }, (error, found = []) => {
      if (error !== null) return callback(error, '', 0);
      const all = walk
        .order(found.map(({ address }) => address))
        .map((address) => ({ address, family: net.isIP(address) }));
      if (options.all === true) callback(null, all);
      else callback(null, all[0]?.address ?? '', all[0]?.family);
    });
  };
}
