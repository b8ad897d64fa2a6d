import { hasEnded, type JobProgress } from '../../model/job.ts';
import {
  PAGE_FAILURE_BYTES,
  PAGE_FAILURE_PLACES,
  PAGE_FAILURE_SAMPLE_BYTES,
  PAGE_FAILURES,
} from '../../model/page-limits.ts';
import { FailureGroups, type Place, placesIn } from '../failures.ts';
import { outcomeIn } from '../outcomes.ts';
import type { Api } from './api.ts';

/** How many times as many failures there must be before a sample of a job that runs is taken anew. */
const ANEW = 1.5;

/** Reads the failures of a job: all of them, a part at a time; of very many a sample. */
export class FailureReader {
  groups = new FailureGroups();
  /** How many failures there were when a sample of them was taken; undefined: they are read one after the other. */
  sampledOf: number | undefined;
  readonly #api: Api;
  readonly #job: number;
  #generation = 0;
  #after = 'c0';
  #isFinal = false;

  constructor(api: Api, job: number) {
    this.#api = api;
    this.#job = job;
  }

  /** True: there may be more. */
  async round({ generation, failed, segments, state }: JobProgress, signal: AbortSignal): Promise<boolean> {
    if (generation !== this.#generation) this.#reset(generation);
    if (failed <= PAGE_FAILURES) return !(await this.#readOn(signal));
    const isFinal = hasEnded(state);
    if (failed < (this.sampledOf ?? 0) * ANEW && isFinal === this.#isFinal) return false;
    const groups = new FailureGroups();
    for (const place of placesIn(segments)) await this.#readAt(place, groups, signal);
    this.groups = groups;
    this.sampledOf = failed;
    this.#isFinal = isFinal;
    return false;
  }

  /** Those of before have been opened again. */
  #reset(generation: number): void {
    this.groups = new FailureGroups();
    this.sampledOf = undefined;
    this.#generation = generation;
    this.#after = 'c0';
  }

  /** True: that was all. */
  #readOn(signal: AbortSignal): Promise<boolean> {
    const take = (line: string) => {
      this.#after = takeLine(line, this.groups) ?? this.#after;
      return true;
    };
    return this.#api.lines(this.#path(this.#after), PAGE_FAILURE_BYTES, take, signal);
  }

  async #readAt({ after, end, failures }: Place, groups: FailureGroups, signal: AbortSignal): Promise<void> {
    const most = groups.looked + failures;
    const take = (line: string) => {
      const cursor = takeLine(line, groups);
      return groups.looked < most && (cursor === undefined || Number(cursor.slice(1)) < end);
    };
    await this.#api.lines(this.#path(`c${after}`), PAGE_FAILURE_SAMPLE_BYTES / PAGE_FAILURE_PLACES, take, signal);
  }

  #path(after: string): string {
    return `/v1/jobs/${this.#job}/results?order=completion&failed&cursors&after=${after}`;
  }
}

/** The cursor that the line tells, if it tells one. */
function takeLine(line: string, groups: FailureGroups): string | undefined {
  const outcome = outcomeIn(line);
  if (outcome !== undefined) groups.add(outcome);
  else if (line !== '') return (JSON.parse(line) as { cursor?: string }).cursor;
  return undefined;
}
