// Only compiled: types flow from the task function to the job, its results and what is made of them.
import {
  type BlobRef,
  connect,
  type Farm,
  FarmError,
  type Job,
  range,
  type TaskContext,
  TaskError,
  type TaskRecord,
  variants,
} from '../index.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(proof: Same<A, B>): void;

declare const farm: Farm;
const square = (n: number): number => n * n;
const later = async (text: string, context: TaskContext): Promise<{ length: number; key: string }> => ({
  length: text.length,
  key: context.key,
});
declare const numbers: AsyncIterable<number>;

export async function connecting(): Promise<void> {
  await using program = await connect({ url: 'http://127.0.0.1:7070', token: 't', signal: AbortSignal.timeout(1) });
  same<typeof program, Farm>(true);
  await connect({ url: new URL('http://a'), slots: 2 });
  // @ts-expect-error: an address is a text or a URL
  await connect({ url: 7070 });
  // @ts-expect-error: no such option
  await connect({ host: 'a' });
}

export async function mapping(): Promise<void> {
  const squares = await farm.map(square, [1, 2, 3]);
  same<typeof squares, Job<number>>(true);
  same<Awaited<ReturnType<typeof squares.values>>, number[]>(true);
  const texts = await farm.map(later, new Set(['a']), { retries: 2, requires: { os: 'linux' }, memory: 1 << 20 });
  same<typeof texts, Job<{ length: number; key: string }>>(true);
  same<typeof texts, Awaited<ReturnType<typeof farm.map<string, Promise<{ length: number; key: string }>>>>>(true);
  same<Awaited<ReturnType<typeof farm.map<number, number>>>, Job<number>>(true);
  await farm.map(square, range(0, 10, 2));
  await farm.map(square, numbers);
  await farm.map(async (n: number) => [n] as const, [1]).then((job) => same<typeof job, Job<readonly [number]>>(true));
  await farm.map((n: number | undefined) => n, [1, undefined]);
  await farm.map(() => 'x', [1, 2]).then((job) => same<typeof job, Job<string>>(true));
  // @ts-expect-error: the task wants numbers
  await farm.map(square, ['1']);
  // @ts-expect-error: a range gives numbers, the task wants texts
  await farm.map(later, range(0, 3));
  // @ts-expect-error: inputs come in something that can be gone through
  await farm.map(square, 5);
  // @ts-expect-error: there is no third parameter
  await farm.map((n: number, _context: TaskContext, more: number) => n + more, [1]);
  // @ts-expect-error: milliseconds, not words
  await farm.map(square, [1], { timeout: '30s' });
  // @ts-expect-error: no such option
  await farm.map(square, [1], { retires: 1 });
  // @ts-expect-error: a module is an address, not a path
  await farm.map('./square.ts', [1]);
}

export async function severalVariants(): Promise<void> {
  const module = new URL('./square.py', import.meta.url);
  const shared = await farm.map(variants({ js: square, python: module, exec: { command: 'square {}' } }), [1, 2]);
  same<typeof shared, Job<number>>(true);
  const named = await farm.map(variants<typeof later>({ wasi: [module, module] }), ['text']);
  same<typeof named, Job<{ length: number; key: string }>>(true);
  const plain = await farm.map(variants({ wasi: module, python: module }), [1, 'two']);
  same<typeof plain, Job<unknown>>(true);
  const one = await farm.run(variants({ js: square, wasi: module }), 3);
  same<typeof one, number>(true);
  const code = await farm.map({ code: 'x', sourceName: 'x', variants: [{ code: 'y', sourceName: 'y' }] }, [1]);
  same<typeof code, Job<unknown>>(true);
  // @ts-expect-error: the function wants numbers
  await farm.map(variants({ js: square, python: module }), ['1']);
  // @ts-expect-error: a command is an object
  variants({ exec: 'square {}' });
  // @ts-expect-error: no such variant
  variants({ rust: module });
  // @ts-expect-error: only one type of results
  variants({ js: [square, (n: number) => String(n)] });
}

export async function modules(): Promise<void> {
  const typed = await farm.map<typeof square>(new URL('./square.ts', import.meta.url), [1, 2]);
  same<typeof typed, Job<number>>(true);
  const untyped = await farm.map(new URL('./square.ts', import.meta.url), [1, 'two']);
  same<typeof untyped, Job<unknown>>(true);
  const answer = await farm.run<typeof later>(new URL('./later.ts', import.meta.url), 'text');
  same<typeof answer, { length: number; key: string }>(true);
  // @ts-expect-error: the module's function wants numbers
  await farm.map<typeof square>(new URL('./square.ts', import.meta.url), ['1']);
  // @ts-expect-error: the module's function wants a text
  await farm.run<typeof later>(new URL('./later.ts', import.meta.url), 1);
}

export async function running(): Promise<void> {
  const four = await farm.run(square, 2);
  same<typeof four, number>(true);
  const length = await farm.run(async (text: string) => text.length, 'abc', { priority: 1 });
  same<typeof length, number>(true);
  const nothing = await farm.run(() => {});
  same<typeof nothing, void>(true);
  // @ts-expect-error: the task wants a number
  await farm.run(square, 'two');
  // @ts-expect-error: the task wants an input
  await farm.run(square);
}

export async function reading(job: Job<number>): Promise<void> {
  for await (const record of job.results({ ordered: false, defined: true, after: 'c5' })) {
    same<typeof record, TaskRecord<number>>(true);
    if (record.status === 'done') same<typeof record.value, number>(true);
    else if (record.status === 'failed') same<typeof record.error, TaskError>(true);
    // @ts-expect-error: a cancelled task has neither
    else record.value;
    // @ts-expect-error: only what is done has a value
    record.value.toFixed();
  }
  same<Awaited<ReturnType<typeof job.settled>>, TaskRecord<number>[]>(true);
  same<Awaited<ReturnType<typeof job.status>>['progress']['done'], number>(true);
  const stream = job.results();
  same<typeof stream.cursor, string>(true);
  // @ts-expect-error: a cursor is the text that a stream gave
  job.results({ after: 5 });
  // @ts-expect-error: what this program says a job gives
  same<Awaited<ReturnType<typeof farm.job<string>>>['id'], string>(true);
  const found = farm.job<string>(3);
  same<typeof found, Job<string>>(true);
  // @ts-expect-error: a job's id is a number
  farm.job('3');
}

export async function reducing(job: Job<number>): Promise<void> {
  const sum = await job.reduce((a, b) => a + b);
  same<typeof sum, number>(true);
  const text = await job.reduce((all, n, index) => `${all}${n.toFixed(index)}`, '');
  same<typeof text, string>(true);
  const counts = await job.reduce((map, n) => map.set(n, 1), new Map<number, number>());
  same<typeof counts, Map<number, number>>(true);
  // @ts-expect-error: without an initial value it gives what the job gives
  await job.reduce((all, n) => `${all}${n}`);
}

export function failing(error: unknown): void {
  if (error instanceof TaskError) {
    same<typeof error.kind, 'error' | 'timeout' | 'crash' | 'memory' | 'poison' | 'cancelled'>(true);
    same<typeof error.cause, Error>(true);
    same<[typeof error.job, typeof error.index, typeof error.attempts], [number, number, number]>(true);
  }
  if (error instanceof FarmError) same<typeof error.code, string>(true);
}

export async function context(of: TaskContext): Promise<void> {
  same<typeof of.signal, AbortSignal>(true);
  same<[typeof of.index, typeof of.attempt, typeof of.key], [number, string, string]>(true);
  same<ReturnType<typeof of.log>, void>(true);
  of.progress(0.5, 'half way');
  const bytes = await of.blob('0'.repeat(64));
  same<typeof bytes, Uint8Array>(true);
  const ref = await of.blob(new Uint8Array(1));
  same<typeof ref, BlobRef>(true);
  const path = await of.file(ref);
  same<typeof path, string>(true);
  const kept = await of.keep(path);
  same<typeof kept, BlobRef>(true);
  // @ts-expect-error: a blob, or its SHA-256
  await of.file(5);
}
