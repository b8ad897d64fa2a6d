// The one program of a booted machine. Its standard input holds the configuration of the image, a zero byte, and the command
// line of the kernel. How it ends tells os/root/etc/manyhands/supervise what to do.
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { Board } from '../board.ts';
import { Consoles } from '../consoles.ts';
import { describeMachine, feedWatchdog, machineTrouble } from '../machine.ts';
import { type Card, readCards } from '../network.ts';
import { type Settings, settingsFrom } from '../settings.ts';
import { adviceFor, type Situation, whatIsMissing } from '../situation.ts';
import { Work } from '../work.ts';

const Exit = { leave: 0, powerOff: 11 } as const;

/** Milliseconds between two looks at the network, and between two pictures of the board. */
const LOOK = 250;
const DRAW = 500;

const [config = '', cmdline = ''] = readFileSync(0, 'utf8').split('\0');
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const watchdog = feedWatchdog();
const consoles = new Consoles();
const trouble = machineTrouble();
let cards = readCards();
let settings = look();
let situation: Situation = { state: 'Starting…' };
let error: { text: string; at: number } | undefined =
  trouble === undefined ? undefined : { text: trouble, at: Date.now() };

const work = new Work({
  state: (state) => {
    const advice = adviceFor(state);
    situation = { state, ...(advice !== undefined && { advice }) };
    draw();
  },
  trouble: (text) => {
    error = { text, at: performance.now() };
  },
});

function look(): Settings {
  cards = readCards();
  return settingsFrom({ leases: cards.flatMap(({ lease }) => lease ?? []), config, cmdline });
}

function board(): Board {
  const uptime = os.uptime() * 1_000;
  return {
    ...situation,
    version,
    machine: describeMachine(),
    network: cards.length === 0 ? 'no network card' : cards.map(describeCard).join('; '),
    server: settings.server.length === 0 ? 'not known' : `${settings.server.join(', ')} (from ${settings.from})`,
    slots: os.availableParallelism(),
    busy: work.busy,
    done: work.done,
    ...(error !== undefined && { lastError: error.text }),
    uptime,
  };
}

function describeCard({ name, address, state, isLinked }: Card): string {
  if (address !== undefined && state === 'bound') return `${name} ${address}${isLinked ? '' : ' (no cable)'}`;
  return `${name}: ${isLinked ? 'no address yet' : 'no cable'}`;
}

function draw(): void {
  consoles.show(board(), performance.now());
}

/** Something of what this machine was told has changed: another server, or the first one. */
function notice(): void {
  const before = JSON.stringify([settings.server, settings.token, settings.allow]);
  settings = look();
  if (JSON.stringify([settings.server, settings.token, settings.allow]) !== before) work.interrupt();
}

async function live(): Promise<number> {
  for (;;) {
    const missing = whatIsMissing(cards, settings);
    if (missing !== undefined) {
      situation = missing;
      draw();
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    } else if (await work.run(settings)) {
      situation = { state: 'The server has stopped this machine: it switches off.' };
      draw();
      return Exit.powerOff;
    }
  }
}

process.on('SIGTERM', () => {
  situation = { state: 'Shutting down…' };
  draw();
  void work.leave().then(() => end(Exit.leave));
});

function end(code: number): void {
  watchdog.letGo();
  process.exit(code);
}

setInterval(notice, LOOK);
setInterval(draw, DRAW);
draw();
end(await live());
