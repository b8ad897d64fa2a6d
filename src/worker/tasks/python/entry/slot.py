"""Tasks in Python inside of a slot for JavaScript, by Pyodide: `platform` is what the slot has for them (pyodide.ts)."""

import json
import os
import shutil
import sys
import tempfile

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


class Place:
    """Where the tasks of one job are: a directory for what they write, and the modules that they found in it."""

    def __init__(self, number):
        self.directory = f"/home/job-{number}"
        self.temporary = f"/tmp/job-{number}"
        self.modules = {}
        os.makedirs(self.directory)
        os.makedirs(self.temporary)

    def keep(self):
        """Takes its modules away, for as long as another job is here."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{self.directory}/"):
                self.modules[name] = sys.modules.pop(name)

    def remove(self):
        for left in (self.directory, self.temporary):
            shutil.rmtree(left, ignore_errors=True)


class Slot:
    """The jobs of a slot. Each has a module and a place of its own; what one leaves behind, the others do not find."""

    def __init__(self, platform):
        self._host = Host(platform)
        self._jobs = {}
        self._places = {}
        self._here = None
        self._path, self._environment = list(sys.path), dict(os.environ)
        sys.stdout, sys.stderr = output.Stream(self._host, "stdout"), output.Stream(self._host, "stderr")

    def load(self, order, code, chunk):
        """`order` in JSON; `code`: the bytes of its file; `chunk`: its first, of which all is said that is said meanwhile."""
        order = json.loads(order)
        number = order["job"]
        self._host.begin(chunk, 0)
        job = self._jobs[number] = chunks.Job(order)
        self._places[number] = Place(number)
        self._enter(number)
        job.load(code.to_bytes(), self._host.wait)

    def run(self, order, data):
        """Runs a chunk, and gives in JSON how many have ended, the blobs of their results and what they spawned, and their outcomes, packed."""
        order = json.loads(order)
        self._enter(order["job"])
        done, outcomes = chunks.run(order, self._jobs[order["job"]], data.to_bytes(), self._host)
        return to_js([json.dumps(outcomes.told(done)), outcomes.pack()])

    def forget(self, number):
        self._leave()
        self._jobs.pop(number, None)
        self._places.pop(number).remove()

    def _enter(self, number):
        if self._here == number:
            return
        self._leave()
        self._here, place = number, self._places[number]
        sys.path[:] = [place.directory, *self._path]
        sys.modules.update(place.modules)
        os.environ.clear()
        os.environ.update(self._environment, TMPDIR=place.temporary)
        os.chdir(place.directory)
        # It is asked for anew.
        tempfile.tempdir = None

    def _leave(self):
        if self._here is None:
            return
        self._places[self._here].keep()
        self._here = None
        sys.modules.pop("task", None)
        os.chdir("/")


async def _ended(awaitable):
    """What became of it: what is not an Exception, such as sys.exit, would end the loop that it runs in."""
    try:
        return None, await awaitable
    except BaseException as error:
        return error, None
