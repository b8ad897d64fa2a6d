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

/** Starts an interpreter. `loader`: the module `pyodide.mjs`. */
export function startPyodide(loader: object, options: LoadOptions): Promise<Pyodide> {
  const { loadPyodide } = loader as { loadPyodide: LoadPyodide };
  return loadPyodide({
    ...options,
    // Not from somewhere else: there are no packages but the standard library.
    packageBaseUrl: options.indexURL,
    stdin: () => null,
  });
}
