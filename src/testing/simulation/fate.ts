import type { WorkerId } from '../../model/ids.ts';
import type { ClientMachine } from './client-machine.ts';
import type { Stage } from './machine.ts';
import type { Fault } from './plan.ts';
import type { ServerHost } from './server-host.ts';
import { Standby } from './standby.ts';
import type { WorkerMachine } from './worker-machine.ts';

/** Milliseconds between the moment from which a node's frames come late, and that at which it takes another connection. */
const LATE_FRAMES_GATHER = 300;

/** Lets the faults of the plan happen, each at its time. */
export class Fate {
  readonly #stage: Stage;
  readonly #workers: ReadonlyMap<string, WorkerMachine>;
  readonly #clients: ReadonlyMap<string, ClientMachine>;

  constructor(stage: Stage, workers: readonly WorkerMachine[], clients: readonly ClientMachine[]) {
    this.#stage = stage;
    this.#workers = new Map(workers.map((worker) => [worker.name, worker]));
    this.#clients = new Map(clients.map((client) => [client.name, client]));
    for (const fault of stage.plan.faults) {
      if (fault.kind === 'failover') {
        this.#planFailover(fault);
        continue;
      }
      stage.world.at(fault.at, 0, () => {
        if (stage.healed) return;
        stage.world.note(() => `fault   ${JSON.stringify(fault)}`);
        stage.world.sometimes(`fault: ${fault.kind}`);
        this.#happen(fault);
      });
    }
  }

  /** Everything works again. */
  heal(): void {
    const { network, data, hosts } = this.#stage;
    network.heal();
    data.heal();
    for (const host of hosts) host.heal();
    for (const worker of this.#workers.values()) worker.heal();
    for (const client of this.#clients.values()) client.heal();
  }

  /** No worker is left as an operator has set it aside. */
  undrainAll(): void {
    for (const { process } of this.#stage.hosts) {
      const workers = process?.core.loop.scheduler?.workers() ?? [];
      for (const { worker, state } of workers) if (state === 'draining') this.#operate(worker.id, 'undrain');
    }
  }

  /** The standby is behind from a moment on that only this plan knows. */
  #planFailover(fault: Extract<Fault, { kind: 'failover' }>): void {
    const { world, data, observer } = this.#stage;
    const standby = new Standby(data, observer, world);
    world.at(Math.max(0, fault.at - fault.lost), 0, () => standby.fallBehind());
    world.at(fault.at, 0, () => {
      if (this.#stage.healed) return;
      world.note(() => `fault   ${JSON.stringify(fault)}`);
      if (!standby.takeOver(fault.for)) return;
      world.sometimes('fault: failover');
      for (const client of this.#clients.values()) client.failedOver();
    });
  }

  #happen(fault: Exclude<Fault, { kind: 'failover' }>): void {
    if ('node' in fault) return this.#happenTo(fault);
    const { hosts, data, world } = this.#stage;
    const host = hosts['server' in fault ? (fault.server ?? 0) : 0] as ServerHost;
    switch (fault.kind) {
      case 'crash':
        return host.crashAt({ site: fault.site, left: fault.nth, down: fault.down, applied: fault.applied });
      case 'restart':
        return host.restart(fault.down);
      case 'zombie':
        return host.replaceByAnother(fault.for);
      case 'freezeServer':
        return host.freeze(fault.for);
      case 'wallStep':
        host.wallStep += fault.by;
        return;
      case 'diskFull':
        return data.fill(world.now + fault.for);
      case 'diskLocked':
        return data.lock(world.now + fault.for);
      case 'diskStall':
        return data.stall(world.now + fault.for);
      case 'storeAway':
        return data.takeAway(world.now + fault.for);
      case 'diskBroken':
        return host.breakDisk(fault.applied);
    }
  }

  #happenTo(fault: Extract<Fault, { node: string }>): void {
    const { network, world } = this.#stage;
    const worker = this.#workers.get(fault.node);
    switch (fault.kind) {
      case 'cut':
        for (const link of network.linksOf(fault.node))
          link.cut(fault.loseUp, fault.loseDown, fault.nodeNotices, fault.serverNotices);
        return;
      case 'lateFrames':
        for (const link of network.linksOf(fault.node)) link.up.hold(world.now + fault.for);
        world.after(Math.min(fault.for / 2, LATE_FRAMES_GATHER), 0, () => worker?.life?.dropLink());
        return;
      case 'slow':
        return network.slow(fault.node, fault.way, world.now + fault.for);
      case 'partition':
        network.partition(fault.node, fault.server);
        world.after(fault.for, 0, () => network.reunite(fault.node, fault.server));
        return;
      case 'killWorker':
        return worker?.kill(fault.back);
      case 'killClient':
        return this.#clients.get(fault.node)?.kill(fault.back);
      case 'freezeWorker':
        return worker?.freeze(fault.for);
      case 'killSlot':
        return worker?.life?.runner.killSlot(0);
      case 'leaveWorker':
        worker?.life?.inside(() => worker.life?.handle({ kind: 'drain', reason: 'its owner wants it back' }));
        return;
      case 'stopWorker':
        if (worker?.life?.id !== undefined) this.#operate(worker.life.id, 'stop');
        return;
      case 'drain':
        return this.#drain(worker, fault.for);
    }
  }

  #drain(worker: WorkerMachine | undefined, time: number): void {
    const id = worker?.life?.id;
    if (id === undefined) return;
    this.#operate(id, 'drain');
    this.#stage.world.after(time, 0, () => this.#operate(id, 'undrain'));
  }

  /** An operator's request, which comes by HTTP; an answer that says no is an answer. */
  #operate(worker: WorkerId, action: 'drain' | 'undrain' | 'stop'): void {
    for (const { process } of this.#stage.hosts) {
      if (process === undefined || !process.listens) continue;
      process.inside(() => void process.core.actOnWorker(worker, action).catch(() => {}));
    }
  }
}
