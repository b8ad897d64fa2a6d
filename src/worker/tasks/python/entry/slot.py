"""Tasks in Python inside of a slot for JavaScript, by Pyodide: `platform` is what the slot has for them (pyodide.ts)."""

import json
import os
import shutil
import sys

from pyodide.ffi import JsException, can_run_sync, run_sync, to_js

import chunk as chunks
import output

# They were found because they lie beside this file; a task's own modules may have their names.
del sys.modules["chunk"], sys.modules["output"], sys.modules["task"], sys.modules["values"]
# Values may be a thousand levels deep, and a level takes some calls.
sys.setrecursionlimit(10_000)


class Host(output.Output):
    def __init__(self, platform):
        self._platform = platform
        super().__init__()

    def send(self, message):
        self._platform.send(json.dumps(message))

    def wait(self, awaitable):
        if not can_run_sync():
            if hasattr(awaitable, "close"):
                awaitable.close()
            raise OSError("this browser cannot wait inside of Python (it lacks JavaScript Promise Integration): no async def, no ctx.blob")
        error, result = run_sync(_ended(awaitable))
        if error is not None:
            raise error
        return result

    def read_blob(self, sha256):
        return self._platform.readBlob(sha256).to_bytes()

    def get_blob(self, sha256):
        return self._waited(self._platform.getBlob, sha256).to_bytes()

    def put_blob(self, data):
        return json.loads(self._waited(self._platform.putBlob, to_js(data)))

    def store(self, data):
        return json.loads(self._platform.storeBlob(to_js(data)))

    def _waited(self, ask, what):
        try:
            return self.wait(ask(what))
        except JsException as error:
            raise OSError(error.message) from None


class Slot:
    """The jobs of a slot. Each has a directory and a module of its own; what one leaves behind, the next does not find."""

    def __init__(self, platform):
        self._host = Host(platform)
        self._jobs = {}
        self._current = None
        self._path, self._environment = list(sys.path), dict(os.environ)
        sys.stdout, sys.stderr = output.Stream(self._host, "stdout"), output.Stream(self._host, "stderr")

    def load(self, order, code, chunk):
        """`order` in JSON; `code`: the bytes of its file; `chunk`: its first, of which all is said that is said meanwhile."""
        order = json.loads(order)
        self._host.begin(chunk, 0)
        job = self._jobs[order["job"]] = chunks.Job(order)
        os.makedirs(_directory(order["job"]), exist_ok=True)
        self._enter(order["job"])
        job.load(code.to_bytes(), self._host.wait)

    def run(self, order, data):
        """Runs a chunk, and gives in JSON how many have ended and the blobs of their results, and their outcomes, packed."""
        order = json.loads(order)
        self._enter(order["job"])
        done, outcomes = chunks.run(order, self._jobs[order["job"]], data.to_bytes(), self._host)
        return to_js([json.dumps({"done": done, "blobs": outcomes.blobs}), outcomes.pack()])

    def forget(self, number):
        directory = _directory(number)
        self._jobs.pop(number, None)
        os.chdir("/")
        self._current = None
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{directory}/"):
                del sys.modules[name]
        sys.modules.pop("task", None)
        for left in (directory, "/tmp"):
            shutil.rmtree(left, ignore_errors=True)
        os.makedirs("/tmp", exist_ok=True)

    def _enter(self, number):
        if self._current == number:
            return
        self._current = number
        sys.path[:] = [_directory(number), *self._path]
        os.environ.clear()
        os.environ.update(self._environment)
        os.chdir(_directory(number))


async def _ended(awaitable):
    """What became of it: what is not an Exception, such as sys.exit, would end the loop that it runs in."""
    try:
        return None, await awaitable
    except BaseException as error:
        return error, None


def _directory(number):
    return f"/home/job-{number}"
