import type { PackedColumn } from '../../model/envelope.ts';
import type { WorkerId } from '../../model/ids.ts';
import { packColumn } from '../../protocol/column.ts';
import type { Frame } from '../../protocol/frames.ts';
import { toWireRuns } from '../../protocol/shapes.ts';
import type { WorkerMessage } from '../../protocol/worker-messages.ts';
import type { Machine } from './machine.ts';
import type { Character } from './plan.ts';

/** So many epochs ahead is no lease, however many a failover leaves out (D25): it would be one of the liar's own. */
const NOBODYS_EPOCHS = 100_000;

type Encode = (message: WorkerMessage, column: PackedColumn | undefined) => Frame;

/** Frames that a repeater remembers. */
const REMEMBERED = 50;

/** What a worker that is not honest puts on the wire, beside what its session says. */
export class Mischief {
  readonly #machine: Machine;
  readonly #character: Character;
  readonly #id: () => WorkerId | undefined;
  readonly #old: Frame[] = [];

  /** `id`: the worker's own name, if it has one yet. */
  constructor(machine: Machine, character: Character, id: () => WorkerId | undefined) {
    this.#id = id;
    this.#machine = machine;
    this.#character = character;
  }

  frames(message: WorkerMessage, frame: Frame, encode: Encode): Frame[] {
    switch (this.#character) {
      case 'repeater':
        return message.kind === 'outcomes' ? this.#repeated(frame) : [frame];
      case 'liar':
        return this.#machine.random.chance(0.2) ? [frame, ...this.#lie(encode)] : [frame];
      case 'garbler':
        return [this.#machine.random.chance(0.02) ? this.#garbled(frame) : frame];
      default:
        return [frame];
    }
  }

  #repeated(frame: Frame): Frame[] {
    const { random, stage } = this.#machine;
    stage.world.sometimes('outcomes were sent twice');
    this.#old.push(frame);
    if (this.#old.length > REMEMBERED) this.#old.shift();
    return [frame, frame, random.pick(this.#old)];
  }

  /** A result of a lease that is somebody else's, or nobody's. */
  #lie(encode: Encode): Frame[] {
    const { random, stage } = this.#machine;
    // On a lease of its own a wrong result is one like any other (F-6).
    const leases = [...stage.observer.leases].filter(([, { worker }]) => worker !== this.#id());
    const [id, lease] = leases.length === 0 ? [0, undefined] : random.pick(leases);
    const run = lease?.runs[0] ?? { start: 0, count: 1 };
    stage.world.sometimes('a worker lied');
    const [number, micros] = [random.chance(0.3) ? id + NOBODYS_EPOCHS * 2 ** 32 : id, 1];
    const message = { kind: 'outcomes', lease: number, job: lease?.job ?? 1, micros } as const;
    const runs = toWireRuns([{ start: run.start, count: 1 }]);
    return [encode({ ...message, runs }, packColumn(Uint32Array.of(4), undefined, new TextEncoder().encode('666,')))];
  }

  /** Nothing that could be taken for another message: a wrong result on its own lease is one like any other (F-6). */
  #garbled(frame: Frame): Frame {
    const { random, stage } = this.#machine;
    stage.world.sometimes('a frame could not be read');
    const length = random.whole(0, frame.length - 1);
    if (typeof frame === 'string') return random.chance(0.5) ? frame.slice(0, length) : `${frame}]`;
    if (random.chance(0.5)) return frame.slice(0, length);
    const copy = frame.slice();
    // The first byte of the JSON, or of its length.
    copy[random.chance(0.5) ? 4 : 0] = 0xff;
    return copy;
  }
}
