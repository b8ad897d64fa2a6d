import { ValueStatus } from '../../model/envelope.ts';
import { CHUNK_TIME } from '../../model/limits.ts';
import { countRuns, indexesOf } from '../../model/runs.ts';
import { packColumn, readColumn } from '../../protocol/column.ts';
import type { Chunk, JobFacts, Runner, SlotEvent } from '../../worker/runner.ts';
import { childrenOf, tasksIn } from './family.ts';
import type { Life } from './machine.ts';
import type { JobPlan, WorkerPlan } from './plan.ts';
import {
  type Behaviour,
  behaviourOf,
  costOf,
  failureText,
  firstInput,
  INPUT_STEP,
  inputOf,
  numberOf,
  prints,
  type Result,
  resultFor,
  slownessOf,
} from './tasks.ts';
import { callOff, type Happening } from './world.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Milliseconds that a process takes to start, and to die. */
const START_TIME = [20, 80] as const;
const DEATH_TIME = [0.5, 3] as const;
const UPLOAD_PAUSE = [250, 3_000] as const;

interface Execution {
  readonly chunk: Chunk;
  readonly job: JobFacts;
  readonly plan: JobPlan;
  /** Of the job in the plan. */
  readonly number: number;
  /** Which tasks of the plan these are: in a job that grows not those of their places. */
  readonly tasks: readonly number[];
  readonly results: Result[];
  /** When each of them is there, from the start on. */
  readonly ends: number[];
  startedAt: number;
}

interface Place {
  readonly slot: number;
  state: 'none' | 'starting' | 'ready' | 'dying';
  executions: Execution[];
  /** What happens to its process next. */
  next: Happening | undefined;
}

export interface RunnerEvents {
  report(event: SlotEvent): void;
  poisoned(job: number, index: number): void;
}

/** Task processes as a model: chunks take the time of their tasks, and tasks do what the plan says. */
export class ModelRunner implements Runner {
  readonly #life: Life;
  readonly #worker: WorkerPlan;
  readonly #events: RunnerEvents;
  readonly #places = new Map<number, Place>();

  constructor(life: Life, worker: WorkerPlan, events: RunnerEvents) {
    this.#life = life;
    this.#worker = worker;
    this.#events = events;
  }

  startSlot(slot: number): void {
    const place: Place = this.#places.get(slot) ?? { slot, state: 'none', executions: [], next: undefined };
    this.#places.set(slot, place);
    place.state = 'starting';
    place.next = this.#in(START_TIME, () => {
      place.state = 'ready';
      this.#events.report({ kind: 'slotReady', slot });
    });
  }

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    const place = this.#places.get(slot);
    if (place === undefined || place.state !== 'ready') return;
    const number = numberOf(job.name);
    const plan = this.#life.machine.stage.plan.jobs[number] as JobPlan;
    const tasks = plan.spawns === true ? tasksIn(number, chunk.column as Uint8Array) : [...indexesOf(chunk.runs)];
    place.executions.push({ chunk, job, plan, number, tasks, results: [], ends: [], startedAt: 0 });
    if (place.executions.length === 1) this.#begin(place);
  }

  abortChunk(slot: number, chunk: number): void {
    const place = this.#places.get(slot);
    const running = place?.executions[0];
    if (place === undefined || running?.chunk.id !== chunk || !this.#life.machine.random.chance(0.5)) return;
    // It heeds its signal: the task at hand fails, what has ended before is there.
    callOff(place.next);
    const passed = this.#life.machine.stage.world.now - running.startedAt;
    const ended = running.ends.filter((end) => end <= passed).length;
    running.results.length = ended;
    running.results.push({ status: ValueStatus.failed, text: failureText('it was told to stop') });
    place.next = this.#life.after(0.2, () => this.#finish(place, running));
  }

  killSlot(slot: number): void {
    const place = this.#places.get(slot);
    if (place === undefined || place.state === 'none' || place.state === 'dying') return;
    this.#die(place, { signal: 'SIGKILL' });
  }

  forgetJob(): void {}

  #in([low, high]: readonly [number, number], run: () => void): Happening {
    return this.#life.after(this.#life.machine.random.between(low, high), run);
  }

  #die(place: Place, how: { readonly exitCode?: number; readonly signal?: string }): void {
    callOff(place.next);
    place.state = 'dying';
    place.executions = [];
    place.next = this.#in(DEATH_TIME, () => {
      place.state = 'none';
      this.#events.report({ kind: 'slotDied', slot: place.slot, cause: 'exit', ...how, lastWords: '' });
    });
  }

  #begin(place: Place): void {
    const [execution] = place.executions;
    if (execution === undefined) return;
    execution.startedAt = this.#life.machine.stage.world.now;
    this.#life.machine.stage.world.sometimes('a chunk began');
    const end = this.#work(execution);
    if (end.how === 'hangs') return;
    place.next = this.#life.after(end.after, () => {
      if (end.how === 'crashes') this.#die(place, { exitCode: 134 });
      else if (end.how === 'poison') this.#events.poisoned(execution.job.job, end.index);
      else this.#finish(place, execution);
    });
  }

  /** Does the tasks until the time of a chunk is up, or one of them ends it otherwise. */
  #work(execution: Execution): { readonly how: Behaviour; readonly after: number; readonly index: number } {
    const { chunk, job, plan, number, tasks, results, ends } = execution;
    const healed = this.#life.machine.stage.healed;
    this.#checkInputs(execution);
    let after = 0;
    for (const [position, index] of [...indexesOf(chunk.runs)].entries()) {
      const task = tasks[position] as number;
      if (this.#worker.character === 'hole' && !healed) {
        after += 0.1;
        results.push({ status: ValueStatus.failed, text: failureText('this worker is broken') });
      } else {
        const how = this.#behaviour(plan, number, task);
        after += costOf(plan, number, task) * this.#worker.slowness * slownessOf(job.code);
        if (how === 'crashes' || how === 'hangs' || how === 'poison') return { how, after, index };
        results.push(
          how === 'works'
            ? resultFor(plan, number, task)
            : { status: ValueStatus.failed, text: failureText(`task ${index} throws`) },
        );
      }
      ends.push(after);
      if (after >= CHUNK_TIME) break;
    }
    return { how: 'works', after, index: -1 };
  }

  #behaviour(plan: JobPlan, number: number, index: number): Behaviour {
    const how = behaviourOf(plan, number, index);
    if (how !== 'throwsFirst') return how;
    return this.#life.machine.stage.thrown(number, index) ? 'throws' : 'works';
  }

  /** Whatever way the inputs took, these are the ones of these tasks. */
  #checkInputs({ chunk, job, plan, number, tasks }: Execution): void {
    const { range } = job;
    if (range !== undefined) {
      if (range.start !== firstInput(number) || range.step !== INPUT_STEP) this.#wrongInput(job, `of the range`);
      return;
    }
    const column = chunk.column === undefined ? undefined : readColumn(chunk.column);
    const text = decoder.decode(column?.bytes);
    let wanted = '';
    const { jobs, failovers } = this.#life.machine.stage.observer;
    const { family, chain } = jobs.get(job.job) ?? {};
    if (plan.source !== undefined) {
      for (const index of indexesOf(chunk.runs)) wanted += chain?.texts[index];
      if (failovers === 0 && text !== wanted) this.#wrongInput(job, text.slice(0, 100));
      return;
    }
    // Which task stood where is lost, if it was given before the store failed over.
    if (failovers > 0 && plan.spawns === true) return;
    for (const index of indexesOf(chunk.runs)) wanted += `${inputOf(number, family?.at(index) ?? index)},`;
    if (tasks.length !== countRuns(chunk.runs)) this.#wrongInput(job, `${tasks.length} inputs`);
    if (text !== wanted) this.#wrongInput(job, text.slice(0, 100));
  }

  #wrongInput(job: JobFacts, what: string): void {
    this.#life.machine.stage.world.fail('S3', `a task of job ${job.job} was given another one's input: ${what}`);
  }

  #finish(place: Place, execution: Execution): void {
    const { chunk, plan, number, results } = execution;
    let position = 0;
    for (const index of indexesOf(chunk.runs)) {
      if (position >= results.length) break;
      if (prints(plan, number, index)) this.#print(place.slot, chunk.id, position);
      position++;
    }
    const blobs = results.flatMap(({ blob }) => (blob === undefined ? [] : [blob]));
    if (blobs.length === 0) return this.#tell(place, execution);
    this.#events.report({ kind: 'chunkWaiting', slot: place.slot, chunk: chunk.id });
    this.#upload(place, execution, blobs);
  }

  #print(slot: number, chunk: number, position: number): void {
    this.#events.report({ kind: 'taskLog', slot, chunk, position, stream: 'stdout', text: 'working\n' });
  }

  /** Blobs are stored before anybody hears of them (P15). */
  #upload(place: Place, execution: Execution, blobs: readonly NonNullable<Result['blob']>[]): void {
    const [first, ...rest] = blobs;
    if (first === undefined) return this.#tell(place, execution);
    const { network, data, world } = this.#life.machine.stage;
    const { who, name } = this.#life.machine;
    const mine = () => place.executions[0] === execution;
    network.request(
      who,
      this.#life,
      name,
      () => data.blobs.put(first.sha256, once(first.bytes)),
      (answer) => {
        if (!mine()) return;
        if (answer !== undefined) return this.#upload(place, execution, rest);
        world.sometimes('a blob was sent again');
        place.next = this.#in(UPLOAD_PAUSE, () => mine() && this.#upload(place, execution, blobs));
      },
    );
  }

  #tell(place: Place, execution: Execution): void {
    const { chunk, results, ends, startedAt } = execution;
    place.executions.shift();
    const texts = results.map(({ text }) => text);
    const spawned = spawnedIn(execution);
    for (const [, inputs] of spawned) texts.push(...inputs);
    const statuses = texts.map((_, i) => results[i]?.status ?? ValueStatus.json);
    const column = packColumn(
      Uint32Array.from(texts, (text) => text.length),
      Uint8Array.from(statuses),
      encoder.encode(texts.join('')),
    );
    const more = spawned.length > 0 && { spawned: spawned.map(([at, inputs]) => [at, inputs.length] as const) };
    const micros = Math.round(1_000 * (ends.at(-1) ?? this.#life.machine.stage.world.now - startedAt));
    const done = results.length;
    this.#begin(place);
    this.#events.report({ kind: 'chunkDone', slot: place.slot, chunk: chunk.id, done, micros, column, ...more });
  }
}

/** What tasks give their job, by their places, as the wire has it: those that failed, too, which must count for nothing. */
function spawnedIn({ plan, number, tasks, results }: Execution): [position: number, inputs: string[]][] {
  return results.flatMap((_, position): [number, string[]][] => {
    const children = childrenOf(plan, number, tasks[position] as number);
    return children.length === 0 ? [] : [[position, children.map((child) => `${inputOf(number, child)},`)]];
  });
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
