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
from ecs_runbook.inventory.model import Gap, Place
from ecs_runbook.inventory.rates import Bucket, Rate, rate_of

WORKERS = 8
"""Calls under way at once for one kind of thing in one place: 50 a second need as many, at 150 ms a call."""

EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "CredentialRetrievalError",
        "NoCredentialsError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
"""The session is over: nothing of the account is asked any more."""
NOT_LET_IN = frozenset({"AuthFailure", "InvalidClientTokenId", "OptInRequired", "UnrecognizedClientException"})
"""What a Region says that is not enabled for the account: nothing of the service there is asked any more."""
_SILENT = frozenset({"ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError"})
_BROKEN = frozenset(
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
_FAULTS = frozenset({500, 502, 503, 504})
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
    silent_calls
        After so many calls in a row without an answer, nothing of that service there is asked any more.
    broken_calls
        The same for calls that were made again in vain.
    place_seconds
        After so long, nothing of the account and Region is asked any more.
    """

    throttles: int = 10
    faults: int = 4
    silences: int = 1
    first_pause: float = 0.5
    longest_pause: float = 20.0
    silent_calls: int = 3
    broken_calls: int = 20
    place_seconds: float = 3600.0


class Gate:
    """
    Where calls wait for their turn.

    Parameters
    ----------
    limited
        Whether AWS's rates hold: they do not on the local AWS, unless it is told so.
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
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.limited = limited
        self.patience = patience or Patience()
        self.counts: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self._sleep, self._clock, self._jitter = sleep, clock, jitter
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, str, str], _Lane] = {}
        self._doors: dict[tuple[str, str, str], _Door] = {}
        self._began: dict[Place, float] = {}

    @property
    def calls(self) -> int:
        """The number of calls made so far."""
        return self.counts.total()

    def ask(self, place: Place) -> Asking:
        """Return who asks in *place*: every call of it goes through here."""
        return _Through(self, place)

    def each(
        self, function: Callable[[T], R], items: Iterable[T], *, workers: int = WORKERS
    ) -> Iterator[tuple[T, R | AwsError]]:
        """
        Yield each of *items* with what *function* returned for it, or AWS's refusal, in order; many at once.

        *items* may be found on the way: work begins with the first.
        """
        pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="gate")
        try:
            begun: list[tuple[T, Future[R]]] = [(item, pool.submit(function, item)) for item in items]
            for item, future in begun:
                try:
                    yield item, future.result()
                except AwsError as error:
                    yield item, error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def at_once(self, jobs: Mapping[K, Callable[[], R]], *, workers: int) -> dict[K, R]:
        """
        Return what each of *jobs* returns, by its key; all of them are done side by side.

        Raises
        ------
        AwsError
            Of the first job that raises one.
        """
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="gate") as pool:
            begun = {key: pool.submit(job) for key, job in jobs.items()}
            try:
                return {key: future.result() for key, future in begun.items()}
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def admit(self, place: Place, operation: str) -> None:
        """
        Wait until *operation* may be called in *place*.

        Raises
        ------
        AwsError
            If nothing of it is asked any more, with the reason.
        """
        rate = rate_of(operation)
        lane = self._lane(place, rate)
        with lane.lock:
            self._require_open(place, operation)
            wait = lane.bucket.take(self._clock()) if self.limited or lane.bucket.share < 1 else 0.0
            # The next one waits for the lock, so a clock that only this thread moves is moved once.
            if wait > 0:
                self._sleep(wait)
        self._require_open(place, operation)
        with self._lock:
            self.counts[operation] += 1

    def heard(self, place: Place, operation: str) -> None:
        """Note that AWS answered."""
        door = self._door(place, operation)
        lane = self._lane(place, rate_of(operation))
        with self._lock:
            door.silent = door.broken = 0
            lane.bucket.answered()

    def pause_before(self, place: Place, operation: str, error: AwsError, tries: _Tries) -> float | None:
        """Return for how many seconds to wait before the call is made again; None if it is not."""
        if error.code in EXPIRED:
            self._shut(_Door.of_account(place), error)
            return None
        door = self._door(place, operation)
        if error.code in NOT_LET_IN:
            self._shut(_Door.of_service(place, operation), error)
            return None
        if error.code in THROTTLED:
            with self._lock:
                self.throttled[operation] += 1
            pause = self._pause(tries.throttles)
            lane = self._lane(place, rate_of(operation))
            with self._lock:
                lane.bucket.throttled(self._clock(), pause)
            tries.throttles += 1
            # the bucket itself makes everybody wait
            return 0.0 if tries.throttles <= self.patience.throttles else None
        if error.code in _SILENT:
            with self._lock:
                door.silent += 1
                shut = door.silent >= self.patience.silent_calls
            if shut:
                self._shut(_Door.of_service(place, operation), error)
            tries.silences += 1
            return 0.0 if tries.silences <= self.patience.silences and not shut else None
        if error.code in _BROKEN or _status(error) in _FAULTS:
            tries.faults += 1
            if tries.faults <= self.patience.faults:
                return self._pause(tries.faults - 1)
            with self._lock:
                door.broken += 1
                shut = door.broken >= self.patience.broken_calls
            if shut:
                self._shut(_Door.of_service(place, operation), error)
            return None
        self.heard(place, operation)
        return None

    def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds > 0:
            self._sleep(seconds)

    def _pause(self, tries: int) -> float:
        full = min(self.patience.longest_pause, self.patience.first_pause * 2.0**tries)
        return full * (0.5 + self._jitter() / 2)

    def _lane(self, place: Place, rate: Rate) -> _Lane:
        key = (place.account, place.region if rate.regional else "", rate.name)
        with self._lock:
            if key not in self._lanes:
                self._lanes[key] = _Lane(Bucket(rate, self._clock()))
            return self._lanes[key]

    def _door(self, place: Place, operation: str) -> _Door:
        key = _Door.of_service(place, operation)
        with self._lock:
            return self._doors.setdefault(key, _Door())

    def _shut(self, key: tuple[str, str, str], error: AwsError) -> None:
        with self._lock:
            door = self._doors.setdefault(key, _Door())
            door.why = door.why or error

    def _require_open(self, place: Place, operation: str) -> None:
        now = self._clock()
        with self._lock:
            began = self._began.setdefault(place, now)
            doors = [self._doors.get(key) for key in (_Door.of_account(place), _Door.of_service(place, operation))]
        why = next((door.why for door in doors if door and door.why), None)
        if why is not None:
            raise AwsError(operation, why.code, f"not asked any more, since {why.operation} got: {why.words}")
        if now - began > self.patience.place_seconds:
            words = f"not asked any more: {place} took longer than {self.patience.place_seconds:.0f} seconds"
            raise AwsError(operation, "TooLong", words)


@dataclass
class _Lane:
    bucket: Bucket
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Door:
    """Of a service in a place, or of an account: whether it still answers."""

    silent: int = 0
    broken: int = 0
    why: AwsError | None = None

    @staticmethod
    def of_account(place: Place) -> tuple[str, str, str]:
        return (place.account, "", "")

    @staticmethod
    def of_service(place: Place, operation: str) -> tuple[str, str, str]:
        return (place.account, place.region, operation.partition(":")[0])


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
            try:
                answer = super().__call__(operation, call, **parameters)
            except AwsError as error:
                pause = self._gate.pause_before(self._place, operation, error, tries)
                if pause is None:
                    raise
                self._gate.sleep(pause)
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
