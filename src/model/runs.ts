/** A run: `count` consecutive task indexes from `start`. Lists of runs are sorted, disjoint and never empty runs. */
export interface Run {
  readonly start: number;
  readonly count: number;
}

export function countRuns(runs: readonly Run[]): number {
  let total = 0;
  for (const run of runs) total += run.count;
  return total;
}

/** Appends to a sorted list, joining with the last run where they touch. */
export function pushRun(runs: Run[], start: number, count: number): void {
  if (count === 0) return;
  const last = runs[runs.length - 1];
  if (last !== undefined && last.start + last.count === start) {
    runs[runs.length - 1] = { start: last.start, count: last.count + count };
  } else {
    runs.push({ start, count });
  }
}

/** The runs of a sorted list of indexes. */
export function runsOf(indexes: Iterable<number>): Run[] {
  const runs: Run[] = [];
  for (const index of indexes) pushRun(runs, index, 1);
  return runs;
}

export function* indexesOf(runs: readonly Run[]): Generator<number> {
  for (const run of runs) for (let i = 0; i < run.count; i++) yield run.start + i;
}

export function sameRuns(a: readonly Run[], b: readonly Run[]): boolean {
  if (a.length !== b.length) return false;
  return a.every((run, i) => run.start === b[i]?.start && run.count === b[i]?.count);
}

/** What of `a` is not in `b`. Both sorted. */
export function subtractRuns(a: readonly Run[], b: readonly Run[]): Run[] {
  const left: Run[] = [];
  let j = 0;
  for (const run of a) {
    let at = run.start;
    const end = run.start + run.count;
    while (j < b.length && (b[j] as Run).start + (b[j] as Run).count <= at) j++;
    for (let k = j; k < b.length && at < end; k++) {
      const hole = b[k] as Run;
      if (hole.start >= end) break;
      if (hole.start > at) pushRun(left, at, hole.start - at);
      at = Math.max(at, hole.start + hole.count);
    }
    if (at < end) pushRun(left, at, end - at);
  }
  return left;
}

/** What is in both. Both sorted. */
export function intersectRuns(a: readonly Run[], b: readonly Run[]): Run[] {
  return subtractRuns(a, subtractRuns(a, b));
}
