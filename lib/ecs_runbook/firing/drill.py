"""
Run a scheduled task now, through EventBridge itself: a drill of a rule; see one_time for one of a schedule.

A temporary rule on the default bus waits for one event of its own, with a copy of the real target: same cluster, role,
EcsParameters, Input, retries, dead-letter queue. One PutEvents fires it, so role, launch type, network and revision are
tried as the schedule tries them. The rule is removed whatever happens; after a kill the next drill removes it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.fired import Fired, about_trust, teller
from ecs_runbook.firing.inputs import with_dry_command
from ecs_runbook.firing.names import (
    DRILL_OF_TAG,
    DRILL_PREFIX,
    DRILL_TAG,
    DRILL_TAG_VALUE,
    DRILL_UNTIL_TAG,
    definition,
    drill_name,
    started_by,
)
from ecs_runbook.firing.one_time import fire_schedule
from ecs_runbook.firing.rules import Target, choose, read_rule
from ecs_runbook.firing.tasks import essential
from ecs_runbook.firing.watch import NOTHING_SEEN as NOTHING_SEEN  # it is one of the statuses of Fired
from ecs_runbook.firing.watch import Watch
from ecs_runbook.session import AWS_PACE, Pace

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient

LEFTOVER_COLUMNS = ["drill_rule", "rule", "until", "dead"]
RESEND_SECONDS = 300.0
"""After so long without a trace a second event is sent: longer than CloudTrail takes on average."""
_SLACK = timedelta(minutes=10)
_SOURCE = "ecs-runbook.drill"


def fire(
    rule: str = "",
    *,
    schedule: str = "",
    events: EventBridgeClient,
    ecs: ECSClient,
    cloudtrail: CloudTrailClient,
    scheduler: Any = None,
    stepfunctions: Any = None,
    now: Callable[[], datetime],
    pace: Pace = AWS_PACE,
    dry_command: Sequence[str] | None = None,
    target_id: str = "",
    settle_seconds: float | None = None,
    timeout_seconds: float | None = None,
    resend_seconds: float | None = RESEND_SECONDS,
    iam: IAMClient | None = None,
    progress: Bars | None = None,
    sleep: Callable[[float], None] = time.sleep,
    random: Callable[[int], str] = secrets.token_hex,
) -> Fired:
    """
    Run what a rule or a schedule runs, now, through EventBridge and under the target's own role; wait for how it ends.

    This runs the real task, unless *dry_command* makes it harmless. A refusal goes to the target's dead-letter queue.

    Parameters
    ----------
    rule
        Name of a rule on the default bus with an ECS target. It may be disabled; it is not touched.
    schedule
        Instead of the rule: a schedule of EventBridge Scheduler, ``<group>/<name>`` outside the default group; see
        :func:`~ecs_runbook.firing.one_time.fire_schedule`.
    events, ecs, cloudtrail, scheduler, stepfunctions
        The clients; the last two for a schedule.
    now
        The time by that AWS's clock: ``aws.now``.
    pace
        How fast it may be asked, and how long it may take: ``aws.pace``.
    dry_command
        Runs in place of the command of every essential container, ``["true"]``.
    target_id
        Which ECS target, if the rule has several.
    settle_seconds, timeout_seconds
        Until the event is sent, and until the outcome is no longer waited for; the pace's own if None.
    resend_seconds
        A second event is sent if neither ECS nor CloudTrail shows anything for so long; None for never. If the first
        is only late, the task runs twice.
    iam
        To read the trust of the target's role when nothing is seen.
    progress
        Where to show how far it is.
    sleep, random
        How to wait, and how to draw so many random bytes as hex.

    Returns
    -------
    Fired
        Also when the call was refused or nothing was seen: that is an outcome.

    Raises
    ------
    EvidenceError
        If there is no such rule (with the nearest names), it has no ECS target, or several and none was named; or if
        *dry_command* cannot be put into its target. Of a schedule as well.
    AwsError
        If AWS refuses a step of the drill itself.

    Notes
    -----
    Needs ``events:DescribeRule``, ``events:ListTargetsByRule``, ``events:ListRules``, ``events:ListTagsForResource``,
    ``events:PutRule``, ``events:TagResource``, ``events:PutTargets``, ``events:PutEvents``, ``events:RemoveTargets``,
    ``events:DeleteRule``, ``iam:PassRole`` on the target's role, ``ecs:ListTasks``, ``ecs:DescribeTasks``,
    ``ecs:DescribeTaskDefinition``, ``cloudtrail:LookupEvents``; with *iam* ``iam:GetRole``.

    A role whose trust names one rule (``aws:SourceArn``) refuses the copy. Then nothing is seen, and ``hint`` says so.
    Source: AWS docs, EventBridge: a new rule "might not be immediately invoked"; events are delivered at least once.
    Whether EventBridge goes on with retries of a rule that is deleted is not verified.
    """
    if schedule:
        return fire_schedule(
            schedule,
            scheduler=scheduler,
            ecs=ecs,
            cloudtrail=cloudtrail,
            stepfunctions=stepfunctions,
            now=now,
            pace=pace,
            dry_command=dry_command,
            settle_seconds=settle_seconds,
            timeout_seconds=timeout_seconds,
            iam=iam,
            progress=progress,
            sleep=sleep,
            random=random,
        )
    ask = Asking()
    clear_leftovers(events=events, now=now, ask=ask)
    target = choose(read_rule(rule, events=events, ask=ask), target_id)
    copied = _copy(target, dry_command, ecs, ask)
    settle = pace.settle_seconds if settle_seconds is None else settle_seconds
    patience = pace.patience_seconds if timeout_seconds is None else timeout_seconds
    tell = teller(progress, rule)
    name, began = drill_name(rule, random(4)), now()
    until = began + timedelta(seconds=settle + patience) + _SLACK
    watch = Watch(started_by(name), target, ecs, cloudtrail, ask, pace)
    with _temporary_rule(name, rule, copied, events, ask, until) as standing:
        tell(0.1, f"{name} is there; waiting {settle:.0f} s until it is heeded")
        sleep(settle)
        sent, waited = now(), 0.0
        event_ids = [_send(name, rule, events, ask)]
        # Waited for is what was slept: the clock of a local AWS can stand still, or leap.
        while not watch.look(sent, waited) and waited < patience:
            if resend_seconds is not None and waited >= resend_seconds and len(event_ids) == 1 and not watch.tasks:
                event_ids.append(_send(name, rule, events, ask))
            tell(min(0.3 + 0.6 * waited / patience, 0.9), f"event sent; {watch.status.lower()}")
            sleep(pace.poll_seconds)
            waited += pace.poll_seconds
    outcome = watch.outcome()
    tell(1.0, outcome["status"])
    if outcome["status"] == NOTHING_SEEN:
        outcome["hint"] += about_trust(target.role, "rule", iam, ask)
    if standing.left_behind:
        kept = f"Rule {name} could not be removed: {standing.left_behind} clear_leftovers does it later."
        outcome["hint"] = f"{kept} {outcome['hint']}".strip()
    return Fired(
        rule=rule,
        drill_rule=name,
        sent_at=sent,
        event_ids=tuple(event_ids),
        requested=str(definition(target.requested)),
        dry_command=tuple(dry_command) if dry_command is not None else None,
        seconds=(now() - began).total_seconds(),
        calls=ask.calls,
        left_behind=name if standing.left_behind else "",
        **outcome,
    )


def leftovers(*, events: EventBridgeClient, now: Callable[[], datetime], ask: Asking | None = None) -> pd.DataFrame:
    """
    Return the temporary rules of drills that are there, by their tag.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`LEFTOVER_COLUMNS`. ``until`` is when the drill would have been over; ``dead`` says whether that
        is past. A drill that runs now is listed, and not dead.

    Notes
    -----
    Needs ``events:ListRules`` and ``events:ListTagsForResource``.
    """
    ask = ask or Asking()
    rows = []
    for page in ask.pages("events:ListRules", events.list_rules, NamePrefix=DRILL_PREFIX):
        for rule in page.get("Rules", []):
            told = ask("events:ListTagsForResource", events.list_tags_for_resource, ResourceARN=rule["Arn"])
            tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
            if tags.get(DRILL_TAG) != DRILL_TAG_VALUE:
                continue
            until = moment(tags.get(DRILL_UNTIL_TAG))
            rows.append(
                {
                    "drill_rule": rule["Name"],
                    "rule": tags.get(DRILL_OF_TAG, ""),
                    "until": until,
                    "dead": until is not None and until < now(),
                }
            )
    table = pd.DataFrame(rows, columns=LEFTOVER_COLUMNS)
    return table.assign(until=pd.to_datetime(table["until"], utc=True), dead=table["dead"].astype(bool))


def clear_leftovers(*, events: EventBridgeClient, now: Callable[[], datetime], ask: Asking | None = None) -> list[str]:
    """
    Remove the temporary rules of drills that are over, and return their names; one that runs now is left alone.

    Raises
    ------
    AwsError
        If EventBridge refuses.

    Notes
    -----
    Needs ``events:ListRules``, ``events:ListTagsForResource``, ``events:ListTargetsByRule``,
    ``events:RemoveTargets`` and ``events:DeleteRule``.
    """
    ask = ask or Asking()
    found = leftovers(events=events, now=now, ask=ask)
    dead = [str(name) for name in found.loc[found["dead"], "drill_rule"]]
    for name in dead:
        _remove(name, events, ask)
    return dead


@dataclass
class _Standing:
    left_behind: str = ""  # why, if it could not be removed


@contextlib.contextmanager
def _temporary_rule(
    name: str, of: str, target: Mapping[str, Any], events: EventBridgeClient, ask: Asking, until: datetime
) -> Iterator[_Standing]:
    """Make the rule, and remove it whatever happens inside, an interrupt too."""
    standing = _Standing()
    tags = {DRILL_TAG: DRILL_TAG_VALUE, DRILL_OF_TAG: of, DRILL_UNTIL_TAG: until.isoformat(timespec="seconds")}
    try:
        ask(
            "events:PutRule",
            events.put_rule,
            Name=name,
            EventPattern=json.dumps({"source": [_source(name)]}),
            State="ENABLED",
            Description=f"A drill of {of}; removed again when it is over",
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        put = ask("events:PutTargets", events.put_targets, Rule=name, Targets=[target])
        _all_taken("events:PutTargets", put)
        yield standing
    except BaseException as error:
        if why := _why_not_removed(name, events, ask):
            left = f"The temporary rule {name} is left behind: {why}"
            error.add_note(f"{left} The next drill, or clear_leftovers, removes it.")
        raise
    standing.left_behind = _why_not_removed(name, events, ask)


def _why_not_removed(name: str, events: EventBridgeClient, ask: Asking) -> str:
    """Remove the rule; return a sentence on what was refused, or nothing."""
    try:
        _remove(name, events, ask)
    except AwsError as error:
        return f"{str(error).rstrip('.')}."
    return ""


def _remove(name: str, events: EventBridgeClient, ask: Asking) -> None:
    try:
        targets = ask("events:ListTargetsByRule", events.list_targets_by_rule, Rule=name).get("Targets", [])
        if targets:
            ids = [target["Id"] for target in targets]
            _all_taken("events:RemoveTargets", ask("events:RemoveTargets", events.remove_targets, Rule=name, Ids=ids))
        ask("events:DeleteRule", events.delete_rule, Name=name)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise


def _all_taken(operation: str, answer: Mapping[str, Any]) -> None:
    """Raise if EventBridge took not every entry: it answers HTTP 200 all the same."""
    if answer.get("FailedEntryCount"):
        entries = answer.get("FailedEntries") or answer.get("Entries", [])
        failed: dict[str, Any] = next((one for one in entries if one.get("ErrorCode")), {})
        raise AwsError(operation, failed.get("ErrorCode", "Unknown"), failed.get("ErrorMessage", ""))


def _copy(target: Target, dry_command: Sequence[str] | None, ecs: ECSClient, ask: Asking) -> dict[str, Any]:
    copied = dict(target.raw)
    if dry_command is None:
        return copied
    if shaped := next((key for key in ("InputTransformer", "InputPath") if copied.get(key)), ""):
        raise EvidenceError(
            f"dry_command = {list(dry_command)!r}: the target makes its input by {shaped}, so it cannot be put in.",
            hint="Fire without dry_command: that runs the real task.",
        )
    containers = essential(target.requested, ecs=ecs, ask=ask)
    return copied | {"Input": with_dry_command(copied.get("Input", ""), containers, dry_command)}


def _send(name: str, of: str, events: EventBridgeClient, ask: Asking) -> str:
    entry = {"Source": _source(name), "DetailType": "ecs-runbook drill", "Detail": json.dumps({"rule": of})}
    answer = ask("events:PutEvents", events.put_events, Entries=[entry])
    _all_taken("events:PutEvents", answer)
    return str(answer["Entries"][0].get("EventId", ""))


def _source(name: str) -> str:
    return f"{_SOURCE}.{name}"
