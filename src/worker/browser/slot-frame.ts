import { FRAME_PATIENCE } from '../../model/limits.ts';
import type { FromFrame, ToFrame } from './slot-messages.ts';

/** Where the server has the page of the frame: its policy comes with it, whatever page it is put into. */
const PATH = '/sandbox';

/**
 * The frame in which all slots of a page live. It has an origin of its own that nobody else has, so what runs in it reaches
 * neither the page nor its storage, and its policy lets nothing out. (T-17)
 */
export class SlotFrame {
  readonly #url: string;
  readonly #dead: (life: number, reason: string) => void;
  #frame: HTMLIFrameElement | undefined;
  #here = false;
  /** Slots that live in the frame that is there now. */
  #lives = new Set<number>();
  #waiting: { message: ToFrame; ports: MessagePort[] }[] = [];
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(base: URL, dead: (life: number, reason: string) => void) {
    this.#url = new URL(PATH, base).href;
    this.#dead = dead;
    addEventListener('message', this.#heard);
    this.#load();
  }

  /** Starts a slot; what is said to the port before it is there waits for it. */
  start(life: number): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#say({ kind: 'start', life }, [port2]);
    return port1;
  }

  end(life: number): void {
    this.#waiting = this.#waiting.filter(({ message }) => message.life !== life);
    this.#say({ kind: 'end', life }, []);
  }

  /** A slot vanished, and with it all others: the browser may have run out of memory. A new frame takes the place of theirs. */
  lost(life: number): void {
    if (this.#lives.has(life)) this.#renew();
  }

  #renew(): void {
    this.#frame?.remove();
    this.#load();
  }

  close(): void {
    removeEventListener('message', this.#heard);
    clearTimeout(this.#patience);
    this.#frame?.remove();
    this.#frame = undefined;
    this.#waiting = [];
  }

  #load(): void {
    const frame = document.createElement('iframe');
    frame.setAttribute('sandbox', 'allow-scripts');
    frame.setAttribute('aria-hidden', 'true');
    frame.tabIndex = -1;
    frame.title = 'where tasks run';
    frame.hidden = true;
    frame.src = this.#url;
    this.#frame = frame;
    this.#here = false;
    this.#lives.clear();
    document.body.append(frame);
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      if (!this.#here) this.#renew();
    }, FRAME_PATIENCE);
  }

  #say(message: ToFrame, ports: MessagePort[]): void {
    // An origin that is nobody's cannot be named.
    if (!this.#here) {
      this.#waiting.push({ message, ports });
      return;
    }
    if (message.kind === 'start') this.#lives.add(message.life);
    else this.#lives.delete(message.life);
    this.#frame?.contentWindow?.postMessage(message, '*', ports);
  }

  readonly #heard = ({ source, data }: MessageEvent<FromFrame>): void => {
    if (source === null || source !== this.#frame?.contentWindow) return;
    if (data.kind === 'dead') return this.#dead(data.life, data.reason);
    this.#here = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { message, ports } of waiting) this.#say(message, ports);
  };
}
