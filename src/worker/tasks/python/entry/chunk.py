"""A chunk of tasks in Python, from packed inputs to packed outcomes. The same wherever Python runs.

A host, which is the platform's, knows how messages are sent (`send`), where a blob is (`read_blob`, `get_blob`), how
bytes are kept (`store`, `put_blob`), and how a coroutine is waited for (`wait`).
"""

import json
import struct
import sys
import time

import task as tasks
import values

# As model/limits.ts has them.
CHUNK_TIME = 0.010
CHUNK_BYTES = 512 * 1024
INLINE_VALUE_BYTES = 64 * 1024
# As model/spawn-limits.ts has them.
SPAWN_TASKS = 4_096
SPAWN_BYTES = 128 * 1024

JSON, BYTES, JSON_BLOB, BYTES_BLOB = range(4)


class Job:
    """What a worker is told of a job before its first chunk, and its function once it is loaded."""

    def __init__(self, order):
        self.order = order
        self.name = order["code"]["sourceName"]
        self.call = None
        self.module = None
        self.failure = None

    @property
    def loaded(self):
        return self.call is not None or self.failure is not None

    def load(self, code, wait):
        """`code`: the bytes of its file."""
        try:
            self.module, self.call = tasks.load(code.decode("utf-8"), self.name, wait)
        except tasks.Failure as failure:
            self.failure = failure
        except UnicodeDecodeError:
            self.failure = tasks.code_failure(f"the task module {self.name} is no text in UTF-8")


class Spawned:
    """What the tasks of a chunk give their job (`ctx.spawn`): of those that fail, nothing."""

    def __init__(self, allowed):
        self._allowed = allowed
        self._index = None
        self._mine = []
        self._bytes = 0
        self.by = []
        self.inputs = []
        self.size = 0

    def begin(self, index):
        self._index, self._mine, self._bytes = index, [], 0

    def add(self, index, value):
        if not self._allowed:
            raise TypeError("ctx.spawn is for jobs that were submitted with the option spawns (run --spawns)")
        if index != self._index:
            raise TypeError("ctx.spawn was called after its task had ended")
        if len(self._mine) == SPAWN_TASKS:
            raise ValueError(f"ctx.spawn: a task adds at most {SPAWN_TASKS} others; give some of them several inputs to spread")
        try:
            content = values.content(value)
        except values.ValueRefused as error:
            raise TypeError(f"ctx.spawn: {error}".replace("result", "its input", 1)) from None
        self._bytes += len(content[1])
        if self._bytes > SPAWN_BYTES:
            raise ValueError(
                f"ctx.spawn: the inputs that a task adds have at most {SPAWN_BYTES // 1024} KiB together; store what is large by ctx.blob, and spawn its name"
            )
        self._mine.append(content)

    def end(self, position, succeeded):
        if succeeded and self._mine:
            self.by.append([position, len(self._mine)])
            self.inputs += self._mine
            self.size += self._bytes
        self._index = None


class Outcomes:
    """The outcomes of a chunk, and behind them what its tasks gave their job, packed as protocol/column.ts has it."""

    def __init__(self, spawns):
        self.spawned = Spawned(spawns)
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
            status, data = status + 2, _record({"sha256": blob["sha256"], "size": blob["size"]})
        self.add(status, data)

    def add_failure(self, failure):
        self.add(failure.status, _record(failure.record))

    @property
    def full(self):
        return self.size + self.spawned.size >= CHUNK_BYTES or len(self.spawned.inputs) >= SPAWN_TASKS

    def told(self, done):
        """What is said of it beside its bytes."""
        told = {"done": done}
        if self.blobs:
            told["blobs"] = self.blobs
        if self.spawned.by:
            told["spawned"] = self.spawned.by
        return told

    def pack(self):
        for status, data in self.spawned.inputs:
            self.add(status, data)
        statuses = self._statuses
        mixed = len(set(statuses)) > 1
        head = struct.pack("<BBBBI", 4, mixed, 0 if mixed else statuses[0], 0, len(statuses))
        lengths = struct.pack(f"<{len(statuses)}I", *self._lengths)
        return b"".join([head, lengths, bytes(statuses) if mixed else b"", *self._parts])


def _record(value):
    return json.dumps(value, separators=(",", ":")).encode() + b","


def run(order, job, data, host):
    """Runs all tasks of a chunk, or as many as fit into CHUNK_TIME and CHUNK_BYTES. Gives their number and outcomes."""
    if job.module is not None:
        # Classes of the file are looked for by the name of their module.
        sys.modules["task"] = job.module
    deadline = time.perf_counter() + CHUNK_TIME
    numbers = job.order.get("range")
    inputs = None if numbers else _read_column(data)
    missing = order.get("missing", {})
    outcomes = Outcomes(job.order.get("spawns", False))
    spawned = outcomes.spawned
    position = 0
    for start, count in ((run["start"], run["count"]) for run in order["runs"]):
        for index in range(start, start + count):
            host.begin(order["id"], position)
            spawned.begin(index)
            succeeded = False
            try:
                if job.failure is not None:
                    raise job.failure
                value = numbers["start"] + index * numbers["step"] if numbers else _input_at(inputs, position, missing, host)
                outcomes.add_result(job.call(value, tasks.Context(host, order, index, spawned)), host)
                succeeded = True
            except BaseException as error:
                outcomes.add_failure(tasks.failure_of(error, job.name, index))
            spawned.end(position, succeeded)
            sys.stdout.flush()
            sys.stderr.flush()
            position += 1
            if time.perf_counter() >= deadline or outcomes.full:
                return position, outcomes
    return position, outcomes


def _read_column(packed):
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


def _input_at(inputs, position, missing, host):
    status, value = inputs[position]
    if status == JSON:
        return value
    sha256 = value["sha256"]
    if sha256 in missing:
        raise OSError(f"the input of this task could not be fetched: {missing[sha256]}")
    data = host.read_blob(sha256)
    return data if status == BYTES_BLOB else values.decode(json.loads(data))
