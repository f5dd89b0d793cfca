"""What the rooms of the local AWS share: the clock, the lock, and the call that is being answered."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.local_aws.clock import Clock
from ecs_runbook.local_aws.settings import Settings

if TYPE_CHECKING:
    from ecs_runbook.local_aws.identity import Caller

ACCOUNT = "123456789012"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    return host in _LOOPBACK or host.endswith(".localhost")  # S3 puts a bucket's name before the host


@dataclass
class Call:
    """
    One call of an operation.

    Parameters
    ----------
    service, operation
        botocore's names, ``ecs`` and ``RunTask``.
    region
        From the signature.
    caller
        Who signed it.
    params
        By botocore's model, in the API's own casing; empty when they could not be read.
    source_ip, user_agent, invoked_by
        As the trail records them.
    time
        When it came in: aware UTC, by the world's clock.
    params_known
        Whether *params* could be read.
    """

    service: str
    operation: str
    region: str
    caller: Caller
    params: dict[str, Any]
    source_ip: str
    user_agent: str
    invoked_by: str
    time: datetime
    params_known: bool = True


@dataclass
class Answer:
    """What a request got: HTTP's status, headers and body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, *names: str) -> str:
        """Return the value of the first of the headers *names* that is there, else nothing."""
        lowered = {name.lower(): value for name, value in self.headers}
        return next((lowered[name] for name in names if name in lowered), "")


Listener = Callable[[Call, Any, Answer], None]


@dataclass
class World:
    """
    What the rooms share.

    Parameters
    ----------
    account
        The first account, whose root every unknown key is.
    life
        The identity of this server's life: a restarted server has another.
    lock
        Held while a call of a service that knows the clock is answered, and while the clock's actions run.
    settings
        What can be set while it runs.
    listeners
        Called after every call, with the call, the operation's model and the answer.
    furnishers
        Called once for every account and region, before the first call there.
    """

    account: str = ACCOUNT
    life: str = field(default_factory=lambda: uuid.uuid4().hex)
    lock: Any = field(default_factory=threading.RLock)
    settings: Settings = field(default_factory=Settings)
    listeners: list[Listener] = field(default_factory=list)
    furnishers: list[Callable[[str, str], None]] = field(default_factory=list)
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(lock=self.lock)


current_call: ContextVar[Call] = ContextVar("current_call")
_WORLD: list[World] = []


def world() -> World:
    """Return the world of this process, made at the first call."""
    if not _WORLD:
        _WORLD.append(World())
    return _WORLD[0]
