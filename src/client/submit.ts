import { type CodeRef, travelsInline } from '../model/job.ts';
import { isPython, needsPython } from '../model/python.ts';
import { TaskCodeError } from './code/task-code-error.ts';
import { FarmError } from './farm-error.ts';
import { closeAgain, Feed, type Inputs } from './feed.ts';
import { InputWriter } from './input-writer.ts';
import { Job, type Submission } from './job.ts';
import { checkOptions, idOf, type JobOptions, type SentOptions } from './job-options.ts';
import { Range } from './range.ts';
import type { Surroundings } from './surroundings.ts';
import type { TaskCode } from './task-code.ts';
import type { RequestBody, Wire } from './wire.ts';

type SubmitBody = Extract<RequestBody, { kind: 'submit' }>;

/**
 * Submits a job. Resolves when it is on the server's disk; the inputs follow on their own. What can be read of the inputs
 * at once is looked at before, so that most mistakes in them are found before there is a job.
 */
export async function submitJob<Out>(
  around: Surroundings,
  wire: Wire,
  code: TaskCode,
  inputs: Inputs<unknown> | Job,
  options: JobOptions,
): Promise<Job<Out>> {
  checkOptions(options);
  options.signal?.throwIfAborted();
  const body = await submitBody(around, code, options);
  // What their tasks add has to be stored, and so have their own then.
  if (inputs instanceof Range && options.spawns !== true) {
    const { job } = await submit(wire, { ...body, range: inputs.toJSON() });
    return track(wire, around, job, options);
  }
  if (inputs instanceof Job) {
    const { job } = await submit(wire, { ...body, source: inputs.id });
    return track(wire, around, job, options);
  }
  const feed = new Feed(around, new InputWriter(wire, around.blobs), inputs);
  await feed.begin();
  try {
    const { job, existing } = await submit(wire, body);
    const isOpen = !existing || (await feed.goOn(wire, job));
    return track(wire, around, job, options, isOpen ? feed : undefined);
  } catch (error) {
    feed.stop();
    throw error;
  }
}

export async function submitBody(around: Surroundings, task: TaskCode, options: JobOptions): Promise<SubmitBody> {
  checkOptions(options);
  const { code, sourceName, variants = [] } = task;
  const { signal: _signal, name = sourceName, idempotencyKey = around.randomKey(), ...others } = options;
  const { after, deterministic, install, ...more } = others;
  if (deterministic === true && ![task, ...variants].some(({ runner }) => runner === 'wasi')) {
    throw new TypeError(`the option deterministic is for WebAssembly programs, and ${sourceName} is none`);
  }
  if (install !== undefined && task.runner !== 'npm')
    throw new TypeError(
      `the option install is for modules and functions, and ${sourceName} is code that was made before`,
    );
  if (around.lacksPython && [task, ...variants].every(({ runner }) => isPython(runner)))
    throw new TaskCodeError(needsPython(sourceName));
  const named = {
    ...(JSON.parse(JSON.stringify({ ...more, after: after?.map(idOf) })) as SentOptions),
    name: name.slice(0, 256),
    idempotencyKey,
    code: refTo(around, task, deterministic),
    ...(variants.length > 0 && { variants: variants.map((each) => refTo(around, each, deterministic)) }),
  };
  await Promise.all(variants.map((each) => upload(around, each)));
  if (travelsInline(named.code)) return { kind: 'submit', ...named, inline: code } as SubmitBody;
  await upload(around, task);
  return { kind: 'submit', ...named } as SubmitBody;
}

function refTo(
  around: Surroundings,
  { code, sourceName, runner = 'js', requires }: TaskCode,
  repeats = false,
): CodeRef {
  const { sha256, size } = around.hash(code);
  return {
    ...{ runner, sha256, size, sourceName: sourceName.slice(0, 256) },
    ...(repeats && runner === 'wasi' && { deterministic: true }),
    ...(requires && { requires }),
  };
}

function upload(around: Surroundings, { code }: TaskCode): Promise<unknown> {
  return around.blobs.put(around.hash(code), typeof code === 'string' ? new TextEncoder().encode(code) : code);
}

export async function submit(wire: Wire, body: SubmitBody): Promise<{ job: number; existing: boolean }> {
  return (await wire.request(body)) as { job: number; existing: boolean };
}

/** Binds a job to its signal and to the fate of its inputs: a job whose inputs can't be sent is cancelled. */
function track<Out>(
  wire: Wire,
  around: Surroundings,
  id: number,
  { signal, idempotencyKey }: JobOptions,
  feed?: Feed,
): Job<Out> {
  const fail = async (error: unknown): Promise<never> => {
    submission.failure = error;
    // Under a key of its own another program may be sending the same inputs.
    const isShared = idempotencyKey !== undefined && error instanceof FarmError && error.code === 'conflict';
    if (!isShared) await job.cancel().catch(() => {});
    throw error;
  };
  const cancel = (): void => void job.cancel().catch(() => {});
  // Let go of once it is done: a program may have thousands of jobs.
  let feeding = feed;
  const fed = (total: number | undefined): void => {
    feeding = undefined;
    if (total === undefined) return;
    wire.whenWentBack(() => {
      closeAgain(wire, id, total).catch((error: unknown) => {
        submission.failure = error;
        job.cancel().catch(() => {});
      });
    });
  };
  const submission: Submission & { failure: unknown } = {
    failure: undefined,
    signal,
    pace: feed?.pace,
    submitted: (feed?.run(wire, id) ?? Promise.resolve(undefined)).then(fed, fail),
    over: () => {
      feeding?.stop();
      signal?.removeEventListener('abort', cancel);
    },
  };
  const job = new Job<Out>(wire, around.blobs, id, submission);
  // Whoever reads results hears of it too.
  submission.submitted.catch(() => {});
  if (signal?.aborted) cancel();
  else signal?.addEventListener('abort', cancel, { once: true });
  return job;
}
