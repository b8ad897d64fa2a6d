"""What a task in Python says while it runs: its prints, its log, and how far it is. The same wherever Python runs."""

import io
import time

# As model/limits.ts has them.
TASK_LOG_BYTES = 64 * 1024
LOG_MESSAGE_BYTES = 8 * 1024
SLOT_LOG_RATE = 256 * 1024
PROGRESS_EVERY = 0.1


class Output:
    """Messages of the task that runs, under its name and within bounds; a platform says how they are sent."""

    def __init__(self):
        self._told = 0.0
        self._second = 0
        self._left = SLOT_LOG_RATE
        self._dropped = 0
        self.begin(0, 0)

    def send(self, message):
        raise NotImplementedError

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
            self.send({"kind": "log", "chunk": self.chunk, "position": self.position, "stream": stream, "text": part})

    def progress(self, fraction, text):
        if fraction != fraction or fraction in (float("inf"), float("-inf")):
            raise TypeError("progress needs a number from 0 to 1")
        now = time.monotonic()
        if now - self._told < PROGRESS_EVERY:
            return
        self._told = now
        message = {"kind": "progress", "chunk": self.chunk, "position": self.position, "fraction": fraction}
        self.send(message if text is None else {**message, "text": text[:256]})


class Stream(io.TextIOBase):
    """Takes the place of sys.stdout and sys.stderr. Lines are sent whole."""

    def __init__(self, output, name):
        self._output = output
        self._name = name
        self._rest = ""

    def writable(self):
        return True

    def write(self, text):
        self._rest += text
        end = self._rest.rfind("\n") + 1
        if end > 0:
            whole, self._rest = self._rest[:end], self._rest[end:]
            self._output.print(self._name, whole)
        return len(text)

    def flush(self):
        whole, self._rest = self._rest, ""
        if whole:
            self._output.print(self._name, whole)
