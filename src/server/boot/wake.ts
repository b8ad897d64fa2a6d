import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';

/** The port that nothing answers at: cards look for the packet on any. */
const DISCARD = 9;

/** How often it is said: a packet may get lost, and nobody says that it came. */
const TIMES = 3;

/** What wakes a machine whose card has this address: six bytes of ones, and the address sixteen times. */
export function magicPacket(card: string): Uint8Array {
  const address = card.split(/[:-]/).map((byte) => Number.parseInt(byte, 16));
  if (address.length !== 6 || address.some((byte) => !(byte >= 0 && byte <= 255)))
    throw new TypeError(`${JSON.stringify(card)} is no address of a network card`);
  return Uint8Array.from([...Array<number>(6).fill(255), ...Array.from({ length: 16 }, () => address).flat()]);
}

/** Says it into every network that this machine is in; `to` and `port`: of one alone. Rejects where nothing can be sent at all. */
export async function wake(
  cards: readonly string[],
  { to = broadcastAddresses(), port = DISCARD }: { to?: readonly string[]; port?: number } = {},
): Promise<void> {
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, () => {
        socket.setBroadcast(true);
        resolve();
      });
    });
    const send = (packet: Uint8Array, address: string): Promise<void> =>
      new Promise((resolve, reject) => {
        socket.send(packet, port, address, (error) => (error === null ? resolve() : reject(error)));
      });
    const packets = cards.map(magicPacket);
    const sent = await Promise.allSettled(
      Array.from({ length: TIMES }, () =>
        packets.flatMap((packet) => to.map((address) => send(packet, address))),
      ).flat(),
    );
    const failure = sent.find((each) => each.status === 'rejected');
    if (failure !== undefined && sent.every(({ status }) => status === 'rejected')) throw failure.reason;
  } finally {
    socket.close();
  }
}

/** Of each network, its last address; and the one of all that are here. */
function broadcastAddresses(): string[] {
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const lasts = own.flatMap(({ family, internal, address, netmask }) => {
    if (family !== 'IPv4' || internal) return [];
    const mask = netmask.split('.').map(Number);
    return [address.split('.').map((byte, i) => Number(byte) | (~(mask[i] ?? 255) & 255)).join('.')]; // biome-ignore format: short
  });
  return [...new Set([...lasts, '255.255.255.255'])];
}
