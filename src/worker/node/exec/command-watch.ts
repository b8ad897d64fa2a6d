import { COMMAND_WATCH_INTERVAL, LEFTOVER_LOOK_AFTER, LEFTOVER_LOOK_EVERY } from '../../../model/exec-limits.ts';
import type { CommandShell } from './command-shell.ts';
import { processesOf, type SeenProcess } from './process-table.ts';

/** A command that runs, and what was seen of its memory. */
export interface Watched {
  readonly shell: CommandShell;
  readonly since: number;
  /** Bytes that it may have in memory with all that it started. */
  readonly limit: number | undefined;
  peak: number | undefined;
  /** It was ended because it had more. */
  isOver: boolean;
}

/** Looks at the processes of commands while they run, and for those that one has left behind when it has ended. */
export class CommandWatch {
  readonly #running = new Set<Watched>();
  readonly #lookedAt = new WeakMap<CommandShell, number>();
  #timer: NodeJS.Timeout | undefined;

  begin(shell: CommandShell, limit: number | undefined): Watched {
    const watched: Watched = { shell, since: performance.now(), limit, peak: undefined, isOver: false };
    this.#running.add(watched);
    this.#timer ??= setInterval(() => this.#look(), COMMAND_WATCH_INTERVAL).unref();
    return watched;
  }

  /** Nothing that the command has started goes on after it. */
  end(watched: Watched): void {
    this.#running.delete(watched);
    const { shell, since } = watched;
    const now = performance.now();
    const last = this.#lookedAt.get(shell) ?? Number.NEGATIVE_INFINITY;
    if (shell.gone || (now - since < LEFTOVER_LOOK_AFTER && now - last < LEFTOVER_LOOK_EVERY)) return;
    this.#lookedAt.set(shell, now);
    // One that is killed may have started another just before.
    for (let left = this.#others(shell); left.length > 0; left = this.#others(shell)) {
      for (const { pid } of left) kill(pid);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#running.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = performance.now();
    const due = [...this.#running].filter(({ since }) => now - since >= LEFTOVER_LOOK_AFTER);
    if (due.length === 0) return;
    const groups = new Set(due.flatMap(({ shell }) => shell.group ?? []));
    const seen = processesOf(groups);
    for (const watched of due) {
      const all = seen.get(watched.shell.group ?? 0)?.filter(({ pid }) => !watched.shell.isOwn(pid)) ?? [];
      const memory = all.reduce((sum, each) => sum + each.memory, 0);
      if (memory > (watched.peak ?? 0)) watched.peak = memory;
      if (watched.limit === undefined || memory <= watched.limit) continue;
      watched.isOver = true;
      for (const { pid } of all) kill(pid);
    }
  }

  #others(shell: CommandShell): SeenProcess[] {
    const { group } = shell;
    if (group === undefined) return [];
    return (processesOf(new Set([group])).get(group) ?? []).filter(({ pid }) => !shell.isOwn(pid));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
