import type { Card } from './network.ts';
import type { Settings } from './settings.ts';

/** What a person beside the machine is told: one sentence each. */
export interface Situation {
  /** What it does, or what keeps it. */
  readonly state: string;
  /** What the person can do about it, if there is something. */
  readonly advice?: string;
}

/** Whatever keeps it before a server can be asked; undefined: nothing. */
export function whatIsMissing(cards: readonly Card[], settings: Settings): Situation | undefined {
  if (cards.length === 0) {
    return {
      state: 'There is no network card that this image has a driver for.',
      advice: 'Plug in another card or a USB adapter. A virtual machine: give it a card of the type virtio or e1000.',
    };
  }
  if (!cards.some(({ state }) => state === 'bound')) return whyNoAddress(cards);
  if (settings.server.length === 0) {
    const advice =
      'Get an image from the page /boot of your server, or start the kernel with mh.server=http://HOST:7070';
    return { state: settings.problem ?? 'Nobody has told this machine which server to work for.', advice };
  }
  if (settings.token === undefined) {
    return {
      state: `There is no token for ${settings.server[0]}.`,
      advice: 'Get an image from the page /boot of your server: it holds a token.',
    };
  }
  return undefined;
}

function whyNoAddress(cards: readonly Card[]): Situation {
  const linked = cards.filter(({ isLinked }) => isLinked);
  const named = (all: readonly Card[]): string => all.map(({ name }) => name).join(', ');
  if (linked.length === 0) {
    const state = `Nothing is at the other end of the network cable (${named(cards)}).`;
    return { state, advice: 'Plug in the cable, and see whether the light beside it is on.' };
  }
  const silent = linked.filter(({ state }) => state === 'silent');
  if (silent.length === 0) return { state: `Asking for an address (${named(linked)})…` };
  return {
    state: `No DHCP server answers on ${named(silent)}; asking again.`,
    advice: 'This machine gets its address from DHCP: check the cable, and that the router or DHCP server is on.',
  };
}

/** What helps against what a worker, or the attempt to reach a server, said. The first that fits. */
const ADVICE: readonly [what: RegExp, advice: string][] = [
  [
    /\(401\)|\(403\)|token .*(revoked|expired)|shut out/,
    'Its token is no longer good. Get a new image or a new token from the page /boot of the server, and start this machine with it.',
  ],
  [
    /protocol version|speaks version|upgrade/,
    'This image and the server are of different versions. Get the image that the page /boot of the server offers.',
  ],
  [/name .* cannot be found/, 'Check the name, and that DHCP names a DNS server that knows it.'],
  [
    /nothing listens/,
    'Is the server running, and is it started with --lan or --host? On a loopback address nobody reaches it.',
  ],
  [
    /cannot be reached|fell silent|was cut|timed out/i,
    'Check the cable, the address, and firewalls between here and the server.',
  ],
  [
    /certificate|self.signed|altnames|CERT_/i,
    "This machine does not trust the server's certificate: use one of a public authority, or http:// inside your own network.",
  ],
  [/no manyhands server/, 'Check the address and the port: what answers there is something else.'],
];

export function adviceFor(reason: string): string | undefined {
  return ADVICE.find(([what]) => what.test(reason))?.[1];
}
