import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { needs } from '../reliability/needs.ts';
import { CommandLine } from '../support/command-line.ts';
import { manyhands, startManyhands } from '../support/processes.ts';

const MiB = 1024 * 1024;
const OUTPUT = 1024 * MiB;

/** What server and worker may take more than for 8 MiB. */
const MORE = 64 * MiB;

test('1 GiB that a command prints passes through worker, server and terminal in little memory', {
  ...needs('a Linux kernel'),
  timeout: 900_000,
}, async (t) => {
  const shell = new CommandLine(t);
  const served = await shell.serve();
  const worker = startManyhands(t, ['join', served.joinUrl, '--slots', '1', '--allow', 'exec']);
  await worker.output(/joined/, { timeout: 60_000 });
  const program = manyhands.map((word) => `'${word}'`).join(' ');
  const script = (bytes: number) => `${program} exec --quiet -- 'head -c {} /dev/zero' ::: ${bytes} | wc -c`;
  const print = async (bytes: number): Promise<number[]> => {
    const running = shell.shell(['sh', '-c', script(bytes)]);
    const pids = [served.process.pid, worker.pid];
    const peaks = pids.map(() => 0);
    let isOver = false;
    const look = (async () => {
      while (!isOver) {
        pids.forEach((pid, i) => {
          peaks[i] = Math.max(peaks[i] ?? 0, residentBytes(pid));
        });
        await sleep(50);
      }
    })();
    const { stdout } = await running.exit(800_000);
    isOver = true;
    await look;
    assert.equal(Number(stdout), bytes);
    return peaks;
  };
  const small = await print(8 * MiB);
  const large = await print(OUTPUT);
  const more = large.map((peak, i) => peak - (small[i] ?? 0));
  t.diagnostic(`more in MiB: server ${mebibytes(more[0])}, worker ${mebibytes(more[1])}`);
  assert.ok(
    more.every((bytes) => bytes <= MORE),
    `${more.map(mebibytes)} MiB more`,
  );
});

function mebibytes(bytes = 0): number {
  return Math.round(bytes / MiB);
}

function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096;
}
