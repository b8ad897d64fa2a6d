import dgram from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { type Cleanup, cleanUp } from './cleanup.ts';

/** What it tells a machine of its farm, by the options 224 and 225. */
export interface Told {
  readonly server: string;
  readonly token: string;
}

/** A network card of the answerer's own, and addresses: of itself, and of the one machine in its network. */
const MAC = Buffer.from('525400aabbcc', 'hex');
const OWN = Buffer.from([10, 9, 0, 1]);
const GIVEN = Buffer.from([10, 9, 0, 2]);

/** Seconds that an address is lent for: machines ask again after half of them. The least that busybox believes. */
const LEASE = 16;

const Kind = { discover: 1, offer: 2, request: 3, ack: 5 } as const;

/**
 * A network in which nobody else is than one machine and a DHCP server. QEMU sends each frame of it as a datagram
 * (`-netdev socket,udp=…`).
 */
export class Dhcp {
  readonly #socket = dgram.createSocket('udp4');
  #told: Told;
  /** How often it has given or renewed an address. */
  answered = 0;

  private constructor(told: Told) {
    this.#told = told;
    this.#socket.on('message', (frame, { port }) => {
      const answer = this.#answer(frame);
      if (answer !== undefined) this.#socket.send(answer, port, '127.0.0.1');
    });
  }

  static async start(t: Cleanup, told: Told): Promise<Dhcp> {
    const dhcp = new Dhcp(told);
    await new Promise<void>((resolve) => dhcp.#socket.bind(0, '127.0.0.1', resolve));
    cleanUp(t, () => dhcp.#socket.close());
    return dhcp;
  }

  /** For QEMU, which sends from a port that nobody has asked for before. */
  get netdev(): string {
    return `socket,udp=127.0.0.1:${(this.#socket.address() as AddressInfo).port},localaddr=127.0.0.1:0`;
  }

  tell(told: Told): void {
    this.#told = told;
  }

  #answer(frame: Buffer): Buffer | undefined {
    const type = frame.readUInt16BE(12);
    if (type === 0x0806) return resolved(frame);
    const at = 14 + ((frame[14] ?? 0) & 15) * 4;
    const isForDhcp = type === 0x0800 && frame[23] === 17 && frame.readUInt16BE(at + 2) === 67;
    if (!isForDhcp) return undefined;
    const asked = frame.subarray(at + 8);
    // Its first option says what it is.
    const kind = asked[242];
    if (asked[240] !== 53 || (kind !== Kind.discover && kind !== Kind.request)) return undefined;
    const isRequest = kind === Kind.request;
    if (isRequest) this.answered++;
    return packed(frame.subarray(6, 12), reply(asked, isRequest ? Kind.ack : Kind.offer, this.#told));
  }
}

function reply(asked: Buffer, kind: number, { server, token }: Told): Buffer {
  const head = Buffer.alloc(240);
  asked.copy(head, 0, 0, 44);
  head[0] = 2;
  GIVEN.copy(head, 16);
  head.writeUInt32BE(0x63825363, 236);
  const lease = Buffer.alloc(4);
  lease.writeUInt32BE(LEASE);
  const option = (code: number, value: Uint8Array): Buffer => Buffer.from([code, value.length, ...value]);
  return Buffer.concat([
    head,
    option(53, Buffer.from([kind])),
    option(54, OWN),
    option(51, lease),
    option(1, Buffer.from([255, 255, 255, 0])),
    option(224, Buffer.from(server)),
    option(225, Buffer.from(token)),
    Buffer.from([255]),
  ]);
}

/** In UDP without a checksum, IP and Ethernet. */
function packed(to: Buffer, payload: Buffer): Buffer {
  const frame = Buffer.alloc(42);
  to.copy(frame, 0);
  MAC.copy(frame, 6);
  frame.writeUInt16BE(0x0800, 12);
  frame[14] = 0x45;
  frame.writeUInt16BE(28 + payload.length, 16);
  frame[22] = 64;
  frame[23] = 17;
  OWN.copy(frame, 26);
  GIVEN.copy(frame, 30);
  let sum = 0;
  for (let i = 14; i < 34; i += 2) sum += frame.readUInt16BE(i);
  frame.writeUInt16BE(0xffff - ((sum & 0xffff) + (sum >>> 16)), 24);
  frame.writeUInt16BE(67, 34);
  frame.writeUInt16BE(68, 36);
  frame.writeUInt16BE(8 + payload.length, 38);
  return Buffer.concat([frame, payload]);
}

/** "Who has the address of the DHCP server?" is asked when a machine renews its own. */
function resolved(frame: Buffer): Buffer | undefined {
  const isQuestion = frame.readUInt16BE(20) === 1 && frame.subarray(38, 42).equals(OWN);
  if (!isQuestion) return undefined;
  const answer = Buffer.from(frame.subarray(0, 42));
  frame.copy(answer, 0, 6, 12);
  MAC.copy(answer, 6);
  answer[21] = 2;
  MAC.copy(answer, 22);
  OWN.copy(answer, 28);
  frame.copy(answer, 32, 22, 32);
  return answer;
}
