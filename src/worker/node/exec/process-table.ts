import { readdirSync, readFileSync } from 'node:fs';

export interface SeenProcess {
  readonly pid: number;
  /** Bytes that it has in memory. */
  readonly memory: number;
}

const PAGE = 4_096;

/** The processes of these groups, by group. Nothing where the system has no table of them that can be read. */
export function processesOf(groups: ReadonlySet<number>): Map<number, SeenProcess[]> {
  const seen = new Map<number, SeenProcess[]>();
  if (process.platform !== 'linux') return seen;
  for (const name of readdirSync('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 48 || first > 57) continue;
    const fields = statOf(name);
    const group = Number(fields?.[2]);
    // A zombie has ended and is only waited for.
    if (fields === undefined || fields[0] === 'Z' || !groups.has(group)) continue;
    const found = { pid: Number(name), memory: Number(fields[21]) * PAGE };
    const list = seen.get(group);
    if (list === undefined) seen.set(group, [found]);
    else list.push(found);
  }
  return seen;
}

/** The fields behind the name of the program, which stands in brackets and may hold anything. */
function statOf(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
