/** One number that was measured once. */
export interface Sample {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it must reach; absent: it is there to compare with. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
}

/** The same number over all runs. */
export interface Figure extends Sample {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** A question that the bench answers: one run of it. */
export interface Question {
  readonly id: string;
  readonly asks: string;
  /** How often it is run; 3 unless a run takes minutes. */
  readonly runs?: number;
  measure(): Promise<Sample[]>;
}

export function figuresOf(samples: readonly Sample[]): Figure[] {
  const byName = new Map<string, Sample[]>();
  for (const sample of samples) byName.set(sample.name, [...(byName.get(sample.name) ?? []), sample]);
  return [...byName.values()].map((each) => {
    const values = each.map(({ value }) => value).sort((a, b) => a - b);
    const median = medianOf(values);
    return {
      ...(each[0] as Sample),
      value: median,
      median,
      min: values[0] as number,
      max: values.at(-1) as number,
      runs: values.length,
    };
  });
}

export function medianOf(values: readonly number[]): number {
  return quantileOf(values, 0.5);
}

export function quantileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) * share;
  const low = sorted[Math.floor(middle)] as number;
  const high = sorted[Math.ceil(middle)] as number;
  return low + (high - low) * (middle - Math.floor(middle));
}

/** Undefined: nothing was promised. */
export function isReached({ median, target }: Figure): boolean | undefined {
  if (target === undefined) return undefined;
  return 'atLeast' in target ? median >= target.atLeast : median <= target.atMost;
}

export function formatFigure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}
