import { isFailure } from '../../model/envelope.ts';
import type { Runner } from '../../model/job.ts';
import { HELLO_TIME, PING_INTERVAL } from '../../model/limits.ts';
import { runsOf } from '../../model/runs.ts';
import { readColumn, statusOf } from '../../protocol/column.ts';
import { toWireRuns } from '../../protocol/shapes.ts';
import { decodeColumn } from '../../protocol/values/column.ts';
import type { Hello } from '../../protocol/worker-messages.ts';
import type { Door } from './door.ts';
import { haveAccidents } from './poll-accidents.ts';
import { outputOf, sampleCode, sampleValues } from './sample-code.ts';
import { indexesIn, type Seat } from './seat.ts';
import { EndOfExamination, type Verdict, Verdicts } from './verdicts.ts';

export interface ExaminationOptions {
  /** The language of the code; by default the first that the worker offers and a sample is there for. */
  readonly runner: string | undefined;
  /** A task that does what the sample does, in another language. */
  readonly code: string | undefined;
  /** Milliseconds for a few short tasks. */
  readonly workTime: number;
}

/** Milliseconds until somebody has started the worker. */
const ARRIVAL_TIME = 15 * 60_000;
/** Milliseconds until it has come back after a cut: its waits are drawn from a bound that doubles. */
const BACK_TIME = 60_000;
/** Milliseconds in which nothing is expected. */
const QUIET = 300;

/** Plays the server to one worker, and tells which rules it keeps. */
export class Examination {
  readonly #door: Door;
  readonly #options: ExaminationOptions;
  readonly #verdicts = new Verdicts();
  #seat!: Seat;
  #hello!: Hello;
  #code!: { runner: Runner; sha256: string; size: number; sourceName: string };
  #text = '';
  #leases = 0;

  constructor(door: Door, options: ExaminationOptions) {
    this.#door = door;
    this.#options = options;
  }

  async *run(): AsyncGenerator<Verdict> {
    const parts = [
      () => this.#arrives(),
      () => this.#computes(),
      () => this.#failsOne(),
      () => this.#fetchesCode(),
      () => this.#takesRange(),
      () => haveAccidents(this.#door, this.#seat, this.#verdicts, (indexes) => this.#works(indexes)),
      () => this.#comesBack(),
      () => this.#givesBack(),
      () => this.#stopsRevoked(),
      () => this.#leaves(),
    ];
    for (const part of parts) {
      try {
        await part();
      } catch (error) {
        if (!(error instanceof EndOfExamination)) throw error;
        yield* this.#verdicts.news();
        return;
      }
      yield* this.#verdicts.news();
    }
  }

  async #sits(millis: number): Promise<void> {
    const seat = await this.#door.next(millis);
    const [complaint] = this.#door.complaints;
    this.#verdicts.demand(
      'P1',
      'connects to /v1/worker, with its token and a known subprotocol',
      seat !== undefined,
      complaint ?? 'it did not connect in time',
    );
    this.#seat = seat as Seat;
    const hello = await this.#seat.until(
      () => this.#seat.heard.length > 0 || this.#seat.garbage !== undefined,
      HELLO_TIME,
    );
    const first = this.#seat.heard[0]?.message;
    const said = this.#seat.garbage ?? (hello ? `it said ${first?.kind}` : 'it said nothing');
    this.#verdicts.demand(
      'P7',
      'says hello first, with all that belongs to it',
      first?.kind === 'hello' && this.#seat.garbage === undefined,
      said,
    );
    this.#hello = first as Hello;
  }

  async #arrives(): Promise<void> {
    await this.#sits(ARRIVAL_TIME);
    const { protocol, runners } = this.#hello;
    this.#verdicts.demand('P2', 'speaks version 1', protocol === 1, `it says ${protocol}`);
    await this.#seat.until(() => this.#seat.heard.length > 1, QUIET);
    this.#verdicts.judge(
      'P7',
      'waits for welcome before it says more',
      this.#seat.heard.length === 1,
      `it said ${this.#seat.heard[1]?.message.kind}`,
    );
    const runner = this.#options.runner ?? runners.find((name) => sampleCode(name) !== undefined) ?? runners[0];
    const text = this.#options.code ?? (runner === undefined ? undefined : sampleCode(runner));
    this.#verdicts.demand(
      'P8',
      `offers a runner for which there is code${runner === undefined ? '' : ` (${runner})`}`,
      text !== undefined && runner !== undefined,
      `it offers ${runners.join(', ') || 'none'}: give --runner and --code`,
    );
    this.#text = text as string;
    this.#code = {
      runner: runner as Runner,
      sha256: this.#door.keep(this.#text),
      size: Buffer.byteLength(this.#text),
      sourceName: 'task',
    };
    this.#welcome();
  }

  #welcome(): void {
    this.#seat.say({
      kind: 'welcome',
      protocol: 1,
      worker: 'examined',
      farm: 'conformance',
      pingEvery: PING_INTERVAL,
      silence: 3 * PING_INTERVAL,
    });
  }

  #notice(job: number, more: { inline?: string; range?: { start: number; step: number; count: number } }): void {
    this.#seat.say({ kind: 'job', job, name: `job ${job}`, code: this.#code, ...more });
  }

  /** Starts a lease. */
  #grant(job: number, indexes: readonly number[], values?: readonly unknown[], alone = false): number {
    const lease = ++this.#leases;
    const runs = toWireRuns(runsOf(indexes));
    this.#seat.say({ kind: 'tasks', lease, job, runs, ...(alone ? { alone } : {}) }, values);
    return lease;
  }

  #ack(lease: number, indexes: readonly number[]): void {
    if (indexes.length === 0) return;
    this.#seat.say({ kind: 'ack', lease, verdict: 'recorded', runs: toWireRuns(runsOf(indexes)) });
  }

  /** What has come of a lease, in the order in which it came: index, value or failure. */
  #outcomes(lease: number): { index: number; value: unknown; failed: boolean; job: number }[] {
    return this.#seat.of('outcomes').flatMap(({ message, column }) => {
      if (message.lease !== lease || column === undefined) return [];
      const read = readColumn(column);
      const status = read.statuses ?? new Uint8Array(read.count).fill(read.allStatus);
      const plain = status.map((each) => (isFailure(each) ? 0 : each));
      const values = decodeColumn(read.lengths, plain, read.bytes);
      return indexesIn(message.runs).map((index, i) => ({
        index,
        value: isFailure(statusOf(read, i)) ? values[i] : outputOf(this.#code.runner, values[i]),
        failed: isFailure(statusOf(read, i)),
        job: message.job,
      }));
    });
  }

  async #finishes(lease: number, indexes: readonly number[]): Promise<boolean> {
    return this.#seat.until(
      () => new Set(this.#outcomes(lease).map(({ index }) => index)).size >= indexes.length,
      this.#options.workTime,
    );
  }

  /** Exactly these tasks, each once. */
  #once(lease: number, indexes: readonly number[]): string | undefined {
    const told = this.#outcomes(lease)
      .map(({ index }) => index)
      .sort((a, b) => a - b);
    return told.join() === [...indexes].sort((a, b) => a - b).join()
      ? undefined
      : `of tasks ${indexes.join(', ')} it told ${told.join(', ') || 'none'}`;
  }

  async #computes(): Promise<void> {
    this.#notice(1, { inline: this.#text });
    const { inputs, outputs } = sampleValues(this.#code.runner);
    const indexes = [0, 1, 5, 6, 7];
    const lease = this.#grant(1, indexes, inputs);
    const done = await this.#finishes(lease, indexes);
    this.#verdicts.demand('P9', 'runs each task of a lease', done, this.#once(lease, indexes));
    const problem = this.#once(lease, indexes);
    this.#verdicts.judge(
      'P10',
      'tells one outcome of each, under its lease and job',
      problem === undefined && this.#outcomes(lease).every(({ job }) => job === 1),
      problem ?? 'it named another job',
    );
    const expected = JSON.stringify(outputs);
    const got = JSON.stringify(
      this.#outcomes(lease)
        .sort((a, b) => a.index - b.index)
        .map(({ value }) => value),
    );
    this.#verdicts.judge(
      'P5',
      'reads and writes values as they are',
      got === expected,
      `of ${expected} it made ${got}`,
    );
    this.#ack(lease, indexes);
  }

  async #failsOne(): Promise<void> {
    const lease = this.#grant(1, [8, 9], [13, 4]);
    await this.#finishes(lease, [8, 9]);
    const [first, second] = this.#outcomes(lease).sort((a, b) => a.index - b.index);
    const failure = first?.value as { name?: unknown; message?: unknown } | undefined;
    const isTold =
      first?.failed === true && typeof failure?.name === 'string' && `${failure.message}`.includes('unlucky');
    this.#verdicts.judge(
      'P5',
      'a task that fails is told as a failure, with its name and message',
      isTold,
      JSON.stringify(first),
    );
    this.#verdicts.judge(
      'P9',
      'the tasks after it run',
      second?.failed === false && second.value === 8,
      JSON.stringify(second),
    );
    this.#ack(lease, [8, 9]);
  }

  async #fetchesCode(): Promise<void> {
    const text = `${this.#text}\n`;
    this.#code = { ...this.#code, sha256: this.#door.keep(text), size: Buffer.byteLength(text) };
    this.#notice(2, {});
    const [one, two] = [this.#grant(2, [0], [3]), this.#grant(2, [1], [4])];
    const done = (await this.#finishes(one, [0])) && (await this.#finishes(two, [1]));
    this.#verdicts.judge(
      'P8',
      'fetches code that is not in the message, with its token',
      done && this.#outcomes(one)[0]?.value === 6,
      JSON.stringify(this.#outcomes(one)),
    );
    this.#verdicts.judge(
      'P8',
      'fetches it once',
      this.#door.fetched.length === 1,
      `it asked ${this.#door.fetched.length} times`,
    );
    this.#ack(one, [0]);
    this.#ack(two, [1]);
  }

  async #takesRange(): Promise<void> {
    this.#notice(3, { range: { start: 10, step: 5, count: 4 } });
    const lease = this.#grant(3, [1, 2, 3]);
    await this.#finishes(lease, [1, 2, 3]);
    const got = this.#outcomes(lease)
      .sort((a, b) => a.index - b.index)
      .map(({ value }) => value);
    this.#verdicts.judge(
      'P9',
      'makes the inputs of a range by itself',
      got.join() === '30,40,50',
      `of 15, 20, 25 it made ${got.join(', ')}`,
    );
    this.#ack(lease, [1, 2, 3]);
  }

  /** Each in a lease of its own; what became of them otherwise than it should. */
  async #works(indexes: readonly number[]): Promise<string | undefined> {
    let problem: string | undefined;
    const leases = indexes.map((index) => [this.#grant(2, [index], [index]), [index]] as const);
    for (const [lease, index] of leases) {
      if (await this.#finishes(lease, index)) this.#ack(lease, index);
      problem ??= this.#once(lease, index);
    }
    return problem;
  }

  async #comesBack(): Promise<void> {
    this.#verdicts.judge(
      'P13',
      'answers pings, or says beat',
      await this.#seat.settled(PING_INTERVAL),
      'it did neither in 10 s',
    );
    const { key } = this.#hello;
    const lease = this.#grant(2, [2, 3], [5, 6]);
    await this.#finishes(lease, [2, 3]);
    this.#ack(lease, [2]);
    await this.#seat.settled(PING_INTERVAL);
    this.#seat.cut();
    await this.#sits(BACK_TIME);
    this.#verdicts.judge(
      'P3',
      'comes back with the same key',
      this.#hello.key === key,
      `it was ${key}, and is ${this.#hello.key}`,
    );
    const held = this.#hello.held.flatMap(({ lease, runs }) => indexesIn(runs).map((index) => `${lease}/${index}`));
    this.#verdicts.judge(
      'P11',
      'names in its hello what it keeps, and nothing else',
      held.join() === `${lease}/3`,
      `it named ${held.join(', ') || 'nothing'}, and kept ${lease}/3`,
    );
    this.#welcome();
    const again = await this.#finishes(lease, [3]);
    this.#verdicts.judge(
      'P10',
      'sends what was not acknowledged again after the welcome',
      again && this.#once(lease, [3]) === undefined,
      this.#once(lease, [3]),
    );
    this.#ack(lease, [3]);
    await this.#seat.settled(PING_INTERVAL);
    this.#seat.cut();
    await this.#sits(BACK_TIME);
    this.#verdicts.judge(
      'P10',
      'forgets what was acknowledged',
      this.#hello.held.length === 0,
      JSON.stringify(this.#hello.held),
    );
    this.#welcome();
    this.#notice(4, { inline: `${this.#text}\n` });
  }

  async #givesBack(): Promise<void> {
    const count = this.#hello.slots + 3;
    const indexes = Array.from({ length: count }, (_, i) => i);
    const lease = this.#grant(
      4,
      indexes,
      indexes.map(() => 14),
    );
    this.#seat.say({ kind: 'recall', lease, runs: toWireRuns(runsOf(indexes)) });
    const back = (): number[] =>
      this.#seat.of('released').flatMap(({ message }) => (message.lease === lease ? indexesIn(message.runs) : []));
    await this.#seat.until(() => back().length + this.#outcomes(lease).length >= count, this.#options.workTime);
    const all = [...back(), ...this.#outcomes(lease).map(({ index }) => index)].sort((a, b) => a - b);
    this.#verdicts.judge(
      'P12',
      'recalled tasks either come back or are done, never both',
      all.join() === indexes.join(),
      `of tasks ${indexes.join(', ')} came ${all.join(', ')}`,
    );
    this.#ack(
      lease,
      this.#outcomes(lease).map(({ index }) => index),
    );
  }

  async #stopsRevoked(): Promise<void> {
    const indexes = [20, 21, 22, 23];
    const lease = this.#grant(
      4,
      indexes,
      indexes.map(() => 14),
    );
    this.#seat.say({ kind: 'revoke', lease, runs: toWireRuns(runsOf(indexes)) });
    await this.#seat.settled(this.#options.workTime);
    const before = this.#outcomes(lease).length;
    await this.#seat.until(() => this.#outcomes(lease).length > before, 5 * QUIET);
    this.#verdicts.judge(
      'P12',
      'tells nothing of revoked tasks once it knows',
      this.#outcomes(lease).length === before,
      'it sent an outcome afterwards',
    );
    this.#seat.say({ kind: 'jobOver', job: 4 });
    this.#verdicts.judge(
      'P2',
      'all that it said was well formed',
      this.#seat.garbage === undefined,
      this.#seat.garbage,
    );
  }

  async #leaves(): Promise<void> {
    this.#seat.say({ kind: 'dismiss', how: 'stop' });
    const gone = await this.#seat.until(
      () => this.#seat.isOver || this.#seat.of('bye').length > 0,
      this.#options.workTime,
    );
    this.#verdicts.judge('P14', 'leaves when it is dismissed', gone, 'it stayed');
    const back = await this.#door.next(5 * QUIET);
    this.#verdicts.judge('P14', 'does not come back afterwards', back === undefined, 'it connected again');
  }
}
