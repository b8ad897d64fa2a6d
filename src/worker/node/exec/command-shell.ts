import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { quoteForShell } from '../../exec/template.ts';
import type { TaskUser } from '../task-user.ts';

/** One command, and where it finds and leaves what. */
export interface CommandOrder {
  readonly command: string;
  /** Where it runs; absolute, as the other paths. */
  readonly directory: string;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Added to the environment of the shell. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A shell runs each command in the foreground, since that is a `vfork`: from a process of Node's size it would be five
 * times as slow. All of it is one process group. A signal for the group passes the shell by, and when the worker is gone,
 * however it died, its pipe at descriptor 4 closes and the group kills itself.
 */
const PRELUDE = `trap : TERM
(trap '' TERM; exec <&- 3>&-; read -r _ <&4; kill -KILL 0) &
exec 4<&-
echo $! >&3
`;

const REPLIES = 3;
const LIFELINE = 4;

/** A process group in which commands run, one after the other. */
export class CommandShell {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #answer: ((code: number | undefined) => void) | undefined;
  #text = '';
  #keeper: number | undefined;
  #stat: number | undefined;
  #cpuHundredths = 0;
  #gone = false;
  #problem: string | undefined;

  constructor(directory: string, env: Readonly<Record<string, string>>, user: TaskUser | undefined) {
    this.#child = spawn('sh', ['-s'], {
      cwd: directory,
      env: { ...env },
      ...user,
      // A session of its own: Ctrl-C at a terminal is meant for the worker.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    const end = (): void => {
      this.#gone = true;
      // Where somebody has killed the shell alone, the rest of its group goes after it.
      (this.#child.stdio[LIFELINE] as Socket | undefined)?.destroy();
      if (this.#stat !== undefined) closeSync(this.#stat);
      this.#stat = undefined;
      this.#settle(undefined);
      resolve();
    };
    this.#child.on('error', ({ message }) => {
      this.#problem = message;
      end();
    });
    this.#child.on('exit', end);
    for (const pipe of [this.#child.stdin, this.#child.stdio[LIFELINE] as Socket]) pipe?.on('error', () => {});
    const replies = this.#child.stdio[REPLIES] as Socket;
    replies.on('error', () => {});
    replies.on('data', (bytes: Buffer) => this.#hear(bytes.toString('latin1')));
    this.#child.stdin?.write(PRELUDE);
    this.#watchOver();
  }

  /** The process group, which is named after the shell; undefined: it could not be started. */
  get group(): number | undefined {
    return this.#child.pid;
  }

  /** Why it could not be started. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Whether a process of the group belongs to no command. */
  isOwn(pid: number): boolean {
    return pid === this.#child.pid || pid === this.#keeper;
  }

  /** Resolves with the exit code, 128 more than the signal that ended it; undefined: the shell itself has come to its end. */
  run({ command, directory, stdin, stdout, stderr, env }: CommandOrder): Promise<number | undefined> {
    if (this.#gone) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    this.#answer = resolve;
    const variables = Object.entries(env).map(([name, value]) => `${name}=${quoteForShell(value)} `);
    const [into, out, err] = [stdin, stdout, stderr].map(quoteForShell);
    this.#child.stdin?.write(
      `cd ${quoteForShell(directory)} && unset OLDPWD && ${variables.join('')}sh -c ${quoteForShell(command)} <${into} >${out} 2>${err} 3>&-; echo $? >&3\n`,
    );
    return promise;
  }

  /** Asks all that runs to end. */
  terminate(): void {
    this.#signal('SIGTERM');
  }

  /** Ends everything at once, the shell too. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.#ended;
  }

  /** Seconds of CPU time of commands that have ended since this was last asked, and of all they waited for; undefined: the system does not tell. */
  takeCpuSeconds(): number | undefined {
    if (this.#stat === undefined) return undefined;
    const buffer = Buffer.alloc(1_024);
    const text = buffer.toString('latin1', 0, readSync(this.#stat, buffer, 0, buffer.length, 0));
    // The second field is the name of the program in brackets; times are in hundredths of a second.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const hundredths = Number(fields[13]) + Number(fields[14]);
    const since = hundredths - this.#cpuHundredths;
    this.#cpuHundredths = hundredths;
    return since / 100;
  }

  /** If the machine runs out of memory, the kernel shall take a command and not the worker. */
  #watchOver(): void {
    if (process.platform !== 'linux' || this.group === undefined) return;
    try {
      this.#stat = openSync(`/proc/${this.group}/stat`, 'r');
      writeFileSync(`/proc/${this.group}/oom_score_adj`, '500');
    } catch {
      // Not permitted, or gone already.
    }
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.group === undefined || this.#gone) return;
    try {
      process.kill(-this.group, signal);
    } catch {
      // It ends just now.
    }
  }

  #hear(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
      const number = Number(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + 1);
      if (this.#keeper === undefined) this.#keeper = number;
      else this.#settle(number);
    }
  }

  #settle(code: number | undefined): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(code);
  }
}
