// The demo: a server, one worker a core, and a picture rendered in hundreds of tasks of very different cost.
//
//     npm run demo -- [--keep] [--lan] [--small] [--out FILE]
import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encode } from 'fast-png';
import { connect, type Farm, type Job } from 'manyhands';
import { renderUnicodeCompact } from 'uqr';
import { OwnFarm } from './own-farm.ts';
import { cut, oneSlotTime, PICTURE, paste, SAMPLES, sample } from './plan.ts';
import { COLUMN, Progress } from './progress.ts';
import type renderTile from './tile.ts';
import type { RenderedTile, Tile } from './tile.ts';

const TASK = new URL('./tile.ts', import.meta.url);
const PLACE = fileURLToPath(new URL('./out/picture.png', import.meta.url));
/** Of every `sampled` tiles one is also rendered by one slot alone. */
const FULL = { picture: PICTURE, samples: SAMPLES, sampled: 12 };
/** For whoever wants to see the whole of it work in a few seconds. */
const SMALL = { picture: { width: 480, height: 270 }, samples: { least: 4, most: 8 }, sampled: 4 };

/** Tiles for each slot that are rendered before anything is measured: by then its code has been compiled for speed. */
const WARM_UP = 4;

const USAGE = `npm run demo -- [--keep] [--lan] [--small] [--out FILE]
  --keep      leave the server and its workers up until Ctrl-C
  --lan       let other devices of the network join it
  --small     a small picture, in a few seconds
  --out FILE  where the picture goes (default: ${path.relative('', PLACE)})
`;

interface Options {
  readonly keep: boolean;
  readonly lan: boolean;
  readonly small: boolean;
  readonly help: boolean;
  readonly out: string;
}

async function demo(options: Options, stop: AbortController): Promise<void> {
  const { signal } = stop;
  const { picture, samples, sampled } = options.small ? SMALL : FULL;
  const tiles = cut(picture, samples);
  const slots = os.availableParallelism();
  await using own = await OwnFarm.start(options);
  void own.serverEnded.then(() => stop.abort(new Error('the server has ended')));
  await using farm = await connect({ url: own.url, token: own.token, signal });
  say('tasks', `${tiles.length} tiles of a picture of ${picture.width} × ${picture.height}`);
  say('dashboard', own.dashboardUrl);
  if (options.lan) say('join', `${own.joinUrl}\n\n${renderUnicodeCompact(own.joinUrl, { border: 1 })}\n`);

  const chosen = sample(tiles.length, sampled);
  await own.join(1);
  const few = chosen.map((index) => tiles[index] as Tile);
  const alone = await renderAlone(farm, few, signal);
  if (slots > 1) {
    await own.join(slots - 1);
    await warmUp(farm, few, slots, signal);
  }
  // What a tile cost alone is a fair guess at what its neighbours in the order will.
  const costs = tiles.map((_, index) => alone.tiles[Math.floor(index / sampled)]?.milliseconds ?? 1);
  const whole = await renderAll(farm, tiles, costs, signal);

  await writePicture(options.out, tiles, whole.tiles);
  const oneSlot = oneSlotTime(whole.tiles, chosen, alone.milliseconds);
  say('picture', path.relative('', options.out));
  say('tasks', `${tiles.length}, on ${slots} ${slots === 1 ? 'slot' : 'slots'}`);
  say('seconds', inSeconds(whole.milliseconds));
  say(
    'speed-up',
    `${(oneSlot / whole.milliseconds).toFixed(2)} over one slot, which would take ${inSeconds(oneSlot)} s`,
  );
  say('', `(measured on one slot alone with ${chosen.length} of the tasks)`);
  say('retries', String(whole.retries));
  say('dashboard', options.keep ? own.dashboardUrl : 'ends with the demo; npm run demo -- --keep leaves it up');
  if (!options.keep) return;
  say('', 'The server and its workers stay up until Ctrl-C.');
  await sleep(2 ** 31 - 1, undefined, { signal }).catch(() => {});
  if (signal.reason instanceof Error) throw signal.reason;
}

interface Rendering {
  /** In the order of the tasks. */
  readonly tiles: RenderedTile[];
  readonly milliseconds: number;
  readonly retries: number;
}

/**
 * Two things are compared, so both begin alike: every slot has loaded the code and warmed up, which happens once and must
 * not be counted as often as the sample stands for.
 */
async function warmUp(farm: Farm, tiles: Tile[], slots: number, signal: AbortSignal): Promise<void> {
  const some = Array.from({ length: WARM_UP * slots }, (_, k) => tiles[k % tiles.length] as Tile);
  await (await submit(farm, 'warming up', some, signal)).values();
}

/**
 * A few of the tasks, on one slot of an otherwise idle machine. What is measured here stands for all of them, so the clock
 * runs only from when the server has the job until the last result is here.
 */
async function renderAlone(farm: Farm, tiles: Tile[], signal: AbortSignal): Promise<Rendering> {
  await warmUp(farm, tiles, 1, signal);
  const job = await submit(farm, 'some tiles on one slot', tiles, signal);
  const start = performance.now();
  const alike = tiles.map(() => 1);
  return gather(job, new Progress('one slot', alike), start);
}

/** The whole picture. Here the clock also runs while the job is submitted. */
async function renderAll(farm: Farm, tiles: Tile[], costs: number[], signal: AbortSignal): Promise<Rendering> {
  const start = performance.now();
  const job = await submit(farm, 'a picture', tiles, signal);
  return gather(job, new Progress('all slots', costs), start);
}

/** The type parameter types both ends: the tiles that go in, and what comes back. */
function submit(farm: Farm, name: string, tiles: Tile[], signal: AbortSignal): Promise<Job<RenderedTile>> {
  return farm.map<typeof renderTile>(TASK, tiles, { name, signal });
}

/** Takes the results as they come. A tile that could not be rendered ends the demo. */
async function gather(job: Job<RenderedTile>, progress: Progress, start: number): Promise<Rendering> {
  const tiles: RenderedTile[] = [];
  try {
    for await (const record of job.results({ ordered: false })) {
      if (record.status === 'failed') throw record.error;
      if (record.status !== 'done') throw new Error(`tile ${record.index} was ${record.status}`);
      tiles[record.index] = record.value;
      progress.done(record.index);
    }
  } finally {
    progress.end();
  }
  const milliseconds = performance.now() - start;
  const { retried, lost } = (await job.status()).progress;
  return { tiles, milliseconds, retries: retried + lost };
}

async function writePicture(file: string, tiles: Tile[], rendered: RenderedTile[]): Promise<void> {
  const { width, height } = (tiles[0] as Tile).picture;
  const data = new Uint8Array(width * height * 3);
  for (const [index, tile] of tiles.entries()) paste(data, tile, (rendered[index] as RenderedTile).rgb);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, encode({ width, height, data, channels: 3, depth: 8 }));
}

function say(name: string, words: string): void {
  process.stdout.write(`${name.padEnd(COLUMN)}${words}\n`);
}

function inSeconds(milliseconds: number): string {
  return (milliseconds / 1_000).toFixed(1);
}

function readOptions(): Options {
  const flag = { type: 'boolean', default: false } as const;
  const out = { type: 'string', default: PLACE } as const;
  return parseArgs({ options: { keep: flag, lan: flag, small: flag, help: flag, out } }).values;
}

/** Ctrl-C ends the job, the farm and its data, a second one leaves at once. Resolves with the exit code. */
async function main(): Promise<number> {
  const stop = new AbortController();
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(exitCode);
      stop.abort(exitCode);
    });
  }
  try {
    const options = readOptions();
    if (options.help) process.stdout.write(USAGE);
    else await demo(options, stop);
    return 0;
  } catch (error) {
    const { reason } = stop.signal;
    if (typeof reason === 'number') return reason;
    const { message } = (reason ?? error) as Error;
    process.stderr.write(`demo: ${message}\n`);
    return (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  }
}

process.exitCode = await main();
