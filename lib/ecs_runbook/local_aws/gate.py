"""What keeps a call from being answered: a fault that was set, its rate, or IAM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecs_runbook.local_aws import enforcement, faults, refusals, wire
from ecs_runbook.local_aws.rates import Rates
from ecs_runbook.local_aws.world import Answer, Call, World

_ALWAYS_JUDGED = frozenset({"states.amazonaws.com"})  # a state machine's calls are what its role is for


class Gate:
    """The gate of one world, through which every call goes."""

    def __init__(self, world: World) -> None:
        self._settings = world.settings
        self._rates = Rates(world.clock.now)

    def fault(self, call: Call, connection: Any) -> str:
        """
        Return which fault hits *call*; nothing for most.

        Raises
        ------
        ConnectionResetError
            If there is to be no answer.
        """
        if connection is None:  # it comes from the local AWS itself
            return ""
        hit = self._settings.faults.hit(call)
        if hit == "reset":
            raise faults.reset(connection)
        if hit == "hang":
            raise faults.hang(connection)
        return hit

    def passed(self, call: Call, asked: wire.Asked | None, fault: str, answer: Callable[[], Answer]) -> Answer:
        """Return the *answer* to a call that nothing keeps, and else the refusal."""
        refused = _broken(call, asked, fault) or self._refused(call, asked)
        if refused is not None:
            return refused
        token = wire.page_token(call.service, call.operation) if fault == "repeated-token" else ""
        return self._settings.faults.repeated(call, token, answer) if token else answer()

    def _refused(self, call: Call, asked: wire.Asked | None) -> Answer | None:
        settings, name = self._settings, f"{call.service}:{call.operation}"
        if settings.throttles(call.service, call.operation):
            return refusals.throttled(asked)
        if settings.rates == "published" and self._rates.refuses(name, call.caller.account, call.region):
            return refusals.throttled(asked)
        if (settings.enforce_iam or call.invoked_by in _ALWAYS_JUDGED) and (why := enforcement.refused(call)):
            return refusals.denied(asked, why)
        return None


def _broken(call: Call, asked: wire.Asked | None, fault: str) -> Answer | None:
    if fault == "server-error":  # the words of AWS docs, "Common errors"
        return refusals.refusal(asked, 500, "InternalFailure", "The request processing has failed.")
    if fault == "expired-token":
        return refusals.expired(asked)
    if fault == "denied":
        return refusals.denied(
            asked,
            f"User: {call.caller.arn} is not authorized to perform: {call.service}:{call.operation} "
            "with an explicit deny in a service control policy",
        )
    return None
