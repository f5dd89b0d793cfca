"""
Files read by several processes side by side.

Plain processes with pipes, not a pool: a pool runs the caller's own script once more in each process, which a notebook
does not have and a script without a main guard does not bear.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from ecs_runbook.lint.files import packed
from ecs_runbook.lint.syntax import RawFile

_LENGTH = struct.Struct("!QI")
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from ecs_runbook.lint.worker import main; main()"

Paths = Sequence[tuple[Path, str]]


def side_by_side(paths: Paths, processes: int, done: Callable[[int], None]) -> Mapping[int, RawFile]:
    """
    Read files in several processes; return what each holds, by its place in *paths*.

    What a process that failed did not read is not there. *done* is called with how many are read.
    """
    shares = [range(at, len(paths), processes) for at in range(processes)]
    answers: queue.Queue[tuple[int, RawFile] | None] = queue.Queue()
    running: list[subprocess.Popen[bytes]] = []
    readers: list[threading.Thread] = []
    read: dict[int, RawFile] = {}
    try:
        for share in shares:
            running.append(_started())
            told = [(at, str(paths[at][0]), paths[at][1]) for at in share]
            readers.append(threading.Thread(target=_asked, args=(running[-1], told, answers), daemon=True))
            readers[-1].start()
        for _ in running:
            while (answer := answers.get()) is not None:
                read[answer[0]] = answer[1]
                done(len(read))
    finally:
        for process in running:
            process.kill()
            process.wait()
        for reader in readers:
            reader.join()
    return read


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-c", _START, json.dumps([str(Path(one).resolve()) for one in sys.path])]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _asked(
    process: subprocess.Popen[bytes],
    told: Sequence[tuple[int, str, str]],
    answers: queue.Queue[tuple[int, RawFile] | None],
) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with process.stdout:
            with process.stdin:
                process.stdin.write(json.dumps(told).encode())
            for at, raw in _frames(process.stdout):
                read = pickle.loads(raw)  # noqa: S301 - made by this library, in a process that it started
                assert isinstance(read, RawFile)
                answers.put((at, read))
    except (OSError, ValueError):
        pass  # the process has ended: what it left is read by the caller
    finally:
        answers.put(None)


def _frames(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
        at, length = _LENGTH.unpack(head)
        raw = stream.read(length)
        if len(raw) < length:
            return
        yield at, raw


def main() -> None:
    """Read the files that standard input lists, and write what they hold to standard output."""
    # Ctrl-C is for the process that reads the answers; it ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for at, path, name in json.loads(sys.stdin.buffer.read()):
            raw = packed(Path(path), name)
            sys.stdout.buffer.write(_LENGTH.pack(at, len(raw)) + raw)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(0)  # nobody reads any more
