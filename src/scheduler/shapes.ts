import { type CodeRef, codesOf, type JobSpec, type Runner } from '../model/job.ts';
import { IDLE_SHAPES } from '../model/limits.ts';
import { formatSize } from '../model/size.ts';
import { canRun, type WorkerFacts } from '../model/worker.ts';
import { Lane } from './fairness.ts';
import type { Worker } from './worker-state.ts';

/**
 * What a job asks of a worker. Jobs that ask for the same share one, and with it the answer to "who can take this now",
 * so that placement never goes through jobs × workers (R28).
 */
export class Shape {
  readonly key: string;
  readonly spec: JobSpec;
  /** Its tasks take more than one slot and nothing else, so nothing is queued behind or ahead of them. */
  readonly heavy: boolean;
  /** Connected workers that could run it, busy or not (R18). */
  readonly fits = new Set<Worker>();
  /** Those that can start a task at once, and those that can queue one. In turns. */
  readonly idle = new Set<Worker>();
  readonly roomy = new Set<Worker>();
  /** Jobs that wait: with tasks worth queueing ahead, and others. */
  readonly short = new Lane();
  readonly long = new Lane();
  /** Open jobs that have it. */
  jobs = 0;
  /** How many of its tasks all fitting workers can run at once. */
  slots = 0;
  /** A worker kept free of others until a task of many slots fits in. */
  reserved: Worker | undefined;
  /** The pass of placement that last looked for one. */
  lookedAt = 0;

  constructor(key: string, spec: JobSpec) {
    this.key = key;
    this.spec = spec;
    this.heavy = spec.cpus > 1 || spec.memory !== undefined || Object.keys(spec.resources).length > 0;
  }

  /** What keeps a worker from ever running it, in words; undefined: nothing does (R18). */
  lacks(worker: Worker): string | undefined {
    const { facts } = worker;
    const { spec } = this;
    const codes = codesOf(spec);
    if (!codes.some((code) => canRun(facts, code))) return lacksCode(facts, codes);
    for (const [label, value] of Object.entries(spec.requires)) {
      if (facts.labels[label] !== value) return `lacks the label ${label}=${value}`;
    }
    if (spec.cpus > facts.slots) return `has ${facts.slots} slots, not ${spec.cpus}`;
    if (spec.memory !== undefined && spec.memory > (facts.memory ?? 0))
      return `has ${formatSize(facts.memory ?? 0)} of memory, not ${formatSize(spec.memory)}`;
    for (const [name, amount] of Object.entries(spec.resources)) {
      if ((facts.resources[name] ?? 0) < amount) return `has less than ${amount} ${name}`;
    }
    return undefined;
  }

  slotsOf(worker: Worker): number {
    return Math.floor(worker.facts.slots / this.spec.cpus);
  }

  /** Looks again at what this worker can take. */
  refresh(worker: Worker): void {
    const open = worker.open && (worker.reservedFor === undefined || worker.reservedFor === this);
    set(this.idle, worker, open && this.#canStart(worker));
    set(this.roomy, worker, open && this.#canQueue(worker));
  }

  #canStart(worker: Worker): boolean {
    const { spec } = this;
    if (worker.used + spec.cpus > worker.facts.slots || worker.probing) return false;
    if (!this.heavy) return true;
    if (spec.memory !== undefined && worker.memory + spec.memory > (worker.facts.memory ?? 0)) return false;
    for (const [name, amount] of Object.entries(spec.resources)) {
      if ((worker.resources.get(name) ?? 0) + amount > (worker.facts.resources[name] ?? 0)) return false;
    }
    return true;
  }

  /** Where a task of many slots runs nothing may wait: the worker would start it beside it. */
  #canQueue(worker: Worker): boolean {
    if (this.heavy || worker.heavy > 0 || worker.suspended) return false;
    const { slots } = worker.facts;
    if (worker.used < 2 * slots) return true;
    const { batches, micros } = worker.prefetch;
    return worker.used < batches * slots && worker.queuedMicros < micros * slots;
  }
}

function set(workers: Set<Worker>, worker: Worker, member: boolean): void {
  if (member) workers.add(worker);
  else workers.delete(worker);
}

export class Shapes {
  readonly byKey = new Map<string, Shape>();
  /** Unused ones, oldest first. */
  readonly #unused = new Set<Shape>();

  of(spec: JobSpec, workers: Iterable<Worker>): Shape {
    const key = keyOf(spec);
    let shape = this.byKey.get(key);
    if (shape === undefined) {
      shape = new Shape(key, spec);
      this.byKey.set(key, shape);
      for (const worker of workers) this.#introduce(shape, worker);
    }
    shape.jobs++;
    this.#unused.delete(shape);
    return shape;
  }

  leave(shape: Shape): void {
    if (--shape.jobs > 0) return;
    this.#unused.add(shape);
    if (this.#unused.size <= IDLE_SHAPES) return;
    const oldest = this.#unused.values().next().value!;
    this.#unused.delete(oldest);
    this.byKey.delete(oldest.key);
    for (const worker of oldest.fits) worker.shapes.delete(oldest);
  }

  add(worker: Worker): void {
    for (const shape of this.byKey.values()) this.#introduce(shape, worker);
  }

  remove(worker: Worker): void {
    for (const shape of worker.shapes) {
      shape.fits.delete(worker);
      shape.idle.delete(worker);
      shape.roomy.delete(worker);
      shape.slots -= shape.slotsOf(worker);
      if (shape.reserved === worker) shape.reserved = undefined;
    }
    worker.shapes.clear();
  }

  #introduce(shape: Shape, worker: Worker): void {
    if (shape.lacks(worker) !== undefined) return;
    shape.fits.add(worker);
    shape.slots += shape.slotsOf(worker);
    worker.shapes.add(shape);
    shape.refresh(worker);
  }
}

function lacksCode(facts: WorkerFacts, codes: readonly CodeRef[]): string {
  return [...new Set(codes.map((code) => lackOf(facts, code)))].join(', and ');
}

function lackOf({ runners, labels }: WorkerFacts, { runner, requires = {} }: CodeRef): string {
  if (!runners.includes(runner)) return lacksRunner(runner);
  const [label, value] = Object.entries(requires).find(([name, wanted]) => labels[name] !== wanted)!;
  return `lacks the label ${label}=${value} for its runner '${runner}'`;
}

function lacksRunner(runner: Runner): string {
  if (runner === 'exec') return 'does not allow commands';
  if (runner === 'npm') return 'does not install packages';
  if (runner === 'venv') return 'does not install what files of Python name';
  return runner === 'python' ? 'does not run Python' : `has no runner '${runner}'`;
}

function keyOf(spec: JobSpec): string {
  const sorted = (record: Readonly<Record<string, unknown>>) =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const { cpus, memory } = spec;
  const codes = codesOf(spec).map(({ runner, requires = {} }) => [runner, ...sorted(requires)]);
  return JSON.stringify([codes, cpus, memory ?? 0, sorted(spec.requires), sorted(spec.resources)]);
}
