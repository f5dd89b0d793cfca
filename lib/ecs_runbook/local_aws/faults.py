"""
What goes wrong on purpose, call by call: see ``faults`` in :mod:`~ecs_runbook.local_aws.settings`.

Calls that the local AWS makes itself, as EventBridge does, are never hit.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ecs_runbook.local_aws.world import Answer, Call

KINDS = ("server-error", "reset", "hang", "expired-token", "denied", "repeated-token")
_NAMES = frozenset({"fault", "operation", "region", "account", "after", "times"})
_LONGEST_HANG = 600.0  # seconds; a client that never gives up must not hold its thread for ever
Times = int | Literal["always"]


@dataclass
class Fault:
    """
    One fault, and which calls it hits.

    Parameters
    ----------
    kind
        One of :data:`KINDS`.
    operation, region, account
        Of the calls that it hits, with ``*`` and ``?``: ``events:List*``.
    after
        How many of those calls go well first.
    times
        How many are hit then.

    Examples
    --------
    >>> fault = Fault("reset", operation="ecs:*", after=1, times=1)
    >>> [fault.hits("ecs:RunTask", "eu-west-2", "123456789012") for _ in range(3)]
    [False, True, False]
    """

    kind: str
    operation: str = "*"
    region: str = "*"
    account: str = "*"
    after: int = 0
    times: Times = "always"
    _seen: int = field(default=0, repr=False)

    def hits(self, operation: str, region: str, account: str) -> bool:
        """Say whether this one call is hit, and count it."""
        asked = ((operation, self.operation), (region, self.region), (account, self.account))
        if not all(fnmatchcase(value, pattern) for value, pattern in asked):
            return False
        self._seen += 1
        return self._seen > self.after and (self.times == "always" or self._seen <= self.after + self.times)

    def shown(self) -> dict[str, Any]:
        """Return it as it was set."""
        told = {name: getattr(self, name) for name in ("operation", "region", "account", "after", "times")}
        return {"fault": self.kind, **told}


class Faults:
    """The faults of one world: the first that hits a call decides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._first_pages: dict[str, Answer] = {}

    def set(self, faults: list[Fault]) -> None:
        """Take *faults* in place of those before."""
        with self._lock:
            self._faults, self._first_pages = faults, {}

    def shown(self) -> list[dict[str, Any]]:
        """Return every fault as it was set."""
        return [fault.shown() for fault in self._faults]

    def hit(self, call: Call) -> str:
        """Return what happens to *call*; nothing for most."""
        if not self._faults:
            return ""
        name = f"{call.service}:{call.operation}"
        with self._lock:
            return next(
                (fault.kind for fault in self._faults if fault.hits(name, call.region, call.caller.account)), ""
            )

    def repeated(self, call: Call, token: str, answer: Callable[[], Answer]) -> Answer:
        """
        Return the first page for ever: a token in it leads to itself.

        Parameters
        ----------
        token
            The parameter that asks for a later page.
        """
        asked = {name: value for name, value in call.params.items() if name != token}
        page = json.dumps([call.service, call.operation, call.region, call.caller.arn, asked], default=str)
        if call.params.get(token) and page in self._first_pages:
            return self._first_pages[page]
        self._first_pages[page] = answer()
        return self._first_pages[page]


def faults_of(value: Any, known: Callable[[str], bool]) -> list[Fault]:
    """
    Read the setting.

    Raises
    ------
    ValueError
        If it names a fault, an operation or a value that there is not.
    """
    if not isinstance(value, list):
        message = f'faults = {value}: a list such as [{{"fault": "reset", "operation": "events:ListRules"}}] is wanted.'
        raise ValueError(message)  # noqa: TRY004  every fault of the body is answered alike
    return [_fault(one, known) for one in value]


def _fault(given: Any, known: Callable[[str], bool]) -> Fault:
    if not isinstance(given, Mapping) or given.get("fault") not in KINDS or set(given) - _NAMES:
        message = (
            f"faults = {given}: it has fault (one of {', '.join(KINDS)}), and some of {', '.join(sorted(_NAMES))}."
        )
        raise ValueError(message)
    operation = given.get("operation", "*")
    if not isinstance(operation, str) or not ("*" in operation or "?" in operation or known(operation)):
        message = f"faults = {operation}: no such operation; one is called ecs:RunTask, some events:*, all *."
        raise ValueError(message)
    after, times = given.get("after", 0), given.get("times", "always")
    if not _whole(after) or not (_whole(times) or times == "always"):
        message = f"faults = {given}: after is a number of calls, and times too, or always."
        raise ValueError(message)
    return Fault(given["fault"], operation, str(given.get("region", "*")), str(given.get("account", "*")), after, times)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def reset(connection: socket.socket) -> ConnectionResetError:
    """Let *connection* be reset as it is closed, and return what the server is to be left with."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return ConnectionResetError("this call was to be reset")


def hang(connection: socket.socket) -> ConnectionResetError:
    """Say nothing until the client gives up, and return what the server is to be left with."""
    select.select([connection], [], [], _LONGEST_HANG)
    return ConnectionResetError("this call was to hang")
