import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownToken } from '../../src/worker/node/enrol.ts';
import { startWorker, type Worker } from '../../src/worker/node/join.ts';
import type { WorkerStatus } from '../../src/worker/session-io.ts';
import { cardAddresses, machineId, memory, setClock } from './machine.ts';
import { reach } from './reach.ts';
import type { Settings } from './settings.ts';

/** Milliseconds between two attempts to join: the first soon, later ones not so often that they are a burden. */
const RETRY = { least: 1_000, most: 30_000 } as const;

/** The user and group called `task` in os/root/etc. */
const TASK_USER = { uid: 1000, gid: 1000 } as const;

/** What others hear of the work. */
export interface WorkEvents {
  state(text: string): void;
  trouble(text: string): void;
}

/** Works for the servers that it is told of, again and again, until one of them says stop. */
export class Work {
  readonly #events: WorkEvents;
  #worker: Worker | undefined;
  /** What earlier workers of this machine have done. */
  #doneBefore = 0;
  #change = new AbortController();
  #isLeaving = false;

  constructor(events: WorkEvents) {
    this.#events = events;
  }

  get busy(): number {
    return this.#worker?.figures.busy ?? 0;
  }

  get done(): number {
    return this.#doneBefore + (this.#worker?.figures.done ?? 0);
  }

  /** Ends what goes on for other settings: what was told has changed. */
  interrupt(): void {
    this.#change.abort();
    void this.#worker?.stop('it was told of another server');
  }

  /** For good: the machine is being switched off. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.interrupt();
    await this.#worker?.ended;
  }

  /** True: the server has stopped this machine. False: the settings have changed, or it is leaving. */
  async run(settings: Settings): Promise<boolean> {
    this.#change = new AbortController();
    const { signal } = this.#change;
    for (let attempt = 0; !signal.aborted && !this.#isLeaving; attempt++) {
      const servers = turned(settings.server, attempt);
      const problem = (await this.#isThere(servers[0] ?? '')) ?? (await this.#work(servers, settings));
      if (problem === 'stopped') return !signal.aborted;
      const wait = Math.min(RETRY.most, RETRY.least * 2 ** Math.min(attempt, 5));
      if (signal.aborted) break;
      this.#events.trouble(problem);
      this.#events.state(`Not joined: ${problem}. Trying again every ${Math.round(wait / 1_000)} s.`);
      await sleep(wait, undefined, { signal }).catch(() => {});
    }
    return false;
  }

  async #isThere(server: string): Promise<string | undefined> {
    this.#events.state(`Looking for ${server}…`);
    const { time, problem } = await reach(server);
    if (time !== undefined) setClock(time);
    return time !== undefined && problem !== undefined ? (await reach(server)).problem : problem;
  }

  /** Why it ended; `stopped`: somebody wanted it to. */
  async #work(servers: readonly string[], { token = '', allow }: Settings): Promise<string> {
    let own: string;
    try {
      own = await ownToken(new URL(servers[0] ?? ''), token, {
        machine: machineId(),
        name: os.hostname(),
        cards: cardAddresses(),
      });
    } catch (error) {
      return (error as Error).message;
    }
    const labels = { kind: 'boot', memory: `${memory()} MiB`, cores: String(os.availableParallelism()) };
    const worker = startWorker({ url: servers, token: own, allow, labels, device: 'image', taskUser: TASK_USER });
    this.#worker = worker;
    worker.on('status', (status) => this.#heard(status, servers[0] ?? ''));
    const { reason, failed } = await worker.ended;
    this.#doneBefore += worker.figures.done;
    this.#worker = undefined;
    return failed ? reason : 'stopped';
  }

  #heard(status: WorkerStatus, server: string): void {
    switch (status.state) {
      case 'joined':
        return this.#events.state(`Joined ${server} as worker ${status.worker}.`);
      case 'waiting':
        this.#events.trouble(status.reason);
        return this.#events.state(
          `The connection to the farm is gone: ${status.reason}. What runs goes on; trying again.`,
        );
      case 'draining':
        return this.#events.state(`Drained: it finishes what runs, and takes no more tasks until it is undrained.`);
      case 'undrained':
        return this.#events.state('It takes tasks again.');
      case 'slotDied':
        return this.#events.trouble(`a task process died: ${status.reason}`);
      case 'unable':
        return this.#events.trouble(`gave tasks back: ${status.reason}`);
    }
  }
}

/** The next of several servers comes first in the next attempt. */
function turned(servers: readonly string[], attempt: number): string[] {
  const first = attempt % Math.max(1, servers.length);
  return [...servers.slice(first), ...servers.slice(0, first)];
}
