import type { Farm } from '../../client/farm.ts';
import type { JobOptions } from '../../client/job-options.ts';
import { PIPE_BLOCK_BYTES } from '../../model/exec-limits.ts';
import type { ExecCode, ExecInput } from '../../worker/exec/exec-code.ts';
import { defaultSlots } from '../../worker/node/capacity.ts';
import { attend } from '../attend.ts';
import type { ExecOptions } from '../commands/exec.ts';
import { ExitCode } from '../errors.ts';
import { JobRun } from '../job-run.ts';
import { type OpenFarm, seekFarm } from '../open-farm.ts';
import { Out, OutputClosed } from '../output/out.ts';
import { detach, jobOptions, together } from '../run-job.ts';
import { asyncOf, gathered } from './arguments.ts';
import { checkOptions, resumeOption } from './check-options.ts';
import { splitCommandLine } from './command-line.ts';
import { JobLog } from './job-log.ts';
import { cutBlocks } from './pipe-blocks.ts';
import { type Plan, planOf, withTotal } from './plan.ts';
import { checkSentFiles, FileSender } from './sent-files.ts';
import { slotsOf } from './slots.ts';
import { type NumberedArguments, Tracking } from './tracking.ts';

/** Runs a command line for each of its inputs, or says what it would run; resolves with the exit code. */
export async function execJob(all: readonly string[], options: ExecOptions): Promise<number> {
  const parts = splitCommandLine(all, options.argFile);
  checkOptions(parts, options);
  const say = options.quiet ? () => {} : (text: string) => void process.stderr.write(text);
  const local = options.local ?? options.jobs;
  const slots = local ?? defaultSlots();
  if (options.dryRun) return dryRun(await withTotal(await planOf(parts, options, async () => slots)));
  const seeking = seekFarm({ ...options, local, mustStay: options.detach, commands: true, say });
  const slotsThere = async (): Promise<number> => {
    const { api } = await seeking;
    return api === undefined ? slots : slotsOf(api);
  };
  const [plan, { open }] = await together([
    planOf(parts, options, slotsThere).then((read) => checked(read, options)),
    seeking,
  ]);
  const log = options.joblog === undefined ? undefined : JobLog.open(options.joblog, resumeOption(options));
  const tracking = new Tracking(plan, options, log);
  const inputs = plan.lists && (await tracking.left(plan.lists));
  const out = options.out === undefined ? Out.stdout() : Out.file(options.out);
  const run = new JobRun(say, options.collect === undefined ? '' : ' --files .');
  const { farm, api } = await open();
  let exitCode: number;
  try {
    const code = { runner: 'exec', code: JSON.stringify(plan.code), sourceName: nameOf(plan.code) } as const;
    const job = await farm.map(code, inputsOf(plan, inputs, tracking, farm, options), execOptions(options));
    if (options.detach) return await detach(job, farm);
    run.begin(job, farm);
    tracking.follow(job, { farm, api });
    const ofJob = run.finish(await attend(job, attendOptions(options, out, { farm, api }, tracking)));
    exitCode = tracking.exitCode ?? ofJob;
  } catch (error) {
    if (run.interrupted) run.leave(ExitCode.interrupted);
    if (error instanceof OutputClosed) await run.unread();
    throw error;
  } finally {
    run.end();
    out.close();
    await farm.close().catch(() => {});
  }
  // The job has ended before its inputs have: a standard input that says nothing would hold up an orderly end.
  return run.isSubmitted ? exitCode : run.leave(exitCode);
}

function attendOptions(options: ExecOptions, out: Out, { farm, api }: OpenFarm, tracking: Tracking) {
  return {
    out,
    form: options.json || options.out !== undefined ? 'records' : 'values',
    ordered: options.unordered !== true,
    defined: false,
    quiet: options.quiet === true,
    readBlob: (ref: { sha256: string; size: number }) => farm.download(ref),
    api,
    commands: {
      farm,
      isSilent: options.results !== undefined,
      tagOf: options.tag ? (index: number) => tracking.tagOf(index) : undefined,
      numberOf: tracking.numberOf,
      tell: tracking.isNeeded ? tracking.tell : undefined,
    },
  } as const;
}

/** What must be known of all commands before the first of them runs. */
async function checked(read: Plan, options: ExecOptions): Promise<Plan> {
  const plan = await withTotal(read);
  const { template, lists } = plan;
  if (lists === undefined || (options.send === undefined && resumeOption(options) === undefined)) return plan;
  const all = await gathered(lists);
  if (options.send !== undefined) checkSentFiles(template, all);
  return { ...plan, lists: asyncOf(all) };
}

async function* inputsOf(
  { code, template }: Plan,
  lists: AsyncIterable<NumberedArguments> | undefined,
  tracking: Tracking,
  farm: Farm,
  { block = PIPE_BLOCK_BYTES, maxArgs, maxReplaceArgs, maxLines }: ExecOptions,
): AsyncGenerator<ExecInput | Uint8Array> {
  if (lists === undefined)
    return yield* cutBlocks(process.stdin, { size: block, lines: maxArgs ?? maxReplaceArgs ?? maxLines });
  // On a farm of our own commands run in this directory, where the files are.
  const sender = code.send === undefined || farm.embedded ? undefined : new FileSender(farm);
  let index = 0;
  for await (const { sequence, args } of lists) {
    index += 1;
    tracking.note(index - 1, sequence, args);
    const files = await sender?.send(template.sent(args, sequence));
    if (files === undefined && sequence === index) yield args;
    else yield { args, ...(sequence !== index && { sequence }), ...(files !== undefined && { files }) };
  }
}

async function dryRun({ template, lists }: Plan): Promise<number> {
  const out = Out.stdout();
  let sequence = 0;
  try {
    if (lists === undefined) await out.write(`${template.command([], 1, 1)}\n`);
    else for await (const args of lists) await out.write(`${template.command(args, ++sequence, 1)}\n`);
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  }
  return ExitCode.done;
}

/** Commands are expected to fail now and then: only who asks for it has them ended early. */
function execOptions(options: ExecOptions): JobOptions {
  const { halt, maxFailures } = options;
  const most = halt?.when === 'now' && halt.what === 'fail' ? halt.count - 1 : (maxFailures ?? Number.MAX_SAFE_INTEGER);
  return { ...jobOptions(options), maxFailures: most };
}

function nameOf({ command }: ExecCode): string {
  return (command === '' ? 'commands' : command).slice(0, 256);
}
