"""Ask AWS: calls are counted, refusals told in AWS's own words, a limited API is asked no faster than it allows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from ecs_runbook.errors import AwsError

THROTTLED = frozenset(
    {
        "EC2ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Codes that botocore takes for throttling."""
REPEATED_TOKEN = "RepeatedPageToken"  # noqa: S105 - our own code for an answer that leads back to itself
_TOKENS = ("nextToken", "NextToken", "PaginationToken", "Marker")
_UNREACHED = "Look at the connection and the credentials of this session."
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})


class Asking:
    """
    The calls made to AWS for one question.

    Attributes
    ----------
    counts
        How often each operation was called, ``{"ecs:ListTasks": 2}``. A call that was refused counts too.

    Examples
    --------
    >>> ask = Asking()
    >>> ask("ecs:ListTasks", lambda **parameters: {"taskArns": []}, cluster="default")
    {'taskArns': []}
    >>> ask.calls
    1
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @property
    def calls(self) -> int:
        """The number of calls made so far."""
        return self.counts.total()

    def __call__(self, operation: str, call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
        """
        Make one call.

        Raises
        ------
        AwsError
            If AWS refuses it or does not answer.
        """
        self.counts[operation] += 1
        try:
            answer: dict[str, Any] = call(**parameters)
        except ClientError as error:
            raise refusal(operation, error) from error
        except BotoCoreError as error:
            raise AwsError(operation, type(error).__name__, str(error), hint=_UNREACHED) from error
        return answer

    def pages(self, operation: str, call: Callable[..., Any], **parameters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield page after page, each asked for when it is needed.

        Raises
        ------
        AwsError
            If AWS refuses one; with the code :data:`REPEATED_TOKEN` if a page leads to one that was asked for before.
        """
        page = self(operation, call, **parameters)
        yield page
        seen: set[tuple[str, ...]] = set()
        while onward := {key: page[key] for key in _TOKENS if page.get(key)}:
            if tuple(onward.values()) in seen:
                raise AwsError(operation, REPEATED_TOKEN, f"page {len(seen) + 1} leads to a page that was read already")
            seen.add(tuple(onward.values()))
            page = self(operation, call, **parameters, **onward)
            yield page


def refusal(operation: str, error: ClientError) -> AwsError:
    """Return AWS's refusal of *operation* as an :class:`AwsError` with the next thing to do."""
    told = error.response.get("Error", {})
    code, words = str(told.get("Code", "Unknown")), str(told.get("Message", ""))
    return AwsError(operation, code, words, hint=_hint(operation, code))


def _hint(operation: str, code: str) -> str:
    if code in DENIED:
        return f"The caller needs {operation}."
    if code in THROTTLED:
        return "AWS was asked too fast; try again in a minute."
    return ""


class Limiter:
    """
    No more than so many calls a second.

    Parameters
    ----------
    per_second
        Calls a second; ``float("inf")`` waits for nothing.
    sleep, clock
        How to wait, and a clock in seconds that never goes back.

    Examples
    --------
    >>> waited = []
    >>> limiter = Limiter(2, sleep=waited.append, clock=lambda: 100.0)
    >>> limiter.wait(); limiter.wait()
    >>> waited
    [0.5]
    """

    def __init__(
        self,
        per_second: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gap = 1 / per_second
        self.sleep = sleep
        self._clock = clock
        self._next = float("-inf")

    def wait(self) -> None:
        """Wait until the next call is allowed."""
        now = self._clock()
        if self._next > now:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + self._gap


class Bars(Protocol):
    """Where progress is shown: one row a thing waited for, *done* from 0 to 1."""

    def row(self, key: str, done: float, note: str = "") -> None:
        """Create or move the bar named *key*."""
