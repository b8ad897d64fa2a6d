/** What was looked at, and whether it is as the rule of PROTOCOL.md says. */
export interface Verdict {
  readonly rule: string;
  readonly what: string;
  readonly kept: boolean;
  /** What it did instead, or why it was not looked at. */
  readonly detail?: string;
  /** It is no rule for this worker. */
  readonly skipped?: true;
}

/** The examination cannot go on. */
export class EndOfExamination extends Error {}

/** What was found so far. */
export class Verdicts {
  readonly #all: Verdict[] = [];
  #told = 0;

  /** What is as it was at the first connection is not told again. */
  judge(rule: string, what: string, kept: boolean, detail?: string): void {
    if (kept && this.#all.some((verdict) => verdict.what === what)) return;
    this.#all.push({ rule, what, kept, ...(kept || detail === undefined ? {} : { detail }) });
  }

  /** It does not concern this worker. */
  skip(rule: string, what: string, detail: string): void {
    this.#all.push({ rule, what, kept: true, skipped: true, detail });
  }

  /** Throws {@link EndOfExamination} where it is not kept. */
  demand(rule: string, what: string, kept: boolean, detail?: string): void {
    this.judge(rule, what, kept, detail);
    if (!kept) throw new EndOfExamination(what);
  }

  /** Those that were not told before. */
  *news(): Generator<Verdict> {
    for (; this.#told < this.#all.length; this.#told++) yield this.#all[this.#told] as Verdict;
  }
}
