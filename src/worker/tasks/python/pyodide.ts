/** What we use of Pyodide. Its own types describe far more, and are not there where the package is not. */
export interface Pyodide {
  readonly FS: {
    mkdirTree(path: string): void;
    writeFile(path: string, text: string): void;
  };
  runPython(code: string): unknown;
}

/** A function or a class of Python. */
export interface Callable<Args extends unknown[], Result> {
  (...args: Args): Result;
  /** On a stack of its own, so that Python may wait for a promise. */
  callPromising(...args: Args): Promise<Result>;
}

export interface LoadOptions {
  readonly indexURL: string;
  /** What makes the interpreter, where it cannot be imported from below `indexURL`. */
  readonly createPyodideModule?: unknown;
}

type LoadPyodide = (options: object) => Promise<Pyodide>;

/**
 * Starts an interpreter. `loader`: the module `pyodide.mjs`. `snapshot`: what the memory of one was when it had started, if
 * there is such a thing here; one that does not fit costs time, and nothing else.
 */
export async function startPyodide(loader: object, options: LoadOptions, snapshot?: Uint8Array): Promise<Pyodide> {
  const { loadPyodide } = loader as { loadPyodide: LoadPyodide };
  const start = (more: object): Promise<Pyodide> => loadPyodide({ ...common(options), ...more });
  if (snapshot !== undefined) {
    try {
      const pyodide = await start({ _loadSnapshot: snapshot });
      setTimeZone(pyodide);
      pyodide.runPython(AWAKE);
      return pyodide;
    } catch {
      // It is of another Pyodide, or came to harm.
    }
  }
  return start({});
}

/** The memory of an interpreter that has just started. */
export async function snapshotOf(loader: object, options: LoadOptions): Promise<Uint8Array> {
  const { loadPyodide } = loader as { loadPyodide: LoadPyodide };
  const pyodide = await loadPyodide({ ...common(options), _makeSnapshot: true });
  return (pyodide as Pyodide & { makeMemorySnapshot(): Uint8Array }).makeMemorySnapshot();
}

function common(options: LoadOptions): object {
  return {
    ...options,
    // Not from somewhere else: there are no packages but the standard library.
    packageBaseUrl: options.indexURL,
    stdin: () => null,
  };
}

/** The parts of the runtime below Python that are needed here: where the C library keeps the time zone, and who finds it out. */
interface Emscripten {
  readonly GOT: Readonly<Record<'timezone' | 'daylight' | 'tzname', { readonly value: number }>>;
  readonly HEAPU32: Uint32Array;
  __tzset_js(offset: number, isVaried: number, winter: number, summer: number): void;
}

/** The C library asks for it once, and in the snapshot it has. */
function setTimeZone(pyodide: Pyodide): void {
  const { GOT, HEAPU32, __tzset_js } = (pyodide as Pyodide & { readonly _module: Emscripten })._module;
  const names = GOT.tzname.value / 4;
  __tzset_js(GOT.timezone.value, GOT.daylight.value, HEAPU32[names] as number, HEAPU32[names + 1] as number);
}

/**
 * What an interpreter would have found out at its start about the place where it is, and the one of the snapshot found out
 * elsewhere: chance, and the time zone. What its setup has done twice is undone.
 */
const AWAKE = `
def awake():
    import random, sys
    random.seed()
    asleep = sys.modules.pop("time")
    import time
    for name in ("timezone", "altzone", "daylight", "tzname"): setattr(asleep, name, getattr(time, name))
    sys.modules["time"] = asleep
    if sys.path[:2] == ["", ""]: del sys.path[0]
awake()
del awake
`;
