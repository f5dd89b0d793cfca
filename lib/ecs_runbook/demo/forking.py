"""
A process that has imported what notebooks need, and forks a kernel from itself on request.

``python -P -m ecs_runbook.demo.forking --replies FD MODULE…`` is started by :mod:`ecs_runbook.demo.kernels`, and by
nothing else. It reads one request a line from its standard input and ends with it::

    → {"id": 1, "arguments": ["-f", "kernel.json"], "cwd": "/tmp", "env": {…}}
    ← {"ready": 3.1, "missing": []}          everything is imported; "unfit": "…" instead if it must not fork
    ← {"id": 1, "pid": 4711}
    ← {"ended": 4711, "code": 0}

It has one thread and opens nothing that a kernel would have to share, so that a fork is as good as a new process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LINGER_SECONDS = 2.0


def main(arguments: Sequence[str]) -> None:
    """Import the modules named, then fork kernels until the requests end."""
    replies = int(arguments[1])
    os.set_inheritable(replies, False)
    begun = time.monotonic()
    missing = _preload(arguments[2:])
    if reason := _unfit():
        _reply(replies, {"unfit": reason})
        return
    gc.collect()
    gc.freeze()  # what is here already need not be copied by a kernel's garbage collection
    _reply(replies, {"ready": round(time.monotonic() - begun, 2), "missing": missing})
    _serve(replies)


def _preload(modules: Sequence[str]) -> list[str]:
    """Import *modules*, and return those that are not there: a kernel then misses them itself, and says so."""
    from ecs_runbook.reports.page import page, quick_imports

    missing = []
    with quick_imports():
        for module in modules:
            try:
                importlib.import_module(module)
            except ImportError:
                missing.append(module)
    with contextlib.suppress(ImportError):  # the templates of the page, compiled once for all kernels
        empty: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        page(empty, dict.fromkeys(("notebook", "where", "account", "region", "at", "status"), "") | {"checks": []})
    return missing


def _unfit() -> str:
    """Return why this process must not fork, or an empty text: a thread's locks would stay locked in the child."""
    tasks = Path("/proc/self/task")
    threads = len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()
    return f"{threads} threads" if threads > 1 else ""


def _serve(replies: int) -> None:
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    requests, kernels, unread = sys.stdin.fileno(), set[int](), b""
    while True:
        readable, _, _ = select.select([requests, woken], [], [])
        if woken in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
            _bury(kernels, replies)
        if requests in readable:
            received = os.read(requests, 1 << 20)
            if not received:
                _end(kernels)
                return
            *lines, unread = (unread + received).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    _become_kernel(request, [requests, replies, woken, wake])
                kernels.add(pid)
                _reply(replies, {"id": request["id"], "pid": pid})


def _bury(kernels: set[int], replies: int) -> None:
    """Say of each kernel that has ended how it ended."""
    for pid in list(kernels):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            kernels.discard(pid)
            _reply(replies, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _end(kernels: set[int]) -> None:
    """Leave no kernel behind."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        for pid in kernels:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signum)
        until = time.monotonic() + _LINGER_SECONDS
        while kernels and time.monotonic() < until:
            for pid in list(kernels):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    kernels.discard(pid)
            time.sleep(0.01)


def _reply(replies: int, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(replies, json.dumps(message).encode() + b"\n")


def _become_kernel(request: dict[str, Any], ours: list[int]) -> None:
    """Go on as the kernel of *request*; never returns."""
    code, server = 1, os.getppid()
    try:
        _settle_in(request, ours)
        from ipykernel.kernelapp import IPKernelApp

        # a kernel ends itself when the process of this number is no longer its parent
        IPKernelApp.launch_instance(argv=[*request["arguments"], f"--IPKernelApp.parent_handle={server}"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, it must be seen, and the process must not go on as the server
        sys.excepthook(*sys.exc_info())
    finally:
        _leave(code)


def _settle_in(request: dict[str, Any], ours: list[int]) -> None:
    """Take a session, environment, folder and input of its own, and let go of the server's."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number in [*(number for number in ours if number != 0), nothing]:
        os.close(number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - it is the process's own
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv = ["ipykernel_launcher.py", *request["arguments"]]
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def _leave(code: int) -> None:
    """End as an interpreter does, without taking apart, module by module, what is about to vanish anyhow."""
    import atexit

    with contextlib.suppress(BaseException):
        from ipykernel.kernelapp import IPKernelApp

        # it waits for a thread that may wait for one that is gone: 2 of 16 kernels took four seconds over that
        atexit.unregister(IPKernelApp.instance().close)
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
