"""What still answers: where a session is over, a Region lets nobody in, or nothing answers, nothing more is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ecs_runbook.errors import AwsError
from ecs_runbook.inventory.model import Place

EXPIRED = frozenset(
    {
        "CredentialRetrievalError",
        "ExpiredToken",
        "ExpiredTokenException",
        "NoCredentialsError",
        "RequestExpired",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
"""The session is over: nothing of the account is asked any more."""
NOT_LET_IN = frozenset({"AuthFailure", "InvalidClientTokenId", "OptInRequired", "UnrecognizedClientException"})
"""What a Region says that is not enabled for the account: nothing of the service there is asked any more."""

_Key = tuple[str, str, str]


@dataclass
class _Door:
    """
    Of a service in a place, or of an account.

    Attributes
    ----------
    silent
        How often in a row there was no answer. Calls that waited at the same time count once.
    until
        When the last of them was given up.
    broken
        How many calls in a row were made again in vain.
    why
        Why it is shut; None while it is open.
    """

    silent: int = 0
    until: float = float("-inf")
    broken: int = 0
    why: AwsError | None = None


class Doors:
    """
    The doors of all places; many threads go through them.

    Parameters
    ----------
    silences
        After so many silences in a row, a service's door is shut.
    breaks
        After so many broken calls in a row, too.
    place_seconds
        A place's doors are shut after so long.
    clock
        Seconds that never go back.
    """

    def __init__(self, *, silences: int, breaks: int, place_seconds: float, clock: Callable[[], float]) -> None:
        self._silences, self._breaks, self._place_seconds, self._clock = silences, breaks, place_seconds, clock
        self._doors: dict[_Key, _Door] = {}
        self._began: dict[Place, float] = {}
        self._lock = threading.Lock()

    def require_open(self, place: Place, operation: str) -> None:
        """
        Return if *operation* may still be asked in *place*.

        Raises
        ------
        AwsError
            If not, with the code of what shut the door.
        """
        now = self._clock()
        with self._lock:
            began = self._began.setdefault(place, now)
            doors = [self._doors.get(key) for key in (_of_account(place), _of_service(place, operation))]
            why = next((door.why for door in doors if door and door.why), None)
        if why is not None:
            raise AwsError(operation, why.code, f"not asked any more, since {why.operation} got: {why.words}")
        if now - began > self._place_seconds:
            words = f"not asked any more, since {place} took longer than {self._place_seconds:.0f} seconds"
            raise AwsError(operation, "TookTooLong", words)

    def heard(self, place: Place, operation: str) -> None:
        """Note that there was an answer, be it a refusal."""
        with self._lock:
            door = self._doors.get(_of_service(place, operation))
            if door is not None:
                door.silent = door.broken = 0

    def not_heard(self, place: Place, error: AwsError, began: float) -> None:
        """Note that a call, made at *began*, got no answer."""
        now = self._clock()
        with self._lock:
            door = self._door(_of_service(place, error.operation))
            # one moment of silence is one, however many calls wait through it
            if began >= door.until:
                door.silent, door.until = door.silent + 1, now
            if door.silent >= self._silences:
                door.why = door.why or error

    def broke(self, place: Place, error: AwsError) -> None:
        """Note that a call was made again in vain."""
        with self._lock:
            door = self._door(_of_service(place, error.operation))
            door.broken += 1
            if door.broken >= self._breaks:
                door.why = door.why or error

    def refused(self, place: Place, error: AwsError) -> None:
        """Note a refusal: some concern all that could be asked."""
        self.heard(place, error.operation)
        key = _of_account(place) if error.code in EXPIRED else _of_service(place, error.operation)
        if error.code in EXPIRED | NOT_LET_IN:
            with self._lock:
                door = self._door(key)
                door.why = door.why or error

    def _door(self, key: _Key) -> _Door:
        return self._doors.setdefault(key, _Door())


def _of_account(place: Place) -> _Key:
    return (place.account, "", "")


def _of_service(place: Place, operation: str) -> _Key:
    return (place.account, place.region, operation.partition(":")[0])
