import assert from 'node:assert/strict';
import { epochOf } from '../../src/model/ids.ts';
import { indexesOf } from '../../src/model/runs.ts';
import type { Command } from '../../src/scheduler/commands.ts';
import type { OutcomesEvent } from '../../src/scheduler/events.ts';
import type { Grant } from './scheduler-desk.ts';

/** What was true when the outcomes arrived. */
interface Situation {
  /** Which lease had ended a task. */
  readonly before: ReadonlyMap<number, { lease: number }>;
  /** The job had not ended. */
  readonly open: boolean;
  readonly fenced: boolean;
  readonly epoch: number;
}

/** A simple notion of what may be recorded (R6), against which every verdict is held. */
export class Verdicts {
  /** Whom each lease was issued to, for ever. */
  readonly issued = new Map<number, Grant>();
  /** Failures that were recorded, by lease and task. */
  readonly #failed = new Set<string>();
  readonly #seen: Set<string>;
  readonly #newest = new Map<number, number>();

  constructor(seen: Set<string>) {
    this.#seen = seen;
  }

  issue(grant: Grant): void {
    this.issued.set(grant.lease, grant);
    for (const index of indexesOf(grant.runs)) this.#newest.set(grant.job * 1e6 + index, grant.lease);
  }

  check(event: OutcomesEvent, acks: readonly Extract<Command, { kind: 'ack' }>[], situation: Situation): void {
    for (const { verdict, runs, lease, worker } of acks) {
      assert.deepEqual([lease, worker], [event.lease, event.worker]);
      this.#seen.add(verdict);
      for (const index of indexesOf(runs)) this.#checkOne(event, verdict, index, situation);
    }
  }

  #checkOne(event: OutcomesEvent, verdict: string, index: number, { before, open, fenced, epoch }: Situation): void {
    const issued = this.issued.get(event.lease);
    const granted = issued?.runs.some(({ start, count }) => index >= start && index < start + count) ?? false;
    const mine = granted && issued?.worker === event.worker;
    const ender = before.get(index);
    const failed = event.failures.some((failure) => failure.index === index);
    const mark = `${event.lease} ${index}`;
    if (verdict === 'recorded') {
      assert.ok(open && mine && ender === undefined, `task ${index} must not be recorded (R6)`);
      if (failed) this.#failed.add(mark);
      if (this.#newest.get(event.job * 1e6 + index) !== event.lease) this.#seen.add('late outcome recorded');
    }
    if (verdict === 'duplicate') {
      // After a restart nobody remembers which of two leases ended a task. A failure may have been told before.
      const restarted = epochOf(event.lease) < epoch && ender !== undefined;
      assert.ok(
        mine && (ender?.lease === event.lease || restarted || this.#failed.has(mark)),
        `task ${index} is no duplicate`,
      );
    }
    if (verdict === 'unknown') assert.ok(!mine, `task ${index} was issued to ${event.worker} (R6)`);
    if (verdict === 'superseded' && open && ender === undefined && mine) {
      // Taken away from it meanwhile, and either fenced or a failure that another attempt makes up for.
      assert.ok(fenced || failed, `task ${index} has not ended: its outcome is welcome (R6)`);
      this.#seen.add('fenced outcome refused');
    }
  }
}
