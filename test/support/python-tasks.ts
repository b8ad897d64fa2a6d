import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Farm } from '../../src/client/farm.ts';
import { TaskError } from '../../src/client/task-error.ts';
import type { RunningServer } from '../../src/server/server.ts';
import { waitFor } from './wait.ts';

/** What {@link checkPython} runs. */
export const FILES = {
  'task.py': [
    'import array, asyncio, datetime, math, os, sys',
    'calls = []',
    'def inverse(x):',
    '    return 1 / x',
    'async def task(input, ctx):',
    '    await asyncio.sleep(0)',
    '    what, value = input if isinstance(input, list) and len(input) == 2 else (input, None)',
    '    if what == "inverse": return inverse(value)',
    '    if what == "cause":',
    '        try: inverse(0)',
    '        except ZeroDivisionError as error: raise KeyError("k") from error',
    '    if what == "exit": sys.exit(value)',
    '    if what == "die": os._exit(value)',
    '    if what == "abort": os.abort()',
    '    if what == "loop":',
    '        while True: pass',
    '    if what == "memory": raise MemoryError("so much")',
    '    if what == "takes": return len(bytearray(value))',
    '    if what == "function": return {"a": [inverse]}',
    '    if what == "naive": return datetime.datetime(2000, 1, 1)',
    '    if what == "text": return "x" * value',
    '    if what == "bytes": return b"\\xff" * value',
    '    if what == "type": return [type(value).__name__, repr(value)]',
    '    if what == "echo": return value',
    '    if what == "cycle":',
    '        cycle = []',
    '        cycle.append(cycle)',
    '        return cycle',
    '    if what == "deep":',
    '        deep = []',
    '        for _ in range(value): deep = [deep]',
    '        return deep',
    '    if what == "kinds":',
    '        numbers = array.array("d", [1.5])',
    '        moment = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))',
    '        return {"set": {1}, "big": 2**70, "map": {1: 2}, "numbers": numbers, "again": numbers, "pair": (1, "a"),',
    '                "moment": moment, "odd": [math.nan, math.inf, -math.inf, -0.0], "bytes": b"ab", "error": ValueError("e")}',
    '    if what == "say":',
    '        print("to stdout"); print("to stderr", file=sys.stderr); ctx.log("to the log"); print("no end", end="")',
    '        ctx.progress(0.5, "half")',
    '    if what == "sleep":',
    '        print("begun"); __import__("time").sleep(value)',
    '        return "slept"',
    '    if what == "ctx": return [ctx.index, ctx.key, ctx.attempt]',
    '    if what == "blob": return ctx.blob(ctx.blob(value)["sha256"]) == value',
    '    if what == "state":',
    '        calls.append(1)',
    '        return [sorted(k for k in os.environ if k.startswith("SECRET")), "values" in sys.modules]',
    '',
  ].join('\n'),
  'no-context.py': 'def task(input):\n    return input + 1\n',
  'spawn.py': [
    'def task(input, ctx):',
    '    if input == "many":',
    '        for i in range(5000): ctx.spawn(i)',
    '    if input == "function": ctx.spawn(task)',
    '    if input == "large": ctx.spawn("x" * 200_000)',
    '    if not isinstance(input, list): return input',
    '    for part in input: ctx.spawn(part)',
    '    return len(input)',
  ].join('\n'),
  'no-input.py': 'def task():\n    return "called"\n',
  'syntax.py': 'def task(input):\n    return (\n',
  'fails.py': 'import no_such_module\ndef task(input): pass\n',
  'none.py': 'tasks = 1  # no task\n',
  'odd.py': 'task = 5\n',
};

interface Told {
  readonly stream: string;
  readonly text: string;
}

export async function logsOf(server: RunningServer, job: number): Promise<readonly Told[]> {
  const headers = { authorization: `Bearer ${server.adminToken}` };
  const answer = await fetch(new URL(`/v1/jobs/${job}/logs`, server.url), { headers });
  return ((await answer.json()) as { logs: Told[] }).logs;
}

interface Asking {
  readonly farm: Farm;
  readonly server: RunningServer;
  readonly files: (name: string) => URL;
  readonly task: URL;
  run<Out = unknown>(input: unknown, options?: object): Promise<Out>;
  failure(input: unknown, options?: object): Promise<TaskError>;
  ends(inputs: unknown[], options: object): Promise<unknown[]>;
}

function asking({ farm, server }: { farm: Farm; server: RunningServer }, files: (name: string) => URL): Asking {
  const task = files('task.py');
  const run = <Out = unknown>(input: unknown, options?: object): Promise<Out> =>
    farm.run<(input: unknown) => Out>(task, input, options) as Promise<Out>;
  const failure = async (input: unknown, options?: object): Promise<TaskError> => {
    const error: unknown = await run(input, options).then(
      (value) => assert.fail(`it gave ${JSON.stringify(value)}`),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof TaskError, String(error));
    return error;
  };

  const ends = async (inputs: unknown[], options: object): Promise<unknown[]> => {
    const records = await (await farm.map(task, inputs, options)).settled();
    return records.map((record) => {
      if (record.status !== 'failed') return record.status === 'done' && record.value;
      return [record.error.kind, record.error.exitCode ?? record.error.signal];
    });
  };
  return { farm, server, files, task, run, failure, ends };
}

/** What tasks in Python do wherever they run. `crashes`: how a process tells of `os._exit(4)` and of `os.abort()`. */
export function checkPython(
  served: { farm: Farm; server: RunningServer },
  files: (name: string) => URL,
  crashes: readonly [exit: string | number, abort: string | number],
): void {
  const asked = asking(served, files);
  checkValues(asked);
  checkSpawning(asked);
  checkFailures(asked);
  checkEnds(asked, crashes);
}

const b = (text: string): Uint8Array => new TextEncoder().encode(text);

function checkSpawning({ farm, files }: Asking): void {
  it('R34: add others to their job, once each, and not if they fail', async () => {
    const job = await farm.map(files('spawn.py'), [[[1, [b('ytes'), null]], 2n ** 70n]], { spawns: true });
    const values = await job.values();
    assert.deepEqual(values.slice(0, 3), [2, 2, 2n ** 70n]);
    assert.deepEqual(values.slice(3), [1, 2, b('ytes'), undefined]);
    for (const [input, options, message] of [
      [[1], {}, /ctx\.spawn is for jobs that were submitted with the option spawns/],
      ['many', { spawns: true }, /a task adds at most 4096 others/],
      ['large', { spawns: true }, /have at most 128 KiB together/],
      ['function', { spawns: true }, /ctx\.spawn: its input is a function, which cannot be sent/],
    ] as const) {
      const failing = await farm.map(files('spawn.py'), [input], options);
      const [record, ...others] = await failing.settled();
      const error = record?.status === 'failed' ? record.error : undefined;
      assert.match(error?.message ?? '', message);
      const { stack = '' } = (error?.cause ?? {}) as Partial<Error>;
      assert.match(stack, /spawn\.py/);
      assert.doesNotMatch(stack, /chunk\.py|task\.py/, 'only lines of its author');
      assert.deepEqual(others, []);
    }
  });
}

function checkValues({ farm, files, run }: Asking): void {
  it('run once for each input, in order, also if they take no context, or no input', async () => {
    const job = await farm.map<(n: number) => number>(files('no-context.py'), [1, 2.5, 3]);
    assert.deepEqual(await job.values(), [2, 3.5, 4]);
    assert.equal(await farm.run(files('no-input.py'), 1), 'called');
  });

  it('are given values as Python has them', async () => {
    const cases: [unknown, string, string][] = [
      [null, 'NoneType', 'None'],
      [[true, 1, 1.5, 'é\ud800', { a: null }], 'list', "[True, 1, 1.5, 'é\\ud800', {'a': None}]"],
      [2n ** 70n, 'int', '1180591620717411303424'],
      [[Number.NaN, -0, Number.NEGATIVE_INFINITY, undefined], 'list', '[nan, -0.0, -inf, None]'],
      [
        new Map<unknown, unknown>([
          ['k', 1],
          [[1], 2],
        ]),
        'dict',
        "{'k': 1, (1,): 2}",
      ],
      [new Set([1]), 'set', '{1}'],
      [new Date(0), 'datetime', 'datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)'],
      [Uint8Array.of(1, 255), 'bytes', "b'\\x01\\xff'"],
      [Float64Array.of(1.5), 'array', "array('d', [1.5])"],
      [{ $mh: 5 }, 'dict', "{'$mh': 5}"],
      [new RangeError('far'), 'Exception', "Exception('RangeError: far')"],
    ];
    for (const [value, type, text] of cases) assert.deepEqual(await run(['type', value]), [type, text]);
    assert.equal((await run<string[]>(['type', 'x'.repeat(100_000)]))[1]?.length, 100_002, 'a large one is a blob');
  });

  it('give values as JavaScript has them', async () => {
    const kinds = await run<Record<string, unknown>>('kinds');
    const { error, numbers, again, ...others } = kinds;
    assert.deepEqual(others, {
      set: new Set([1]),
      big: 2n ** 70n,
      map: new Map([[1, 2]]),
      pair: [1, 'a'],
      moment: new Date('1999-12-31T23:00:00.000Z'),
      odd: [Number.NaN, Infinity, -Infinity, -0],
      bytes: Uint8Array.of(97, 98),
    });
    assert.ok(error instanceof Error && error.name === 'ValueError' && error.message === 'e');
    assert.deepEqual(numbers, Float64Array.of(1.5));
    assert.equal(numbers, again, 'one thing, named twice');
    assert.equal(await run(['echo', null]), undefined, 'None is nothing');
    for (const value of [[null, [true, 'é\ud800', -1.5e300]], { $mh: 5 }, { $mh: 5, a: 1 }, [[], {}], '"$mh"']) {
      assert.deepEqual(await run(['echo', value]), value);
    }
    const cycle = await run<unknown[]>('cycle');
    assert.equal(cycle[0], cycle);
    assert.deepEqual(await run(['bytes', 3]), Uint8Array.of(255, 255, 255));
    assert.equal((await run<Uint8Array>(['bytes', 200_000])).length, 200_000);
    assert.equal((await run<string>(['text', 200_000])).length, 200_000);
    assert.equal(JSON.stringify(await run(['deep', 900])), '['.repeat(901) + ']'.repeat(901));
  });
}

function checkFailures({ farm, files, failure }: Asking): void {
  it('fail with the lines of their author', async () => {
    const { cause } = await failure(['inverse', 0]);
    assert.deepEqual([cause.name, cause.message], ['ZeroDivisionError', 'division by zero']);
    assert.match(
      cause.stack ?? '',
      /^Traceback .*\n {2}File "task\.py", line 8, in task\n.*File "task\.py", line 4, in inverse\n/s,
    );
    assert.doesNotMatch(cause.stack ?? '', /host\.py|entry/);
    const caused = (await failure('cause')).cause;
    assert.deepEqual([caused.message, (caused.cause as Error).message], ["'k'", 'division by zero']);
    assert.equal((await failure('memory')).kind, 'memory');
    assert.match(
      (await failure('function')).message,
      /the result of task \d+: result\.a\[0\] is a function, which cannot be sent/,
    );
    assert.match((await failure('naive')).message, /result is a time without a time zone; add one/);
    assert.match((await failure(['deep', 1_200])).message, /is more than 1000 levels deep/);
  });

  it('fail with one sentence where the file is none', async () => {
    const said = async (name: string): Promise<string> => {
      const job = await farm.map(files(name), [1]).catch((error: Error) => error);
      if (job instanceof Error) return job.message;
      const [record] = await job.settled();
      return record?.status === 'failed' ? record.error.cause.message : '';
    };
    assert.match(
      await said('syntax.py'),
      /^the task module syntax\.py does not compile: SyntaxError: .*\(syntax\.py, line 2\)$/,
    );
    assert.match(
      await said('fails.py'),
      /^the task module fails\.py failed while it was loaded: ModuleNotFoundError: No module/,
    );
    assert.match(
      await said('none.py'),
      /^the task module none\.py has no function task, which is called for each input; add: def/,
    );
    assert.equal(await said('odd.py'), 'the name task in the task module odd.py is no function');
  });
}

function checkEnds(
  { farm, server, task, run, failure, ends }: Asking,
  crashes: readonly [exit: string | number, abort: string | number],
): void {
  it('end alone: by sys.exit, by a crash, by their time limit', async () => {
    const inputs = [['exit', 3], ['exit', 'bye'], ['die', 4], 'abort', ['echo', 'lives']];
    const told = await ends(inputs, { maxFailures: 10 });
    const ended = crashes.map((how) => ['crash', how]);
    assert.deepEqual(told, [['error', 3], ['error', 1], ...ended, 'lives']);
    assert.deepEqual(await ends(['loop'], { timeout: 1_000 }), [['timeout', undefined]]);
    assert.equal(await run(['echo', 'lives']), 'lives');
  });

  it('take no more memory than their job says', async () => {
    const memory = 100 * 1024 ** 2;
    assert.equal(await run(['takes', 10_000_000], { memory }), 10_000_000);
    assert.equal((await failure(['takes', 1_000_000_000], { memory })).kind, 'memory');
  });

  it('print into the log of the task that runs', async () => {
    const job = await farm.map(task, ['say']);
    await job.values();
    const said = async () => {
      const logs = await logsOf(server, job.id);
      return logs.length < 4 ? undefined : logs.map(({ stream, text }) => [stream, text]);
    };
    assert.deepEqual(await waitFor(said, { what: 'what it printed' }), [
      ['stdout', 'to stdout\n'],
      ['stderr', 'to stderr\n'],
      ['log', 'to the log'],
      ['stdout', 'no end'],
    ]);
  });

  it('know who they are, have blobs, and see nothing of ours', async () => {
    process.env['SECRET_OF_TEST'] = 'x';
    const [index, key, attempt] = await run<[number, string, string]>('ctx');
    assert.match(`${index} ${key} ${attempt}`, /^(\d+) \w+-\d+-\1 \d+-\1$/);
    assert.equal(await run(['blob', Uint8Array.of(1, 2)]), true);
    assert.deepEqual(await run('state'), [[], false]);
  });
}
