"""
The gate that every call of an inventory and of its checks goes through.

It keeps to the rates of each API, waits out what AWS throttles, tries again what fell over on the way, stops asking
where nothing answers, and counts. Many threads go through it at once.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import DENIED, THROTTLED, Asking
from ecs_runbook.inventory.doors import Doors
from ecs_runbook.inventory.model import Gap, Place
from ecs_runbook.inventory.rates import MOST_WORKERS, Bucket, Rate, rate_of

SILENT = frozenset({"ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError"})
BROKEN = frozenset(
    {
        "ConnectionClosedError",
        "ConnectionError",
        "HTTPClientError",
        "IncompleteReadError",
        "ProxyConnectionError",
        "ResponseStreamingError",
        "SSLError",
    }
)
"""What botocore calls a connection that broke."""
FAULTS = frozenset({500, 502, 503, 504})
_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K")


@dataclass(frozen=True)
class Patience:
    """
    How often and how long is waited.

    Attributes
    ----------
    throttles, faults, silences
        How often a call is made again that was throttled, that broke on the way or met a fault of AWS (5xx), and that
        got no answer.
    first_pause, longest_pause
        Seconds before it is made again; doubled each time, with jitter.
    silent_rounds
        After so many silences in a row, nothing of that service there is asked any more.
    broken_calls
        The same after so many calls that were made again in vain.
    place_seconds
        After so long, nothing of the account and Region is asked any more.
    """

    throttles: int = 10
    faults: int = 4
    silences: int = 1
    first_pause: float = 0.5
    longest_pause: float = 20.0
    silent_rounds: int = 2
    broken_calls: int = 20
    place_seconds: float = 7200.0


class Gate:
    """
    Where calls wait for their turn.

    Parameters
    ----------
    limited
        Whether AWS's rates hold. Where they do not, as on the local AWS, they do from the first throttle on.
    patience
        How often and how long is waited.
    sleep, clock
        How to wait, and a clock in seconds that never goes back.
    jitter
        A number from 0 to 1.

    Attributes
    ----------
    counts
        Every call that was made, by operation; one that was refused, or made again, counts too.
    throttled
        How often AWS throttled, by operation.

    Examples
    --------
    >>> gate = Gate()
    >>> ask = gate.ask(Place("111122223333", "eu-west-2"))
    >>> ask("ecs:ListClusters", lambda **parameters: {"clusterArns": []})
    {'clusterArns': []}
    >>> gate.counts["ecs:ListClusters"], gate.calls
    (1, 1)
    """

    def __init__(
        self,
        *,
        limited: bool = True,
        patience: Patience | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.limited = limited
        self.patience = patience or Patience()
        self.counts: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self._stop = threading.Event()
        self.sleep, self.clock, self._jitter = sleep or self._stop.wait, clock, jitter
        self.doors = Doors(
            silences=self.patience.silent_rounds,
            breaks=self.patience.broken_calls,
            place_seconds=self.patience.place_seconds,
            clock=clock,
        )
        self._lanes: dict[tuple[str, str, str], _Lane] = {}
        self._lock = threading.Lock()

    @property
    def calls(self) -> int:
        """The number of calls made so far."""
        return self.counts.total()

    def ask(self, place: Place) -> Asking:
        """Return who asks in *place*: every call of it goes through here."""
        return _Through(self, place)

    def each(self, operation: str, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | AwsError]]:
        """
        Yield each of *items* with what *function* returned for it, or AWS's refusal, in order.

        So many are under way at once as *operation* needs to be asked as fast as it may be; where no rate holds, as
        many as ever are. *items* may be found on the way: work begins with the first.
        """
        workers = rate_of(operation).workers if self.limited else MOST_WORKERS
        return self.side_by_side(function, items, workers=workers)

    def side_by_side(
        self, function: Callable[[T], R], items: Iterable[T], *, workers: int
    ) -> Iterator[tuple[T, R | AwsError]]:
        """
        Yield each of *items* with what *function* returned for it, or AWS's refusal, in order; *workers* at once.

        Whatever else is raised, an interrupt above all, ends every call that still waits at the gate.

        Examples
        --------
        >>> list(Gate().side_by_side(str.upper, ["a", "b"], workers=2))
        [('a', 'A'), ('b', 'B')]
        """
        pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="gate")
        stopped = False
        try:
            begun: list[tuple[T, Future[R]]] = [(item, pool.submit(function, item)) for item in items]
            for item, future in begun:
                try:
                    answer: R | AwsError = future.result()
                except AwsError as error:
                    answer = error
                yield item, answer
        except BaseException:
            stopped = True
            self._stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            if stopped:
                self._stop.clear()

    def at_once(self, jobs: Mapping[K, Callable[[], R]], *, most: int) -> dict[K, R]:
        """
        Return what each of *jobs* returns, by its key; no more than *most* are under way together.

        Raises
        ------
        AwsError
            Of the first job that raises one.
        """
        found: dict[K, R] = {}
        workers = min(most, max(len(jobs), 1))
        for key, answer in self.side_by_side(lambda key: jobs[key](), jobs, workers=workers):
            if isinstance(answer, AwsError):
                raise answer
            found[key] = answer
        return found

    def admit(self, place: Place, operation: str) -> None:
        """
        Wait until *operation* may be called in *place*, and count it.

        Raises
        ------
        AwsError
            If nothing of it is asked any more, with the reason.
        """
        lane = self._lane(place, rate_of(operation))
        self.doors.require_open(place, operation)
        if self.limited or lane.bucket.share < 1:
            # while one waits, the next waits for it: a clock that only moves when somebody waits moves once
            with lane.turn:
                with self._lock:
                    wait = lane.bucket.take(self.clock())
                self._wait(wait)
        self.doors.require_open(place, operation)
        if self._stop.is_set():
            raise AwsError(operation, "Interrupted", "nothing more is asked")
        with self._lock:
            self.counts[operation] += 1

    def heard(self, place: Place, operation: str) -> None:
        """Note that AWS answered."""
        self.doors.heard(place, operation)
        lane = self._lane(place, rate_of(operation))
        with self._lock:
            lane.bucket.answered()

    def again(self, place: Place, error: AwsError, tries: _Tries, began: float) -> bool:
        """Say whether a call that failed is to be made again, after the pause that it needs."""
        if error.code in THROTTLED:
            tries.throttles += 1
            lane = self._lane(place, rate_of(error.operation))
            with self._lock:
                self.throttled[error.operation] += 1
                # the bucket makes everybody wait, this one too
                lane.bucket.throttled(self.clock(), self._pause(tries.throttles))
            return tries.throttles <= self.patience.throttles
        if error.code in SILENT:
            tries.silences += 1
            self.doors.not_heard(place, error, began)
            return tries.silences <= self.patience.silences
        if error.code in BROKEN or _status(error) in FAULTS:
            tries.faults += 1
            if tries.faults > self.patience.faults:
                self.doors.broke(place, error)
                return False
            self._wait(self._pause(tries.faults))
            return True
        self.doors.refused(place, error)
        return False

    def _pause(self, tries: int) -> float:
        full = min(self.patience.longest_pause, self.patience.first_pause * 2.0 ** (tries - 1))
        return full * (0.5 + self._jitter() / 2)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.sleep(seconds)

    def _lane(self, place: Place, rate: Rate) -> _Lane:
        key = (place.account, place.region if rate.regional else "", rate.name)
        with self._lock:
            if key not in self._lanes:
                self._lanes[key] = _Lane(Bucket(rate, self.clock()))
            return self._lanes[key]


@dataclass
class _Lane:
    bucket: Bucket
    turn: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Tries:
    throttles: int = 0
    faults: int = 0
    silences: int = 0


class _Through(Asking):
    """Who asks in one place, through the gate."""

    def __init__(self, gate: Gate, place: Place) -> None:
        super().__init__()
        self._gate, self._place = gate, place

    def __call__(self, operation: str, call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
        tries = _Tries()
        while True:
            self._gate.admit(self._place, operation)
            began = self._gate.clock()
            try:
                answer = super().__call__(operation, call, **parameters)
            except AwsError as error:
                if not self._gate.again(self._place, error, tries, began):
                    raise
            else:
                self._gate.heard(self._place, operation)
                return answer


def gap_of(error: AwsError, *, place: Place | None = None, subject: str = "") -> Gap:
    """
    Return what *error* leaves unknown.

    Examples
    --------
    >>> words = "User: u is not authorized to perform: kms:Decrypt on resource: k"
    >>> gap = gap_of(AwsError("scheduler:GetSchedule", "AccessDeniedException", words))
    >>> gap.denied, gap.operation
    (True, 'kms:Decrypt')
    """
    denied = error.code in DENIED or "AccessDenied" in error.code
    named = _ACTION.search(error.words) if denied else None
    operation = named[1] if named else error.operation
    return Gap(operation, f"{error.code}: {error.words}", denied=denied, place=place, subject=subject)


def _status(error: AwsError) -> int:
    response = getattr(error.__cause__, "response", None) or {}
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
