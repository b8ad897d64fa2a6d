import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Tallies } from '../model/feed.ts';
import type { WorkerState } from '../model/worker.ts';
import type { Verdict } from '../scheduler/commands.ts';

/**
 * The library's figures of the event loop's lag are times between two beats of a timer: no smaller than its interval on the
 * idlest of servers, and at ten milliseconds half of the CPU of one whose thousand workers are idle. The lag that is measured
 * when somebody asks stays, and the loop's active time tells the rest.
 */
const BEAT = 3_600_000;
const BEATEN = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'];

/** Where figures are read from when somebody asks. */
export interface MetricSource {
  tallies(): Tallies;
  verdicts(): Readonly<Record<Verdict, number>>;
  loop(): {
    commits: number;
    commitMillis: number;
    events: number;
    writes: number;
    failures: number;
    backlogBytes: number;
  };
  liveJobs(): number;
  workers(): readonly { state: WorkerState; slots: number; busy: number; queued: number }[];
  clients(): number;
  connections(): Promise<number>;
  feedReaders(): number;
}

/** Figures for Prometheus. Almost all are read from what is counted anyway, when they are asked for. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram;

  constructor(source: MetricSource) {
    collectDefaultMetrics({ register: this.#registry, prefix: 'manyhands_', eventLoopMonitoringPrecision: BEAT });
    for (const name of BEATEN) this.#registry.removeSingleMetric(`manyhands_nodejs_eventloop_lag_${name}_seconds`);
    this.#requests = new Histogram({
      name: 'manyhands_http_request_seconds',
      help: 'Time until an HTTP answer had been sent.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
      registers: [this.#registry],
    });
    const active = this.#counter(
      'manyhands_eventloop_active_seconds_total',
      'Time that the event loop was busy.',
      [],
      () => {
        active.reset();
        active.inc(performance.eventLoopUtilization().active / 1_000);
      },
    );
    this.#countTasks(source);
    this.#countCommits(source);
    this.#countPeers(source);
  }

  get type(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  answered(route: string, method: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status: String(status) }, seconds);
  }

  #countTasks(source: MetricSource): void {
    const tasks = this.#counter('manyhands_tasks_total', 'Outcomes recorded since the start.', ['outcome'], () => {
      const { done, failed } = source.tallies();
      tasks.reset();
      tasks.inc({ outcome: 'done' }, done);
      tasks.inc({ outcome: 'failed' }, failed);
    });
    const attempts = this.#counter(
      'manyhands_attempts_repeated_total',
      'Attempts followed by another.',
      ['cause'],
      () => {
        const { retried, lost } = source.tallies();
        attempts.reset();
        attempts.inc({ cause: 'failed' }, retried);
        attempts.inc({ cause: 'lost' }, lost);
      },
    );
    const verdicts = this.#counter(
      'manyhands_verdicts_total',
      'Outcomes by what they turned out to be; unknown: of tasks that were never given to their worker.',
      ['verdict'],
      () => {
        verdicts.reset();
        for (const [verdict, tasks] of Object.entries(source.verdicts())) verdicts.inc({ verdict }, tasks);
      },
    );
    this.#gauge('manyhands_jobs_open', 'Jobs that have not ended.', () => source.liveJobs());
  }

  #countCommits(source: MetricSource): void {
    const count = (name: string, help: string, value: (loop: ReturnType<MetricSource['loop']>) => number) => {
      const counter = this.#counter(name, help, [], () => {
        counter.reset();
        counter.inc(value(source.loop()));
      });
    };
    count('manyhands_commits_total', 'Groups committed to the store.', (loop) => loop.commits);
    count('manyhands_commit_seconds_total', 'Time spent in commits.', (loop) => loop.commitMillis / 1000);
    count('manyhands_commit_failures_total', 'Groups that the store refused.', (loop) => loop.failures);
    count('manyhands_rows_total', 'Rows written; divided by commits: the size of a group.', (loop) => loop.writes);
    count('manyhands_events_total', 'Events handled by the scheduler.', (loop) => loop.events);
    this.#gauge('manyhands_backlog_bytes', 'Bytes waiting for a commit.', () => source.loop().backlogBytes);
  }

  #countPeers(source: MetricSource): void {
    const workers = this.#gauge(
      'manyhands_workers',
      'Workers by state.',
      () => undefined,
      ['state'],
      () => {
        workers.reset();
        for (const { state } of source.workers()) workers.inc({ state });
      },
    );
    const sum = (field: 'slots' | 'busy' | 'queued') => () =>
      source.workers().reduce((total, worker) => total + (worker.state === 'lost' ? 0 : worker[field]), 0);
    this.#gauge('manyhands_slots', 'Slots of all workers.', sum('slots'));
    this.#gauge('manyhands_tasks_running', 'Tasks that workers run.', sum('busy'));
    this.#gauge('manyhands_tasks_queued', 'Tasks given to workers ahead.', sum('queued'));
    this.#gauge('manyhands_clients', 'Connected clients.', () => source.clients());
    this.#gauge('manyhands_connections', 'Open connections of any kind.', () => source.connections());
    this.#gauge('manyhands_feed_readers', 'Readers of events.', () => source.feedReaders());
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[], collect: () => void): Counter<Label> {
    return new Counter({ name, help, labelNames, collect, registers: [this.#registry] });
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    value: () => number | Promise<number> | undefined,
    labelNames: Label[] = [],
    collect?: () => void,
  ): Gauge<Label> {
    const gauge = new Gauge<Label>({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect:
        collect ??
        (async () => {
          const now = await value();
          if (now !== undefined) gauge.set(now);
        }),
    });
    return gauge;
  }
}
