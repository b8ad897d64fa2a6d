import { LOW_BATTERY } from '../../model/limits.ts';
import type { SessionInput } from '../session-io.ts';

/** What keeps a device from computing, if its owner says so. Browsers tell some of it, or nothing. */
export interface PauseWhen {
  /** Nobody sees the page. */
  readonly hidden?: boolean;
  /** Less than a third is left, and it is not being charged. */
  readonly lowBattery?: boolean;
  /** Every byte costs: a mobile connection, or one whose owner saves data. */
  readonly metered?: boolean;
}

interface Battery extends EventTarget {
  readonly charging: boolean;
  readonly level: number;
}

interface Connectivity extends EventTarget {
  readonly saveData?: boolean;
  readonly type?: string;
}

/** What not every browser has, and the language's library does not know. */
const device = navigator as Navigator & {
  getBattery?: () => Promise<Battery>;
  connection?: Connectivity;
};

/** What this browser can tell. */
export function tellable(): Required<PauseWhen> {
  const { connection } = device;
  return {
    hidden: true,
    lowBattery: device.getBattery !== undefined,
    metered: connection !== undefined && ('saveData' in connection || 'type' in connection),
  };
}

type Change = Extract<SessionInput, { kind: 'sleep' | 'rest' | 'wake' | 'stop' }>;

/**
 * What happens to the page, in terms of its worker. A page may be frozen at any moment, for good or not: then it hangs up
 * and others take what it had, unless it is back first. A page that is closed says goodbye.
 */
export class PageLife {
  readonly #tell: (change: Change) => void;
  readonly #stopped = new AbortController();
  #when: PauseWhen;
  #frozen = false;
  #battery: Battery | undefined;
  #told: 'wake' | 'rest' | 'sleep' = 'wake';

  constructor(when: PauseWhen, tell: (change: Change) => void) {
    this.#when = when;
    this.#tell = tell;
    const { signal } = this.#stopped;
    const freeze = (frozen: boolean) => () => {
      this.#frozen = frozen;
      this.#look();
    };
    document.addEventListener('freeze', freeze(true), { signal });
    document.addEventListener('resume', freeze(false), { signal });
    addEventListener('pageshow', freeze(false), { signal });
    addEventListener(
      'pagehide',
      ({ persisted }) => {
        if (persisted) freeze(true)();
        else this.#tell({ kind: 'stop', reason: 'its page was closed' });
      },
      { signal },
    );
    document.addEventListener('visibilitychange', () => this.#look(true), { signal });
    addEventListener('online', () => this.#look(true), { signal });
    device.connection?.addEventListener('change', () => this.#look(), { signal });
    void this.#watchBattery();
    this.#look();
  }

  pauseWhen(when: PauseWhen): void {
    this.#when = when;
    this.#look();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #watchBattery(): Promise<void> {
    try {
      this.#battery = await device.getBattery?.();
    } catch {
      // It is not told to this page.
    }
    const { signal } = this.#stopped;
    for (const event of ['chargingchange', 'levelchange']) {
      this.#battery?.addEventListener(event, () => this.#look(), { signal });
    }
    this.#look();
  }

  /** `eager`: who waits for another try to connect tries at once. */
  #look(eager = false): void {
    if (this.#stopped.signal.aborted) return;
    const reason = this.#reasonToRest();
    const kind = this.#frozen ? 'sleep' : reason === undefined ? 'wake' : 'rest';
    if (kind === this.#told && !(eager && kind === 'wake' && !document.hidden)) return;
    this.#told = kind;
    if (kind === 'wake') this.#tell({ kind });
    else this.#tell({ kind, reason: reason ?? 'the browser has frozen its page' });
  }

  #reasonToRest(): string | undefined {
    const { hidden, lowBattery, metered } = this.#when;
    if (hidden === true && document.hidden) return 'nobody sees its page';
    if (lowBattery === true && this.#battery?.charging === false && this.#battery.level < LOW_BATTERY) {
      return 'the battery is low';
    }
    const { connection } = device;
    const costs = connection?.saveData === true || connection?.type === 'cellular';
    return metered === true && costs ? 'the connection is metered' : undefined;
  }
}
