"""A task in Python: loads the file of a job, calls its function, and says in words what went wrong."""

import inspect
import linecache
import os
import sys
import traceback
import types

from values import ValueRefused

# As model/limits.ts has them.
ERROR_MESSAGE_BYTES = 4 * 1024
ERROR_STACK_BYTES = 8 * 1024

HERE = os.path.dirname(__file__)

CODE_ERROR = "TaskCodeError"


class Failure(Exception):
    """What becomes of a task that did not end well: a record of it."""

    def __init__(self, record, status=4):
        super().__init__(record["message"])
        self.record = record
        self.status = status


class Context:
    """The second argument of a task."""

    __slots__ = ("index", "_host", "_order", "_spawned")

    def __init__(self, host, order, index, spawned):
        self.index = index
        self._host = host
        self._order = order
        self._spawned = spawned

    @property
    def attempt(self):
        """Names this execution; another attempt of the same task has another one."""
        return f"{self._order['lease']}-{self.index}"

    @property
    def key(self):
        """Names the task; the same in every attempt, so that effects outside can be made idempotent."""
        return f"{self._order['farm']}-{self._order['job']}-{self.index}"

    def log(self, text):
        """A line for the job's log."""
        self._host.log(str(text))

    def progress(self, fraction, text=None):
        """How far the task is: 0 to 1, and a few words."""
        self._host.progress(float(fraction), None if text is None else str(text))

    def blob(self, what):
        """The bytes of a blob of the farm, by its SHA-256; or, given bytes, stores them and gives their name."""
        return self._host.get_blob(what) if isinstance(what, str) else self._host.put_blob(bytes(what))

    def spawn(self, input):
        """Adds a task with that input to the job, behind all others, once this one is recorded as done."""
        self._spawned.add(self.index, input)


def load(source, name, wait):
    """The module of a file, and its function `task`, called with an input and a context; `wait` runs a coroutine to its end.

    Raises a Failure that is every task's.
    """
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    module = types.ModuleType("task")
    module.__file__ = name
    # Classes of the file are looked for by the name of their module.
    sys.modules["task"] = module
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise code_failure(f"the task module {name} does not compile: {_said(error)}", error, name)
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        raise code_failure(f"the task module {name} failed while it was loaded: {_said(error)}", error, name)
    task = module.__dict__.get("task")
    if task is None:
        raise code_failure(
            f"the task module {name} has no function task, which is called for each input; add: def task(input, ctx): ..."
        )
    if not callable(task):
        raise code_failure(f"the name task in the task module {name} is no function")
    return module, _caller(task, wait)


def _caller(task, wait):
    """A task may leave out its context, or both, and may be a coroutine."""
    count = 2
    try:
        parameters = inspect.signature(task).parameters.values()
    except (TypeError, ValueError):
        parameters = None
    if parameters is not None and not any(each.kind is each.VAR_POSITIONAL for each in parameters):
        count = sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters)
    if count >= 2:
        call = task
    elif count == 1:
        call = lambda input, ctx: task(input)
    else:
        call = lambda input, ctx: task()
    if not inspect.iscoroutinefunction(task):
        return call
    return lambda input, ctx: wait(call(input, ctx))


def code_failure(message, error=None, name=None):
    record = {"kind": "error", "name": CODE_ERROR, "message": message[:ERROR_MESSAGE_BYTES]}
    if error is not None:
        record["stack"] = _stack(error, name)
    return Failure(record)


def failure_of(error, name, index):
    """What is told of a task that raised; `name` is the file whose lines its author knows."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, ValueRefused):
        return Failure({"kind": "error", "name": "ValueError", "message": f"the result of task {index}: {error}"[:ERROR_MESSAGE_BYTES]})
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        said = f": {error.code}" if isinstance(error.code, str) else ""
        message = f"the task called sys.exit with the code {code}{said}"
        return Failure({"kind": "error", "name": "ExitError", "message": message[:ERROR_MESSAGE_BYTES], "exitCode": code, "stack": _stack(error, name)})
    is_memory = isinstance(error, MemoryError)
    record = {
        "kind": "memory" if is_memory else "error",
        "name": type(error).__name__,
        "message": _text(error)[:ERROR_MESSAGE_BYTES],
        "stack": _stack(error, name),
    }
    cause = _cause(error, 5)
    if cause is not None:
        record["cause"] = cause
    return Failure(record, 7 if is_memory else 4)


def _cause(error, room):
    below = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if below is None or room == 0:
        return None
    cause = {"name": type(below).__name__, "message": _text(below)[:ERROR_MESSAGE_BYTES]}
    deeper = _cause(below, room - 1)
    if deeper is not None:
        cause["cause"] = deeper
    return cause


def _text(error):
    try:
        return str(error) or type(error).__name__
    except Exception:
        return "an error that cannot be read"


def _said(error):
    return f"{type(error).__name__}: {_text(error)}"


def _stack(error, name):
    """The traceback from the first line of the author's file on: what lies before is ours, and so is what of it lies here."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != name:
        trace = trace.tb_next
    try:
        told = traceback.TracebackException(type(error), error, trace)
        told.stack = traceback.StackSummary.from_list([each for each in told.stack if os.path.dirname(each.filename) != HERE])
        lines = told.format(chain=False)
    except Exception:
        lines = [_said(error)]
    text = "".join(lines).rstrip("\n")
    return text if len(text) <= ERROR_STACK_BYTES else "…" + text[-ERROR_STACK_BYTES + 1 :]
