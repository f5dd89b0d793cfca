"""
Log files read side by side, by processes that know nothing but how to read one.

Plain processes with pipes, not a pool: a pool runs the caller's own script once more in each process, which a notebook
does not have and a script without a main guard does not bear. Threads do not help: all but the inflating holds
Python's lock.
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import msgspec

from ecs_runbook.past.facts import EVENT_NAMES, FACT_COLUMNS, facts_of_record
from ecs_runbook.past.scan import LARGEST_BYTES, NotALogFile, scan

_LENGTH = struct.Struct("!Q")
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from ecs_runbook.past.readers import main; main()"
_MOST = 8


class Read(NamedTuple):
    """
    What one log file told.

    ``records``: how many it has. ``facts``: rows of :data:`~ecs_runbook.past.facts.FACT_COLUMNS`, of those that count.
    ``why`` it could not be read, as the rest of a sentence about it; else empty.
    """

    records: int = 0
    facts: tuple[tuple[Any, ...], ...] = ()
    why: str = ""


def read(file: bytes | str) -> Read:
    """
    Read one log file, its content or the path of it. Never fails: what is wrong is told.

    Examples
    --------
    >>> read(b'{"Records":[{"eventName":"ListTasks"}]}'), read(b"")
    (Read(records=1, facts=(), why=''), Read(records=0, facts=(), why='is empty'))
    """
    try:
        found = scan(_content(file) if isinstance(file, str) else file, EVENT_NAMES)
        facts = (fact for piece in found.found for fact in facts_of_record(_parsed(piece)))
        return Read(found.records, tuple(tuple(fact[name] for name in FACT_COLUMNS) for fact in facts))
    except FileNotFoundError:
        return Read(why="has gone since it was listed")
    except NotALogFile as error:
        return Read(why=str(error))
    except OSError as error:
        return Read(why=f"cannot be read: {error.strerror or error}")
    except MemoryError:
        return Read(why="does not fit into the memory")


def _parsed(piece: bytes) -> Any:
    try:
        return msgspec.json.decode(piece)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return json.loads(piece)  # which takes half a pair of surrogates, and numbers beyond all measure


def _content(path: str) -> bytes:
    with Path(path).open("rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST_BYTES:
            raise NotALogFile(f"holds more than {LARGEST_BYTES // 2**20} MB")
        return file.read(LARGEST_BYTES + 1)


def cores() -> int:
    """Return how many processes are worth starting here."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux alone: a container may use fewer cores than there are
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, _MOST)


class Readers:
    """
    So many processes that read log files; none: the caller's own.

    Several threads may call :meth:`read` at once. A process that ends is replaced, and the file that it had is told of.
    """

    def __init__(self, processes: int) -> None:
        self._idle: queue.Queue[subprocess.Popen[bytes] | None] = queue.Queue()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._processes = processes
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Readers:
        for _ in range(self._processes):
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
        self._idle.put(None)
        for process in list(self._running):
            self._end(process)

    def read(self, file: bytes | str) -> Read:
        """Read a file as :func:`read` does, in a process that has nothing to do, or as soon as one has."""
        if not self._processes:
            with self._lock:
                return read(file)
        process = self._idle.get()
        if process is None:
            self._idle.put(None)  # for the next thread that waits
            return Read(why="was not read: it was stopped before")
        try:
            told = _asked(process, file)
        except (OSError, EOFError, ValueError):  # ValueError: its pipes are closed
            code = self._end(process)
            self._start()
            return Read(why=f"ended the process that read it, with exit code {code}; is the memory full?")
        self._idle.put(process)
        return told

    def _start(self) -> None:
        command = [sys.executable, "-I", "-c", _START, json.dumps([str(Path(one).resolve()) for one in sys.path])]
        with self._lock:
            if not self._closed:
                process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                self._running.add(process)
                self._idle.put(process)

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        process.kill()
        code = process.wait()
        with self._lock:
            self._running.discard(process)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        return code


def _asked(process: subprocess.Popen[bytes], file: bytes | str) -> Read:
    assert process.stdin is not None
    assert process.stdout is not None
    _send(process.stdin, file)
    told = _received(process.stdout)
    assert isinstance(told, Read)
    return told


def _send(stream: IO[bytes], what: object) -> None:
    raw = pickle.dumps(what)
    stream.write(_LENGTH.pack(len(raw)))
    stream.write(raw)
    stream.flush()


def _received(stream: IO[bytes]) -> object:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    raw = stream.read(length)
    if len(raw) < length:
        raise EOFError
    return pickle.loads(raw)  # noqa: S301 - made by this library, in a process that it started


def main() -> None:
    """Read the files that standard input names or brings, and write to standard output what each tells."""
    # Ctrl-C is for the process that asks; it ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            file = _received(sys.stdin.buffer)
            assert isinstance(file, bytes | str)
            _send(sys.stdout.buffer, read(file))
    except (EOFError, BrokenPipeError):
        os._exit(0)  # nobody asks any more
