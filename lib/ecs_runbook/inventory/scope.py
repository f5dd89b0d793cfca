"""What AWS is asked of what rows name: all of it, or no more than some checks look at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from ecs_runbook.inventory.model import Deed, Row, caller_deeds, machine_deeds

Simulated = Literal["run", "wide", "start", "send", "act"]
"""
What IAM's simulator is asked of a role: whether it may run the task, and any other; start a state machine, send to a
dead-letter queue; and of a state machine's, whether it may do what else its states do.
"""
_OF = {"states:StartExecution": "start", "sqs:SendMessage": "send"}


@dataclass(frozen=True)
class Scope:
    """
    What is asked.

    Attributes
    ----------
    actions
        The IAM actions of the calls that may be made; None for all of them.
    simulated
        What IAM's simulator is asked, if it is.

    Examples
    --------
    >>> Scope().asks("sqs:ReceiveMessage"), Scope(frozenset({"iam:GetRole"})).asks("sqs:ReceiveMessage")
    (True, False)
    """

    actions: frozenset[str] | None = None
    simulated: Collection[Simulated] = get_args(Simulated)

    def asks(self, action: str) -> bool:
        """Say whether calls are made that need *action*."""
        return self.actions is None or action in self.actions

    def deeds(self, row: Row) -> list[Deed]:
        """Return what IAM's simulator is asked about *row*'s roles besides RunTask."""
        found = [deed for deed in caller_deeds(row) if _OF[deed.action] in self.simulated]
        return found + (machine_deeds(row) if "act" in self.simulated else [])


EVERYTHING = Scope()
