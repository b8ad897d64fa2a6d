"""A process in which tasks in Python run: it does what its worker sends, and says what came of it.

It speaks as a task process of Node does (tasks/task-channel.ts): frames of `u32 length of the rest | u32 length of the
JSON | JSON | bytes`, from file descriptor 3, to file descriptor 4. Its argument is the directory of the blobs.
"""

import collections
import hashlib
import io
import json
import os
import signal
import struct
import sys
import time

import task as tasks
import values

# They were found because they lie beside this file; a task's own modules may have their names.
del sys.path[0], sys.modules["task"], sys.modules["values"]
# Values may be a thousand levels deep, and a level takes some calls.
sys.setrecursionlimit(10_000)

FROM_WORKER, TO_WORKER = 3, 4
BLOBS = sys.argv[1]

# As model/limits.ts has them.
CHUNK_TIME = 0.010
CHUNK_BYTES = 512 * 1024
INLINE_VALUE_BYTES = 64 * 1024
TASK_LOG_BYTES = 64 * 1024
LOG_MESSAGE_BYTES = 8 * 1024
SLOT_LOG_RATE = 256 * 1024
PROGRESS_EVERY = 0.1

JSON, BYTES, JSON_BLOB, BYTES_BLOB = range(4)


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


class Host:
    """What tasks may ask for, and the place of the one that runs."""

    def __init__(self, channel):
        self._channel = channel
        self._requests = 0
        self._files = 0
        self._told = 0.0
        self._second = 0
        self._left = SLOT_LOG_RATE
        self._dropped = 0
        self.begin(0, 0)

    def begin(self, chunk, position):
        self.chunk, self.position, self._room = chunk, position, TASK_LOG_BYTES

    def log(self, text):
        self.print("log", text)

    def print(self, stream, text):
        """Within bounds: of one task, and of all in a second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._left = second, SLOT_LOG_RATE
            if self._dropped > 0:
                dropped, self._dropped = self._dropped, 0
                self._say("stderr", f"({dropped} characters of output were dropped: too much in a second)\n")
        if self._room <= 0:
            return
        text = text[: self._room]
        if len(text) > self._left:
            self._dropped += len(text)
            return
        self._left -= len(text)
        self._room -= len(text)
        self._say(stream, text)
        if self._room == 0:
            self._say("stderr", "(the rest of this task's output was dropped: too much for one task)\n")

    def _say(self, stream, text):
        for at in range(0, len(text), LOG_MESSAGE_BYTES):
            part = text[at : at + LOG_MESSAGE_BYTES]
            self._channel.send({"kind": "log", "chunk": self.chunk, "position": self.position, "stream": stream, "text": part})

    def progress(self, fraction, text):
        if fraction != fraction or fraction in (float("inf"), float("-inf")):
            raise TypeError("progress needs a number from 0 to 1")
        now = time.monotonic()
        if now - self._told < PROGRESS_EVERY:
            return
        self._told = now
        message = {"kind": "progress", "chunk": self.chunk, "position": self.position, "fraction": fraction}
        self._channel.send(message if text is None else {**message, "text": text[:256]})

    def get_blob(self, sha256):
        self._ask({"kind": "wantBlob", "sha256": sha256})
        return read_blob(sha256)

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


def read_blob(sha256):
    with open(os.path.join(BLOBS, sha256), "rb") as file:
        return file.read()


class Stream(io.TextIOBase):
    """Takes the place of sys.stdout and sys.stderr. Lines are sent whole."""

    def __init__(self, host, name):
        self._host = host
        self._name = name
        self._rest = ""

    def writable(self):
        return True

    def write(self, text):
        self._rest += text
        end = self._rest.rfind("\n") + 1
        if end > 0:
            whole, self._rest = self._rest[:end], self._rest[end:]
            self._host.print(self._name, whole)
        return len(text)

    def flush(self):
        whole, self._rest = self._rest, ""
        if whole:
            self._host.print(self._name, whole)


class Column:
    """The outcomes of a chunk, packed as protocol/column.ts has it."""

    def __init__(self):
        self._parts = []
        self._lengths = []
        self._statuses = bytearray()
        self.size = 0
        self.blobs = []

    def add(self, status, data):
        self._parts.append(data)
        self._lengths.append(len(data))
        self._statuses.append(status)
        self.size += len(data)

    def add_result(self, result, host):
        status, data = values.content(result)
        if len(data) > INLINE_VALUE_BYTES:
            blob = host.store(data if status == BYTES else data[:-1])
            self.blobs.append(blob)
            status, data = status + 2, record({"sha256": blob["sha256"], "size": blob["size"]})
        self.add(status, data)

    def pack(self):
        statuses = self._statuses
        mixed = len(set(statuses)) > 1
        head = struct.pack("<BBBBI", 4, mixed, 0 if mixed else statuses[0], 0, len(statuses))
        lengths = struct.pack(f"<{len(statuses)}I", *self._lengths)
        return b"".join([head, lengths, bytes(statuses) if mixed else b"", *self._parts])


def record(value):
    return json.dumps(value, separators=(",", ":")).encode() + b","


def read_column(packed):
    """The inputs of a chunk; one that lies in a blob is read when its task starts."""
    width, mixed, status, _, count = struct.unpack_from("<BBBBI", packed)
    at = 8
    if width == 0:
        lengths = struct.unpack_from("<I", packed, at) * count
        at += 4
    else:
        lengths = struct.unpack_from(f"<{count}{' BH I'[width]}", packed, at)
        at += count * width
    statuses = packed[at : at + count] if mixed else bytes([status]) * count
    at += count if mixed else 0
    if not any(statuses):
        items = iter(json.loads(b"[" + packed[at:-1] + b"]"))
        tagged = b'"$mh"' in packed
        return [(JSON, values.decode(next(items)) if tagged else next(items)) if length else (JSON, None) for length in lengths]
    inputs = []
    for length, status in zip(lengths, statuses):
        data = packed[at : at + length]
        at += length
        if status == BYTES:
            inputs.append((JSON, data))
        else:
            form = json.loads(data[:-1]) if length else None
            inputs.append((status, values.decode(form) if status == JSON else form))
    return inputs


def input_at(inputs, position, missing):
    status, value = inputs[position]
    if status == JSON:
        return value
    sha256 = value["sha256"]
    if sha256 in missing:
        raise OSError(f"the input of this task could not be fetched: {missing[sha256]}")
    data = read_blob(sha256)
    return data if status == BYTES_BLOB else values.decode(json.loads(data))


class Job:
    def __init__(self, order):
        self.order = order
        self.name = order["code"]["sourceName"]
        self.call = None
        self.failure = None

    def load(self):
        try:
            with open(self.order["module"], encoding="utf-8") as file:
                self.call = tasks.load(file.read(), self.name)
        except tasks.Failure as failure:
            self.failure = failure
        except UnicodeDecodeError:
            self.failure = tasks.code_failure(f"the task module {self.name} is no text in UTF-8")


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
            self._jobs[message["job"]] = Job(message)
        elif kind == "forget":
            self._jobs.pop(message["job"], None)

    def _run(self, order, data):
        job = self._jobs[order["job"]]
        self._host.begin(order["id"], 0)
        if job.call is None and job.failure is None:
            job.load()
            self._channel.send({"kind": "started", "chunk": order["id"]})
        begun = time.perf_counter()
        column = Column()
        done = self._run_tasks(order, job, data, column, begun + CHUNK_TIME)
        message = {"kind": "done", "chunk": order["id"], "done": done, "micros": (time.perf_counter() - begun) * 1e6}
        self._channel.send({**message, "blobs": column.blobs} if column.blobs else message, column.pack())

    def _run_tasks(self, order, job, data, column, deadline):
        """How many have ended: all, or as many as fit into CHUNK_TIME and CHUNK_BYTES."""
        numbers = job.order.get("range")
        inputs = None if numbers else read_column(data)
        missing = order.get("missing", {})
        position = 0
        for start, count in ((run["start"], run["count"]) for run in order["runs"]):
            for index in range(start, start + count):
                self._host.begin(order["id"], position)
                try:
                    if job.failure is not None:
                        raise job.failure
                    value = numbers["start"] + index * numbers["step"] if numbers else input_at(inputs, position, missing)
                    column.add_result(job.call(value, tasks.Context(self._host, order, index)), self._host)
                except BaseException as error:
                    failure = tasks.failure_of(error, job.name, index)
                    column.add(failure.status, record(failure.record))
                sys.stdout.flush()
                sys.stderr.flush()
                position += 1
                if time.perf_counter() >= deadline or column.size >= CHUNK_BYTES:
                    return position
        return position


def main():
    # They are meant for the worker, which may want to finish what runs here; when it goes, this process goes with it.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    channel = Channel()
    host = Host(channel)
    sys.stdout, sys.stderr = Stream(host, "stdout"), Stream(host, "stderr")
    executor = Executor(channel, host)
    channel.send({"kind": "ready"})
    while (frame := channel.next()) is not None:
        executor.obey(*frame)


main()
