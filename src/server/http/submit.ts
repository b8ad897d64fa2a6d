import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import Type from 'typebox';
import type { JobId } from '../../model/ids.ts';
import { type CodeRef, hasEnded } from '../../model/job.ts';
import { PACKAGES } from '../../model/package-limits.ts';
import { whyNotInstall, withPackages } from '../../model/packages.ts';
import { isPython } from '../../model/python.ts';
import { VARIANTS } from '../../model/variant-limits.ts';
import { Submit } from '../../protocol/client-messages.ts';
import { RangeShape, Sha256, ShortText } from '../../protocol/shapes.ts';
import { type Encoded, fromJsonText } from '../../protocol/values/value.ts';
import { ValueError } from '../../protocol/values/value-error.ts';
import type { Core, SubmitSpec } from '../core.ts';
import { Problem } from '../problem.ts';
import { JobAnswer } from './answers.ts';
import { InputUpload } from './input-upload.ts';
import { viewOf } from './jobs.ts';
import { type Call, type Reply, type Route, route, SUBMITTERS } from './route.ts';

const { properties } = Submit;
/** What may be said of a job as it is over the socket. */
const wishes = {
  priority: properties.priority,
  weight: properties.weight,
  retries: properties.retries,
  maxFailures: properties.maxFailures,
  timeout: properties.timeout,
  requires: properties.requires,
  cpus: properties.cpus,
  memory: properties.memory,
  resources: properties.resources,
  fenced: properties.fenced,
  after: properties.after,
  source: properties.source,
  spawns: properties.spawns,
};

const CodeText = Type.Union([
  Type.String({ description: 'An ES module with a default export.' }),
  Type.Object({ sha256: Sha256 }, { description: 'A blob that was uploaded before.' }),
]);
const aboutCode = {
  sourceName: Type.Optional(ShortText),
  runner: Type.Optional(Submit.properties.code.properties.runner),
  deterministic: Submit.properties.code.properties.deterministic,
  install: Type.Optional(
    Type.Array(Type.String(), {
      maxItems: PACKAGES,
      description: 'Packages of npm, such as sharp@0.33.5, that workers install for a module that imports them.',
    }),
  ),
};

/** Code in a request, and what is said of it. */
const Variant = Type.Object(
  { code: CodeText, ...aboutCode, requires: Submit.properties.code.properties.requires },
  { additionalProperties: false },
);
type Variant = Type.Static<typeof Variant>;

const NewJob = Type.Object(
  {
    name: Type.Optional(ShortText),
    code: CodeText,
    ...aboutCode,
    variants: Type.Optional(
      Type.Array(Variant, {
        maxItems: VARIANTS - 1,
        description: 'Other codes that give the same results: each worker gets the one that is fastest there.',
      }),
    ),
    inputs: Type.Optional(Type.Array(Type.Unknown(), { description: 'One task for each value, in its JSON form.' })),
    range: Type.Optional(RangeShape),
    open: Type.Optional(Type.Boolean({ description: 'More inputs follow, until the job is closed.' })),
    idempotencyKey: Type.Optional(ShortText),
    ...wishes,
  },
  { additionalProperties: false },
);
type NewJob = Type.Static<typeof NewJob>;

export function submitRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/jobs',
    access: SUBMITTERS,
    summary:
      'Submits a job: code, and inputs or a range; or "open": true, then inputs in further requests. With an Idempotency-Key the same request makes one job, however often it is sent.',
    body: {
      type: 'application/json',
      schema: NewJob,
      values: ['inputs'],
      example: { name: 'squares', code: 'export default (x) => x * x;', inputs: [1, 2, 3] },
    },
    answers: {
      200: { description: 'The job that this key has made before.', type: 'application/json', schema: JobAnswer },
      201: { description: 'The job.', type: 'application/json', schema: JobAnswer },
      400: { description: 'Something about the job is not as it should be.' },
      409: { description: 'The key belongs to another job.' },
      413: { description: 'Too much for one request: open the job, then upload its inputs as NDJSON.' },
      507: { description: 'The disk is full; nothing was kept.' },
    },
    handle: (call) => submit(core, call),
  });
}

async function submit(core: Core, { body, identity, request }: Call<unknown, unknown, NewJob>): Promise<Reply> {
  refuseContradictions(body);
  const header = request.headers['idempotency-key'];
  const key = typeof header === 'string' ? header : body.idempotencyKey;
  if (key !== undefined && (key.length === 0 || key.length > 256))
    throw new Problem('invalid', 'an idempotency key has 1 to 256 characters');
  const { spec, code } = await specOf(core, body, key);
  // Under the same key other inputs are another job. (F-17)
  const about = key === undefined ? undefined : digestOf(body);
  const { job, existing } = await core.submit(spec, identity.token, body.range === undefined, code, about);
  if (body.inputs !== undefined) await addAll(core, job, body.inputs, body.open === true);
  return {
    status: existing ? 200 : 201,
    headers: { location: `/v1/jobs/${job}` },
    json: await viewOf(core, job),
  };
}

function refuseContradictions(body: NewJob): void {
  const { inputs, range, open, source } = body;
  if (source !== undefined && (inputs !== undefined || range !== undefined || open === true))
    throw new Problem(
      'invalid',
      'with a source, the results of that job are the inputs: leave inputs, range and open out',
    );
  if (inputs !== undefined && range !== undefined)
    throw new Problem('invalid', 'a job has inputs or a range, not both');
  if (inputs === undefined && range === undefined && source === undefined && open !== true)
    throw new Problem('invalid', 'a job needs inputs, a range, a source, or "open": true');
  if (range !== undefined && open === true) throw new Problem('invalid', 'a range is complete: leave "open" out');
}

function digestOf({ inputs = [], open = false }: NewJob): string {
  return createHash('sha256')
    .update(JSON.stringify([inputs, open]))
    .digest('hex');
}

async function specOf(core: Core, body: NewJob, key: string | undefined): Promise<{ spec: SubmitSpec; code?: string }> {
  const {
    inputs: _inputs,
    open: _open,
    code: text,
    name,
    sourceName = name,
    runner,
    deterministic,
    install,
    variants = [],
    idempotencyKey: _key,
    ...options
  } = body;
  const { code, inline } = await codeOf(core, { code: text, runner, deterministic, sourceName, install });
  const others = await Promise.all(variants.map((variant) => codeOf(core, variant)));
  // Of several codes only the first may come with the job itself.
  for (const { inline: other } of others) if (other !== undefined) await keep(core, other);
  const spec = {
    ...options,
    name: name ?? code.sourceName,
    code,
    ...(others.length > 0 && { variants: others.map((other) => other.code) }),
    ...(key !== undefined && { idempotencyKey: key }),
  };
  return inline === undefined ? { spec } : { spec, code: inline };
}

type Said = Pick<Variant, 'code'> & { readonly [Key in keyof Variant]?: Variant[Key] | undefined };

/** What is known of code, and its text if it came as that. */
async function codeOf(core: Core, said: Said): Promise<{ code: CodeRef; inline?: string }> {
  const { deterministic, requires, sourceName } = said;
  const { code, runner } = said.install === undefined ? said : withInstall(said, said.install);
  if (runner === 'wasi' && typeof code === 'string') {
    throw new Problem('invalid', 'a WebAssembly program is bytes: PUT them as a blob, and give "code": {"sha256": …}');
  }
  if (deterministic === true && runner !== 'wasi') {
    throw new Problem('invalid', '"deterministic" is for code whose "runner" is "wasi"');
  }
  const about = {
    runner: runner ?? runnerFor(code),
    sourceName: sourceName ?? (isPython(runner) ? 'task.py' : 'task.js'),
    ...(deterministic && { deterministic }),
    ...(requires && { requires }),
  } as const;
  if (typeof code === 'string')
    return { code: { ...about, sha256: sha256Of(code), size: Buffer.byteLength(code) }, inline: code };
  const size = await core.blobs.size(code.sha256);
  if (size === undefined) {
    throw new Problem('invalid', `blob ${code.sha256} was not uploaded: PUT /v1/blobs/${code.sha256} first`);
  }
  return { code: { ...about, sha256: code.sha256, size } };
}

/** Which versions these packages come to, each worker finds out. */
function withInstall({ code, runner }: Said, install: readonly string[]): Pick<Said, 'code' | 'runner'> {
  const why = install.length === 0 ? 'the list of packages is empty' : whyNotInstall(install);
  if (why !== undefined) throw new Problem('invalid', `"install": ${why}`);
  if (typeof code !== 'string' || (runner !== undefined && runner !== 'js' && runner !== 'node' && runner !== 'npm'))
    throw new Problem('invalid', '"install" is for code that is the text of a module in JavaScript');
  return { code: withPackages(code, { install }), runner: 'npm' };
}

async function keep(core: Core, code: string): Promise<void> {
  const sha256 = sha256Of(code);
  if ((await core.blobs.size(sha256)) === undefined) await core.blobs.put(sha256, Readable.from([Buffer.from(code)]));
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Code that imports Node's own modules is not for browsers. Who submits it may say so, or otherwise, by `runner`. */
function runnerFor(code: NewJob['code']): 'js' | 'node' {
  return typeof code === 'string' && /\b(from|import)\s*\(?\s*["']node:/.test(code) ? 'node' : 'js';
}

async function addAll(core: Core, job: JobId, inputs: readonly unknown[], stayOpen: boolean): Promise<void> {
  try {
    const upload = await InputUpload.open(core, job, 0);
    for (const [index, input] of inputs.entries()) await upload.add(encode(input, index));
    await upload.finish();
    if (!stayOpen) await core.closeJob(job, inputs.length);
  } catch (error) {
    // A job whose first tasks all failed may end while its last inputs are on their way: that is its answer.
    const known = await core.readJob(job);
    if (known === undefined || !hasEnded(known.progress.state)) throw error;
  }
}

function encode(input: unknown, index: number): Encoded {
  try {
    return fromJsonText(JSON.stringify(input));
  } catch (error) {
    throw error instanceof ValueError ? error.about(`input ${index}`) : error;
  }
}
