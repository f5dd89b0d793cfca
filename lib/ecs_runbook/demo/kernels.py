"""
Notebooks that start at once: kernels forked from a process that has imported everything already.

A kernel needs seconds to import its libraries, and each notebook has a kernel of its own. Run in a row, notebooks spend
most of their time on that. Here it is spent once: a notebook with a table, a picture and a page takes 0.6 s in place of
2.9 s, one with nothing 0.26 s (measured). What runs is papermill itself, on kernels that differ in nothing but how they
were started. Where a kernel cannot be forked (Windows, macOS, a server that died), it is started the ordinary way.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ecs_runbook.reports.page import quick_imports

PRELOAD = (
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.kernelapp",
    "boto3",
    "pandas",
    "matplotlib.backends.backend_agg",
    "pydantic",
    "ecs_runbook.session",
    "ecs_runbook.wanted.spec",
    "ecs_runbook.lint.reading",
    "ecs_runbook.reports.run",
    "ecs_runbook.reports.timeline",
)
"""What the notebooks import, the kernel's own parts first."""

_PATIENCE_SECONDS = 60
_IDLE_KERNEL_ENDS_SECONDS = 1.0
_TAIL_LINES = 20


class Warm:
    """
    Runs notebooks on warm kernels; made by :func:`warm_kernels`.

    It may be called from several threads at a time: neither folder nor environment of this process changes.
    """

    def __init__(self, server: _Server | None, log: Path | None) -> None:
        self._server = server
        self._log = log

    def __call__(
        self,
        notebook: Path,
        output: Path | None,
        *,
        parameters: Mapping[str, Any] | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """
        Run *notebook* with papermill.

        Parameters
        ----------
        notebook, output
            Where it is, and where papermill writes what ran; None to write nothing.
        parameters
            As papermill takes them.
        cwd
            The kernel's folder; the notebook's own if None, as in JupyterLab.
        env
            The kernel's complete environment; this process's if None.

        Raises
        ------
        papermill.PapermillExecutionError
            If a cell raises.
        nbclient.exceptions.DeadKernelError
            If the kernel dies; with the last lines of the log, if there is one.
        """
        with quick_imports():
            import papermill
            from nbclient.exceptions import DeadKernelError

        manager = _manager(self._server, (cwd or notebook.resolve().parent).resolve(), env)
        try:
            papermill.execute_notebook(
                _taken_literally(notebook.resolve()),
                None if output is None else _taken_literally(output.resolve()),
                parameters=dict(parameters or {}),
                kernel_manager_class=manager,
                kernel_name="python3",
                progress_bar=False,
                request_save_on_cell_execute=False,
                # a kernel's warnings to a terminal: TCP on loopback is not encrypted, and need not be
                extra_arguments=["--IPKernelApp.log_level=40"],
            )
        except DeadKernelError as error:
            if tail := _tail(self._log):
                error.add_note(f"The kernel's last words ({self._log}):\n{tail}")
            raise

    def interrupt(self) -> None:
        """Interrupt every notebook that runs, as Ctrl-C does; those on ordinary kernels have had it already."""
        if self._server is not None:
            self._server.interrupt()


@contextmanager
def warm_kernels(*, preload: Sequence[str] = PRELOAD, log: Path | None = None) -> Iterator[Warm]:
    """
    Run notebooks on kernels that start at once; leave no process behind.

    Returns at once: the imports go on beside whatever comes next, and the first notebook waits for them.

    Parameters
    ----------
    preload
        Modules to import before the first fork; one that is missing is passed over.
    log
        Where the kernels' standard output and error go; those of this process if None.

    Examples
    --------
    ::

        with warm_kernels() as execute:
            execute(Path("notebooks/40_prove.ipynb"), None, parameters={"rule": "nightly"})
    """
    server = _start(preload, log) if sys.platform == "linux" else None
    try:
        with quick_imports(), contextlib.suppress(ImportError):
            import papermill  # noqa: F401 - while the server does its own imports
        yield Warm(server, log)
    finally:
        if server is not None:
            server.close()


class _Server:
    """The forking process, as seen from here."""

    def __init__(self, process: subprocess.Popen[bytes], replies: IO[bytes]) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._state = "loading"
        self._pids: dict[int, int] = {}
        self._codes: dict[int, int] = {}
        self._alive: set[int] = set()
        self._reader = threading.Thread(target=self._read, args=(replies,), daemon=True)
        self._reader.start()

    def _read(self, replies: IO[bytes]) -> None:
        with replies:
            for line in replies:
                message = json.loads(line)
                with self._changed:
                    if "ready" in message:
                        self._state = "ready"
                    elif "pid" in message:
                        self._pids[message["id"]] = message["pid"]
                        self._alive.add(message["pid"])
                    elif "ended" in message:
                        self._codes[message["ended"]] = message["code"]
                        self._alive.discard(message["ended"])
                    self._changed.notify_all()
        with self._changed:
            self._state = "gone"
            self._changed.notify_all()

    def fork(self, arguments: Sequence[str], cwd: str, env: Mapping[str, str]) -> _Forked | None:
        """Return a new kernel, or None if this process cannot be asked for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._state != "loading", _PATIENCE_SECONDS)
            number = next(self._numbers)
            if self._state != "ready" or not self._ask(number, arguments, cwd, env):
                return None
            self._changed.wait_for(lambda: number in self._pids or self._state == "gone", _PATIENCE_SECONDS)
            pid = self._pids.pop(number, None)
        return None if pid is None else _Forked(pid, self)

    def _ask(self, number: int, arguments: Sequence[str], cwd: str, env: Mapping[str, str]) -> bool:
        request = {"id": number, "arguments": list(arguments), "cwd": cwd, "env": dict(env)}
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return False
        return True

    def code(self, pid: int) -> int | None:
        """Return how the kernel *pid* ended, None while it lives; one whose server is gone ends itself, unseen."""
        with self._changed:
            return self._codes.get(pid, -signal.SIGKILL if self._state == "gone" else None)

    def wait(self, pid: int, timeout: float | None = None) -> int:
        """Wait for the end of the kernel *pid*."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.code(pid) is not None, timeout):
                raise subprocess.TimeoutExpired(f"kernel {pid}", timeout or 0)
            return self.code(pid) or 0

    def interrupt(self) -> None:
        """Interrupt every kernel that lives."""
        with self._changed:
            for pid in self._alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)

    def close(self) -> None:
        """End the process and every kernel of its."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5)


class _Forked:
    """A forked kernel with the manners of :class:`subprocess.Popen`, which Jupyter expects."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, server: _Server) -> None:
        self.pid = pid
        self._server = server

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        return self._server.code(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        return self._server.wait(self.pid, timeout)

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _start(preload: Sequence[str], log: Path | None) -> _Server | None:
    """Start the forking process; None if that fails, since an ordinary kernel does as well, later."""
    receiving, sending = os.pipe()
    # the figures' backend is chosen at import; one thread of linear algebra, because a fork must find none
    env = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "ecs_runbook.demo.forking", "--replies", str(sending), *preload]
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else None
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=env,
                pass_fds=[sending],
                start_new_session=True,  # Ctrl-C is for this process, which then ends the kernels
            )
        except OSError:
            os.close(receiving)
            return None
        finally:
            os.close(sending)
    return _Server(process, os.fdopen(receiving, "rb"))


def _manager(server: _Server | None, cwd: Path, env: Mapping[str, str] | None) -> type:
    """Return the class of kernel manager that papermill is to use for one notebook."""
    with quick_imports():
        from jupyter_client.asynchronous import AsyncKernelClient
        from jupyter_client.kernelspec import KernelSpec
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_client.provisioning import LocalProvisioner

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = KernelSpec(argv=command, display_name="Python 3", language="python")
    # as papermill's own command line has it: a debugger that nobody asked for warns of Python's frozen modules
    environment = {"PYDEVD_DISABLE_FILE_VALIDATION": "1", **(os.environ if env is None else env)}

    class WarmProvisioner(LocalProvisioner):  # type: ignore[misc]
        async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
            forked = server.fork(cmd[3:], str(cwd), kwargs.get("env", environment)) if server else None
            if forked is None:
                return await super().launch_kernel(cmd, **kwargs)
            # its session, and so its process group, has its own number
            self.process, self.pid, self.pgid, self.cwd = forked, forked.pid, forked.pid, cwd
            return self.connection_info

    class PromptClient(AsyncKernelClient):  # type: ignore[misc]
        async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
            # Jupyter's own goes on to wait 0.2 s for silence, of which papermill, who sorts by request, has no need
            until = time.monotonic() + (timeout or _PATIENCE_SECONDS)
            while time.monotonic() < until and self.parent.provisioner.process.poll() is None:
                self.kernel_info()
                with contextlib.suppress(queue.Empty):
                    await self.get_shell_msg(timeout=1)
                    await self.get_iopub_msg(timeout=0.2)
                    return
            raise RuntimeError("The kernel did not answer.")

        wait_for_ready = _async_wait_for_ready

    class WarmKernelManager(AsyncKernelManager):  # type: ignore[misc]
        provisioner: Any
        # not the kernelspec of that name: it may belong to another Python
        kernel_spec = spec
        client_factory = PromptClient

        async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
            kwargs = {**kwargs, "cwd": str(cwd), "env": environment}
            if self.provisioner is None:
                self.provisioner = WarmProvisioner(kernel_id=self.kernel_id, kernel_spec=spec, parent=self)
            return await super()._async_pre_start_kernel(**kwargs)

        async def _async_interrupt_kernel(self) -> None:
            # Jupyter interrupts a kernel before it asks it to end. One that is idle may lose the question over that,
            # and then takes seconds to end (4 of 25 did). It is interrupted below if it is busy.
            if not self.shutting_down:
                await super()._async_interrupt_kernel()

        async def _async_finish_shutdown(self, *arguments: Any, **named: Any) -> None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._async_wait(pollinterval=0.01), _IDLE_KERNEL_ENDS_SECONDS)
            if await self._async_is_alive():
                await super()._async_interrupt_kernel()
            await super()._async_finish_shutdown(*arguments, **named)

    return WarmKernelManager


def _taken_literally(path: Path) -> str:
    """Return *path* so that papermill, which formats paths with the parameters, leaves its braces alone."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _tail(log: Path | None) -> str:
    if log is None:
        return ""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:])
    return ""
