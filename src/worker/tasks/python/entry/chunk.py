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


class Outcomes:
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
            status, data = status + 2, _record({"sha256": blob["sha256"], "size": blob["size"]})
        self.add(status, data)

    def add_failure(self, failure):
        self.add(failure.status, _record(failure.record))

    def pack(self):
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
    outcomes = Outcomes()
    position = 0
    for start, count in ((run["start"], run["count"]) for run in order["runs"]):
        for index in range(start, start + count):
            host.begin(order["id"], position)
            try:
                if job.failure is not None:
                    raise job.failure
                value = numbers["start"] + index * numbers["step"] if numbers else _input_at(inputs, position, missing, host)
                outcomes.add_result(job.call(value, tasks.Context(host, order, index)), host)
            except BaseException as error:
                outcomes.add_failure(tasks.failure_of(error, job.name, index))
            sys.stdout.flush()
            sys.stderr.flush()
            position += 1
            if time.perf_counter() >= deadline or outcomes.size >= CHUNK_BYTES:
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
