import chunk from '../tasks/python/entry/chunk.py';
import output from '../tasks/python/entry/output.py';
import slot from '../tasks/python/entry/slot.py';
import task from '../tasks/python/entry/task.py';
import values from '../tasks/python/entry/values.py';
import { type Pyodide, startPyodide } from '../tasks/python/pyodide.ts';
import type { Sources } from '../tasks/python/python-slot.ts';
import type { PyodideParts } from './slot-messages.ts';

/** Nothing is there, and nothing is asked there: Pyodide wants an address for what its page has handed over. */
const NOWHERE = 'https://pyodide.invalid/';

/** Starts Pyodide where nothing may be fetched: what it fetches, it gets from what its page has handed over. */
export async function openPyodide(parts: PyodideParts | undefined): Promise<{ pyodide: Pyodide; sources: Sources }> {
  if (parts === undefined) throw new Error('the files of Pyodide are not here');
  const fetchNothing = self.fetch;
  self.fetch = async (input) => {
    const name = String(input).slice(NOWHERE.length);
    return Object.hasOwn(parts, name) ? new Response(parts[name as keyof PyodideParts]) : Response.error();
  };
  try {
    const loader = await imported(parts['pyodide.mjs']);
    const { default: createPyodideModule } = await imported(parts['pyodide.asm.mjs']);
    const pyodide = await startPyodide(
      loader,
      { indexURL: NOWHERE, createPyodideModule },
      await unpacked(parts.snapshot),
    );
    return { pyodide, sources: { values, task, output, chunk, slot } };
  } finally {
    self.fetch = fetchNothing;
  }
}

/** Nothing, where it came to harm, or this browser cannot unpack it. */
async function unpacked(snapshot: Blob | undefined): Promise<Uint8Array | undefined> {
  if (snapshot === undefined) return undefined;
  try {
    const plain = snapshot.stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(plain).arrayBuffer());
  } catch {
    return undefined;
  }
}

async function imported(part: Blob): Promise<{ readonly default?: unknown }> {
  const address = URL.createObjectURL(part);
  try {
    return await import(address);
  } finally {
    URL.revokeObjectURL(address);
  }
}
