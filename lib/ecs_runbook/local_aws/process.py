"""
The local AWS as a process: start it, find it again, move its clock, stop it.

Its address is noted in a folder, so that a notebook, the command line and ``make demo`` find the same one. A note
counts only while the process that it names still answers with the life that it names: a pid alone may long belong to
another.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ecs_runbook import workspace
from ecs_runbook.errors import LocalAwsError

NOTE = "local-aws.json"
LOG = "local-aws.log"
_LOCK = "local-aws.lock"
_HOST = "127.0.0.1"
_POLL = 0.02
# None of these may reach the server: it must find no way to a real account, nor the settings of another moto.
_UNWANTED = ("AWS_", "MOTO_", "BOTO_", "TEST_SERVER_MODE", "TEST_PROXY_MODE", "INITIAL_NO_AUTH", "WERKZEUG_", "FLASK_")
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Server:
    """
    A local AWS that answers.

    Parameters
    ----------
    url
        The endpoint for AWS clients.
    port, pid
        Where it listens, and which process it is.
    life
        The identity of this life: its state is in memory, so a restarted server is another AWS.
    folder
        Where its address is noted and its log lies.
    """

    url: str
    port: int
    pid: int
    life: str
    folder: Path


def start(folder: Path, port: int | None = None, timeout: float = 20) -> Server:
    """
    Return the local AWS of *folder*, started if need be.

    Parameters
    ----------
    folder
        Where its address is noted; two starts at once, from two notebooks, end with one server.
    port
        Where it shall listen; any free port if left out.
    timeout
        Seconds that it may take to answer.

    Raises
    ------
    LocalAwsError
        If the port is taken, another one already runs elsewhere, moto is missing, or it does not answer in time.
    WorkspaceError
        If *folder* cannot be written to.
    """
    with _alone(workspace.writable(folder.resolve())):
        if (running := status(folder)) is not None:
            return _as_wanted(running, port)
        _check_installed()
        _check_port(port)
        return _launched(folder.resolve(), port or 0, timeout)


def stop(folder: Path, timeout: float = 5) -> bool:
    """
    Stop the local AWS of *folder*; its state is gone with it, and so is Terraform's of what was in it.

    Returns
    -------
    bool
        Whether there was one.
    """
    server = status(folder)
    if server is None:
        return False
    for sign in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, sign)
        if _gone(server, timeout):
            break
    with contextlib.suppress(FileNotFoundError):
        (folder / NOTE).unlink()
    if server.life.isalnum():  # it names a folder
        shutil.rmtree(workspace.state(server.life), ignore_errors=True)
    return True


def status(folder: Path) -> Server | None:
    """Return the local AWS of *folder* if it answers, else None."""
    try:
        note = json.loads((folder / NOTE).read_text())
        server = Server(f"http://{_HOST}:{note['port']}", note["port"], note["pid"], note["life"], folder.resolve())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if _answers(server) else None


def health(server: Server) -> dict[str, Any]:
    """
    Return what the server says of itself: ``life``, ``account``, ``now``, ``frozen``.

    Raises
    ------
    LocalAwsError
        If it does not answer.
    """
    return _ask(server, "GET", "/_local/health")


def clock(
    server: Server,
    to: datetime | str | None = None,
    advance: str | float | None = None,
    freeze: bool = False,
    release: bool = False,
) -> dict[str, Any]:
    """
    Move the server's clock, stop it or let it go on; with nothing to do, read it.

    Parameters
    ----------
    to
        A moment with its time zone, to which the clock moves forward; whatever falls due on the way happens.
    advance
        A span to move forward by: seconds, or text such as ``24h``.
    freeze, release
        Stand still; go on from where it stands.

    Returns
    -------
    dict
        ``now`` (ISO 8601), ``frozen``, and how many ``actions`` fell due.

    Raises
    ------
    LocalAwsError
        If the server refuses, for instance to go back, or does not answer.
    """
    wanted: dict[str, Any] = {}
    if to is not None:
        wanted["to"] = to.isoformat() if isinstance(to, datetime) else to
    if advance is not None:
        wanted["advance"] = advance
    wanted |= {name: True for name, given in (("freeze", freeze), ("release", release)) if given}
    if not wanted:
        answer = health(server)
        return {"now": answer["now"], "frozen": answer["frozen"], "actions": 0}
    return _ask(server, "POST", "/_local/clock", wanted)


def settings(server: Server, **wanted: Any) -> dict[str, Any]:
    """
    Change the server's settings; with nothing to change, read them.

    Parameters
    ----------
    wanted
        Some of ``cloudtrail_delay_seconds``, ``enforce_iam``, ``fargate``, ``faults``, ``rates``, ``retry_refused``,
        ``throttle``, ``reset``: see :mod:`~ecs_runbook.local_aws.settings`.

    Returns
    -------
    dict
        All settings as they are now.

    Raises
    ------
    LocalAwsError
        If the server refuses one, and then changes none, or does not answer.
    """
    return _ask(server, "POST" if wanted else "GET", "/_local/settings", wanted or None)


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment for the server's process: *outer* without anything that leads to an AWS.

    Examples
    --------
    >>> sorted(environment({"AWS_PROFILE": "production", "PATH": "/bin", "MOTO_PORT": "1"}))
    ['AWS_CONFIG_FILE', 'AWS_EC2_METADATA_DISABLED', 'AWS_SHARED_CREDENTIALS_FILE', 'MOTO_DISABLE_GLOBAL_CORS', 'PATH']
    """
    kept = {name: value for name, value in outer.items() if not name.upper().startswith(_UNWANTED)}
    return kept | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MOTO_DISABLE_GLOBAL_CORS": "true",
    }


def _as_wanted(running: Server, port: int | None) -> Server:
    if port not in (None, 0, running.port):
        message = f"port = {port}: the local AWS already runs on port {running.port}."
        raise LocalAwsError(message, hint="Use that one, or stop it first with `ecs-runbook local stop`.")
    return running


def _check_installed() -> None:
    missing = [name for name in ("moto", "flask", "flask_cors") if importlib.util.find_spec(name) is None]
    if missing:
        message = f"The local AWS needs {', '.join(missing)}, which is not installed."
        raise LocalAwsError(message, hint="Install this project with its extra `local`.")


def _check_port(port: int | None) -> None:
    if not port:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f"port = {port}: the local AWS cannot listen there ({reason})."
            raise LocalAwsError(message, hint="Name another with --port, or none to take any that is free.") from error


def _launched(folder: Path, port: int, timeout: float) -> Server:
    # -P: a file of the current folder must not stand in for a module.
    command = [sys.executable, "-P", "-m", "ecs_runbook.local_aws", "--port", str(port), "--folder", str(folder)]
    with contextlib.suppress(FileNotFoundError):
        (folder / NOTE).unlink()
    with (folder / LOG).open("wb") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(os.environ),
            start_new_session=True,  # an interrupt of the notebook must not end it
        )
    _CHILDREN[child.pid] = child
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if child.poll() is not None:
            raise LocalAwsError(f"The local AWS ended at once: {_last_line(folder)}.", hint=f"See {folder / LOG}.")
        if (server := status(folder)) is not None:
            return server
        time.sleep(_POLL)
    child.kill()
    child.wait()
    raise LocalAwsError(f"The local AWS did not answer within {timeout:g} s.", hint=f"See {folder / LOG}.")


def _last_line(folder: Path) -> str:
    lines = (folder / LOG).read_text(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else "it said nothing"


def _answers(server: Server) -> bool:
    try:
        return bool(health(server).get("life") == server.life)
    except LocalAwsError:
        return False


def _gone(server: Server, timeout: float) -> bool:
    """Wait until the process has ended. One that another process started may remain as a zombie; it answers no more."""
    if (child := _CHILDREN.get(server.pid)) is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout)
            del _CHILDREN[server.pid]
            return True
        return False
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if not _answers(server):
            return True
        time.sleep(_POLL)
    return False


def _ask(server: Server, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
    # Not urllib: it would go through a proxy that the environment names.
    connection = http.client.HTTPConnection(_HOST, server.port, timeout=600 if content else 5)
    try:
        connection.request(method, path, body=json.dumps(content) if content is not None else None)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        message = f"The local AWS at {server.url} does not answer: {error}."
        raise LocalAwsError(message, hint="Start it with `ecs-runbook local start`.") from error
    finally:
        connection.close()
    if not isinstance(answer, dict) or response.status != 200:
        reason = answer.get("error", "") if isinstance(answer, dict) else ""
        raise LocalAwsError(reason or f"{server.url}{path} answered {response.status}.")
    return answer


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it falls with the process that holds it."""
    with (folder / _LOCK).open("a") as lock:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
            yield
            return
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
