"""What came of a drill, of a rule or of a schedule; and what both share: telling how far it is, reading trust."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking, Bars

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


@dataclass(frozen=True)
class Fired:
    """
    What came of a drill.

    Attributes
    ----------
    rule, drill_rule
        The rule, or the schedule as ``<group>/<name>``; and the temporary rule or schedule that stood in for it.
    sent_at
        When the first event was sent, or the temporary schedule was due: aware, by the clock of that AWS.
    event_ids
        Of the events sent: one, or two if nothing was seen of the first for long. None for a schedule.
    tasks
        ARNs of the tasks that it started, one after another where a state machine tried again.
    requested, executed
        The task definition that the target names, and the revision that ran last; None if none did.
    status
        Of the tasks: STOPPED, or how far they came in the time given. REFUSED, FAILED TO START, SKIPPED, or NOTHING
        SEEN.
    exit_code
        The worst; of a state machine the last try's, 0 if Step Functions says that it succeeded. None if it is not
        known, or nothing ran to its end.
    refused_code, refused_message
        AWS's words if the call was refused.
    error
        Why a task ended badly, in ECS's words.
    hint
        What to do next; empty after a good end.
    dry_command
        What ran in place of the container's own command; None for the real task.
    seconds
        How long it took, by the clock of that AWS.
    calls
        How many calls of AWS's API it took.
    left_behind
        The temporary rule or schedule, if it could not be removed; else empty.
    kind
        ``rule``, or ``schedule``.
    attempts
        How often a state machine asked ECS to run the task; 1 where there is none.
    execution
        ARN of the state machine's execution, if there was one.
    """

    rule: str
    drill_rule: str
    sent_at: datetime
    event_ids: tuple[str, ...]
    tasks: tuple[str, ...]
    requested: str
    executed: int | None
    status: str
    exit_code: int | None
    refused_code: str
    refused_message: str
    error: str
    hint: str
    dry_command: tuple[str, ...] | None
    seconds: float
    calls: int
    left_behind: str = ""
    kind: str = "rule"
    attempts: int = 1
    execution: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ran to its own end with exit code 0, and nothing is left behind."""
        return self.status == "STOPPED" and self.exit_code == 0 and not self.error and not self.left_behind

    def _repr_html_(self) -> str:
        facts = {
            "schedule": self.rule,
            "fired through": f"{self.drill_rule} ({'left behind' if self.left_behind else 'removed again'})",
            "command": " ".join(self.dry_command) if self.dry_command else "the task's own",
            "requested": self.requested,
            "executed revision": "none" if self.executed is None else str(self.executed),
            "status": self.status,
            "attempts": str(self.attempts) if self.execution else "",
            "exit code": "none" if self.exit_code is None else str(self.exit_code),
            "refused": ": ".join(part for part in (self.refused_code, self.refused_message) if part),
            "error": self.error,
            "task": ", ".join(self.tasks),
            "execution": self.execution,
            "took": f"{self.seconds:.1f} s, {self.calls} API calls",
            "next": self.hint,
        }
        cells = ((name, html.escape(value)) for name, value in facts.items() if value)
        left = 'style="text-align:left"'
        rows = (f"<tr><th {left}>{name}</th><td {left}>{value}</td></tr>" for name, value in cells)
        return f"<table>{''.join(rows)}</table>"


def teller(progress: Bars | None, name: str) -> Callable[[float, str], None]:
    """Return how to tell how far the drill of *name* is."""
    return (lambda done, note: progress.row(name, done, note)) if progress else (lambda _done, _note: None)


def rules_in_trust(trust: Mapping[str, Any]) -> list[str]:
    """
    Return the ``aws:SourceArn`` values that a role's trust policy asks of who assumes it.

    Examples
    --------
    >>> rules_in_trust({"Statement": {"Effect": "Allow", "Condition": {
    ...     "ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:111122223333:rule/nightly"}}}})
    ['arn:aws:events:eu-west-1:111122223333:rule/nightly']
    """
    statements = trust.get("Statement", [])
    found: list[str] = []
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        for wanted in statement.get("Condition", {}).values():
            for key, values in wanted.items():
                if key.lower() == "aws:sourcearn":
                    found += [values] if isinstance(values, str) else values
    return found


def about_trust(role: str, kind: str, iam: IAMClient | None, ask: Asking) -> str:
    """Return what the trust of the target's role says about rules or schedules, if it may be read."""
    if iam is None or not role:
        return ""
    try:
        told = ask("iam:GetRole", iam.get_role, RoleName=role.rpartition("/")[2])
    except AwsError as error:
        return f" The trust of {role} could not be read: iam:GetRole: {error.code}."
    named = rules_in_trust(told["Role"].get("AssumeRolePolicyDocument", {}))
    if not named:
        return f" {role} names no {kind} in its trust."
    if all(":schedule-group/" in one for one in named):
        return f" {role} trusts {', '.join(named)}: a group, not one schedule, and the copy was in the schedule's own."
    return f" And it does: {role} trusts {', '.join(named)} alone."
