import type { TaskIndex } from '../model/ids.ts';

/** One line of a job's results: what became of a task. */
export interface Outcome {
  readonly index: TaskIndex;
  readonly status: 'done' | 'failed';
  /** In its JSON form; absent: undefined. */
  readonly value?: unknown;
  /** In the place of a value that is too large for a line: the blob that it is, its bytes, what they are. */
  readonly blob?: string;
  readonly size?: number;
  readonly type?: 'json' | 'bytes';
  readonly error?: {
    readonly name?: string;
    readonly message?: string;
    readonly stack?: string;
    readonly cause?: unknown;
  };
  /** Absent: one. */
  readonly attempts?: number;
}

/** Cuts text that comes in pieces into lines. What follows the last line break is no line yet. */
export class LineCutter {
  #rest = '';

  push(text: string): string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }
}

/** The outcome that a line tells; undefined: it tells something else, such as a cursor. */
export function outcomeIn(line: string): Outcome | undefined {
  if (line === '') return undefined;
  const record = JSON.parse(line) as Partial<Outcome>;
  return typeof record.index === 'number' && record.status !== undefined ? (record as Outcome) : undefined;
}
