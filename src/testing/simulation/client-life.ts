import { createHash } from 'node:crypto';
import { Farm } from '../../client/farm.ts';
import type { BlobExchange, Surroundings } from '../../client/surroundings.ts';
import type { TaskCode } from '../../client/task-code.ts';
import type { Transport, TransportConnection, TransportListener } from '../../client/transport.ts';
import { Wire } from '../../client/wire.ts';
import type { BlobRef } from '../../model/envelope.ts';
import type { Millis } from '../../model/ids.ts';
import type { Link, NodeEnd } from './link.ts';
import { addressesOf, Life, type Machine, numberAt } from './machine.ts';
import { brief } from './message-observer.ts';

/** Milliseconds between two tries of a transfer. */
const TRANSFER_PAUSE = [250, 3_000] as const;

/** One client process: the real SDK, with a modelled socket and clock. */
export class ClientLife extends Life implements Surroundings {
  readonly wire: Wire;
  readonly farm: Farm;
  readonly servers: readonly string[];
  readonly transport: Transport = { open: (server, listener) => this.#open(server, listener) };
  readonly blobs: BlobExchange;
  #link: Link | undefined;
  #keys = 0;
  readonly #born: Millis;

  constructor(machine: Machine) {
    super(machine);
    this.#born = machine.stage.world.now;
    this.servers = addressesOf(machine);
    this.blobs = {
      refer: (bytes) => ({ sha256: sha256Of(bytes), size: bytes.length }),
      put: (ref, bytes) => this.#put(ref, bytes),
      get: (ref) => this.#get(ref),
      close: () => {},
    };
    this.wire = new Wire(this);
    this.wire.onStatus = (status) =>
      machine.stage.world.note(() => `${machine.name.padEnd(7)} is ${brief({ kind: status.state, ...status })}`);
    this.farm = new Farm(this.wire, this);
  }

  code(): Promise<TaskCode> {
    return Promise.reject(new Error('programs of the simulation give their code as text'));
  }

  hash(text: string): { sha256: string; size: number } {
    // The limit is one of sizes: a big code costs a simulation nothing if it only says that it is big.
    const claimed = text.endsWith('// big') ? 1_000_000 : text.length;
    return { sha256: sha256Of(text), size: claimed };
  }

  now(): Millis {
    return this.machine.now();
  }

  chance(): number {
    return this.machine.random.next();
  }

  defer(run: () => void): void {
    this.after(0, run);
  }

  pause(): Promise<void> {
    return this.sleep(0);
  }

  sleep(time: Millis): Promise<void> {
    return new Promise((resolve) => void this.after(time, resolve));
  }

  randomKey(): string {
    this.#keys += 1;
    return `${this.machine.name}-${this.#born}-${this.#keys}`;
  }

  override end(): void {
    super.end();
    this.#link?.close('the client is gone');
  }

  #open(server: string, listener: TransportListener): TransportConnection {
    const { network } = this.machine.stage;
    const { name, who } = this.machine;
    let open = true;
    let mine: Link | undefined;
    const end: NodeEnd = {
      inside: (run) => this.inside(() => open && run()),
      opened: () => listener.opened(),
      frame: (frame) => listener.frame(frame),
      pinged: () => listener.heard(),
      closed: (reason) => {
        open = false;
        listener.closed({ reason });
      },
    };
    network.connect({ kind: 'client', json: false, node: name, who, server: numberAt(server) }, end, (link) => {
      if (!this.alive || !open) return link.close('given up');
      mine = link;
      this.#link = link;
    });
    return {
      send: (frame) => mine?.send(frame),
      close: (_code, reason) => {
        open = false;
        mine?.close(reason);
      },
      hold: () => {},
      ping: () => mine?.ping(),
    };
  }

  #put(ref: BlobRef, bytes: Uint8Array): Promise<void> {
    const { data } = this.machine.stage;
    return this.#transfer(async () => {
      await data.blobs.put(ref.sha256, once(bytes));
    });
  }

  #get(ref: BlobRef): Promise<Uint8Array> {
    const { data, world } = this.machine.stage;
    return this.#transfer(async () => {
      const parts: Uint8Array[] = [];
      const bytes = await data.blobs.read(ref.sha256);
      if (bytes === undefined) world.fail('S5', `blob ${ref.sha256} of a result is not there`);
      else for await (const part of bytes) parts.push(part);
      return Buffer.concat(parts);
    });
  }

  /** Again and again until it has worked. */
  #transfer<Answer>(serve: () => Promise<Answer>): Promise<Answer> {
    const { network } = this.machine.stage;
    const { name, who, random } = this.machine;
    return new Promise((resolve) => {
      const ask = (): void =>
        network.request<{ is: Answer }>(
          who,
          this,
          name,
          async () => ({ is: await serve() }),
          (answer) => {
            if (answer !== undefined) resolve(answer.is);
            else this.after(random.between(...TRANSFER_PAUSE), ask);
          },
        );
      ask();
    });
  }
}

function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
