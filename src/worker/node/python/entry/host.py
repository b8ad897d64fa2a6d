"""A process in which tasks in Python run: it does what its worker sends, and says what came of it.

It speaks as a task process of Node does (tasks/task-channel.ts): frames of `u32 length of the rest | u32 length of the
JSON | JSON | bytes`, from file descriptor 3, to file descriptor 4. Its argument is the directory of the blobs.
"""

import asyncio
import collections
import hashlib
import json
import os
import signal
import struct
import sys
import time

# What is the same wherever Python runs lies there; a task's own modules may have the names that are there.
sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tasks/python/entry")
import chunk as chunks
import output

del sys.path[0], sys.modules["chunk"], sys.modules["output"], sys.modules["task"], sys.modules["values"]
# Values may be a thousand levels deep, and a level takes some calls.
sys.setrecursionlimit(10_000)

FROM_WORKER, TO_WORKER = 3, 4
BLOBS = sys.argv[1]


class Channel:
    """Frames to the worker and from it. Writing waits, so what has been said is out whatever the next task does."""

    def __init__(self):
        self._input = open(FROM_WORKER, "rb", buffering=1 << 16)
        self._early = collections.deque()

    def send(self, message, data=b""):
        text = json.dumps(message, separators=(",", ":")).encode()
        frame = memoryview(struct.pack("<II", 4 + len(text) + len(data), len(text)) + text + data)
        while frame:
            frame = frame[os.write(TO_WORKER, frame) :]

    def next(self):
        """The next frame; None: the worker is gone."""
        return self._early.popleft() if self._early else self._read()

    def answer(self, request):
        """The answer to a request; what comes before it waits for its turn."""
        while True:
            frame = self._read()
            if frame is None:
                os._exit(1)
            message, _ = frame
            if message["kind"] == "blob" and message["request"] == request:
                return message
            self._early.append(frame)

    def _read(self):
        head = self._input.read(8)
        if len(head) < 8:
            return None
        size, length = struct.unpack("<II", head)
        rest = self._input.read(size - 4)
        if len(rest) < size - 4:
            return None
        return json.loads(rest[:length]), rest[length:]


class Host(output.Output):
    """What tasks may ask for. Blobs are files."""

    def __init__(self, channel):
        self._channel = channel
        self._requests = 0
        self._files = 0
        self._loop = None
        super().__init__()

    def send(self, message):
        self._channel.send(message)

    def wait(self, coroutine):
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(coroutine)

    def read_blob(self, sha256):
        with open(os.path.join(BLOBS, sha256), "rb") as file:
            return file.read()

    def get_blob(self, sha256):
        self._ask({"kind": "wantBlob", "sha256": sha256})
        return self.read_blob(sha256)

    def put_blob(self, data):
        blob = self.store(data)
        self._ask({"kind": "giveBlob", "blob": blob})
        return {"sha256": blob["sha256"], "size": blob["size"]}

    def store(self, data):
        """Keeps bytes in a file where the worker finds them; equal ones have two."""
        self._files += 1
        with open(f"result-{self._files}", "wb") as file:
            file.write(data)
        return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "file": self._files}

    def _ask(self, message):
        self._requests += 1
        self._channel.send({**message, "request": self._requests})
        answer = self._channel.answer(self._requests)
        if "error" in answer:
            raise OSError(answer["error"])


class Executor:
    def __init__(self, channel, host):
        self._channel = channel
        self._host = host
        self._jobs = {}

    def obey(self, message, data):
        kind = message["kind"]
        if kind == "chunk":
            self._run(message, data)
        elif kind == "job":
            self._jobs[message["job"]] = chunks.Job(message)
        elif kind == "forget":
            self._jobs.pop(message["job"], None)

    def _run(self, order, data):
        job = self._jobs[order["job"]]
        self._host.begin(order["id"], 0)
        if not job.loaded:
            with open(job.order["module"], "rb") as file:
                job.load(file.read(), self._host.wait)
            self._channel.send({"kind": "started", "chunk": order["id"]})
        begun = time.perf_counter()
        done, outcomes = chunks.run(order, job, data, self._host)
        message = {"kind": "done", "chunk": order["id"], **outcomes.told(done), "micros": (time.perf_counter() - begun) * 1e6}
        self._channel.send(message, outcomes.pack())


def main():
    # They are meant for the worker, which may want to finish what runs here; when it goes, this process goes with it.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    channel = Channel()
    host = Host(channel)
    sys.stdout, sys.stderr = output.Stream(host, "stdout"), output.Stream(host, "stderr")
    executor = Executor(channel, host)
    channel.send({"kind": "ready"})
    while (frame := channel.next()) is not None:
        executor.obey(*frame)


main()
