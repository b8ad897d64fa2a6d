import { Lanes } from '../dashboard/lanes.ts';
import type { JobView } from '../model/feed.ts';
import { TIMELINE_BATCHES } from '../model/past-limits.ts';
import type { Timeline, TimelineAttempt, TimelineBar } from '../model/timeline.ts';
import type { WorkerFacts } from '../model/worker.ts';
import type { Api } from './api.ts';
import type { Out } from './output/out.ts';

/** One line of a trace, as Chrome and Perfetto read it. Times are microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M' | 'i';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly s?: 't';
  readonly cat?: string;
  readonly args: Readonly<Record<string, string | number>>;
}

/** Writes a job's past in the trace event format: a process is a worker, a thread one of its slots, an event a batch. */
export async function writeTrace(api: Api, job: number, out: Out): Promise<void> {
  const view = await api.get<JobView>(`v1/jobs/${job}`);
  const { workers } = await api.get<{ workers: WorkerFacts[] }>('v1/workers');
  const trace = new Trace(view, new Map(workers.map((worker) => [worker.id, worker])));
  const head = { displayTimeUnit: 'ms', otherData: { job, name: view.spec.name, state: view.progress.state } };
  let text = `${JSON.stringify(head).slice(0, -1)},"traceEvents":[`;
  let separator = '\n';
  for (let after: number | undefined = 0; after !== undefined; ) {
    const path = `v1/jobs/${job}/timeline?after=${after}&limit=${TIMELINE_BATCHES}`;
    const page: Timeline = await api.get<Timeline>(path);
    for (const event of trace.eventsOf(page)) {
      text += separator + JSON.stringify(event);
      separator = ',\n';
    }
    await out.write(text);
    text = '';
    after = page.next;
  }
  await out.write('\n]}\n');
}

/** A worker in the trace. What came to nothing lies below its slots: it is told last, and would not find its place. */
interface Known {
  readonly pid: number;
  readonly lanes: { readonly slot: Lanes; readonly 'came to nothing': Lanes };
  readonly named: Set<number>;
}

/** More than a worker has slots. */
const NOTHING = 10_000;

/** Turns what is told of a job into events, page by page. */
export class Trace {
  readonly #start: number;
  readonly #facts: ReadonlyMap<string, WorkerFacts>;
  readonly #known = new Map<string, Known>();

  constructor({ spec, progress }: Pick<JobView, 'spec' | 'progress'>, facts: ReadonlyMap<string, WorkerFacts>) {
    this.#start = progress.startedAt ?? spec.submittedAt;
    this.#facts = facts;
  }

  *eventsOf({ bars, attempts }: Pick<Timeline, 'bars' | 'attempts'>): Generator<TraceEvent> {
    for (const bar of bars) yield* this.#bar(bar);
    for (const attempt of attempts) yield* this.#attempt(attempt);
  }

  *#bar({ seq, worker, lease, from, to, micros, first, tasks, failed }: TimelineBar): Generator<TraceEvent> {
    const { name, args } = namesOf(first, tasks);
    const { begin, ...place } = yield* this.#place(worker, 'slot', from, to);
    const cat = failed === 0 ? 'done' : 'failed';
    yield {
      name,
      ph: 'X',
      cat,
      ...place,
      ...this.#times(begin, to),
      args: { ...args, failed, micros, batch: seq, lease },
    };
  }

  /** What was lost or too slow took a slot for a while; a failure that was tried again is a moment. */
  *#attempt(attempt: TimelineAttempt): Generator<TraceEvent> {
    const { index, worker, lease, outcome, tasks = 1, startedAt, endedAt, message } = attempt;
    const { name: what, args: named } = namesOf(index, tasks);
    const told = { name: `${outcome}: ${what}`, cat: outcome, args: { ...named, lease, message } };
    const tookTime = startedAt !== undefined && (outcome === 'lost' || outcome === 'superseded');
    const from = tookTime ? startedAt : endedAt;
    const { begin, ...place } = yield* this.#place(worker, 'came to nothing', from, endedAt);
    const { ts, dur } = this.#times(begin, endedAt);
    yield tookTime ? { ...told, ph: 'X', ...place, ts, dur } : { ...told, ph: 'i', s: 't', ...place, ts };
  }

  /** Names a worker and its slots when they are first met. */
  *#place(
    worker: string,
    kind: keyof Known['lanes'],
    from: number,
    to: number,
  ): Generator<TraceEvent, { pid: number; tid: number; begin: number }> {
    let known = this.#known.get(worker);
    if (known === undefined) {
      const facts = this.#facts.get(worker);
      const lanes = { slot: new Lanes(facts?.slots), 'came to nothing': new Lanes() };
      known = { pid: this.#known.size + 1, lanes, named: new Set() };
      this.#known.set(worker, known);
      const name = worker === '' ? 'server' : facts === undefined ? `worker ${worker}` : `${facts.name} (${worker})`;
      yield { name: 'process_name', ph: 'M', pid: known.pid, tid: 0, args: { name } };
    }
    const { pid, lanes, named } = known;
    const placed = lanes[kind].place(from, to);
    const number = placed.lane + 1;
    const tid = kind === 'slot' ? number : NOTHING + number;
    if (!named.has(tid)) yield { name: 'thread_name', ph: 'M', pid, tid, args: { name: `${kind} ${number}` } };
    named.add(tid);
    return { pid, tid, begin: placed.from };
  }

  #times(from: number, to: number): { ts: number; dur: number } {
    const ts = Math.round((from - this.#start) * 1_000);
    return { ts, dur: Math.max(0, Math.round((to - this.#start) * 1_000) - ts) };
  }
}

function namesOf(first: number, tasks: number): { name: string; args: Record<string, number> } {
  return { name: tasks === 1 ? `task ${first}` : `${tasks} tasks from ${first}`, args: { first, tasks } };
}
