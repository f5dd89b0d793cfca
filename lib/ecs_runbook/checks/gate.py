"""The gate before a revision's first run: does every schedule that will pick it up still fit it?"""

from __future__ import annotations

from dataclasses import replace

from ecs_runbook.checks.findings import Checked
from ecs_runbook.checks.judge import judge
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.checks.scope import scope_of
from ecs_runbook.checks.settings import Settings
from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.names import definition
from ecs_runbook.inventory.contents import contents
from ecs_runbook.inventory.facts import facts, read_definition
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.model import Definition, Inventory, Place, Row
from ecs_runbook.verdicts.verdict import Check

GATE = (
    "launch-type-public-ip",
    "definition-compatibility",
    "platform-version-on-ec2",
    "no-network-configuration",
    "network-not-awsvpc",
    "override-container",
    "input-not-overrides",
    "no-way-out",
    "task-role-trust",
    "run-task-missing",
    "pass-role-missing",
    "tag-resource-missing",
    "fargate-size",
    "log-group-missing",
    "image-missing",
)
"""The checks that a new revision can make say NG; what else is wrong with a schedule is the affair of 60_check."""


def gate(
    revision: str, fleet: Fleet, found: Inventory, *, settings: Settings | None = None, progress: Bars | None = None
) -> Checked:
    """
    Hold a revision against every schedule that will run it.

    Parameters
    ----------
    revision
        ``nightly:7``, an ARN, or ``nightly``: its latest ACTIVE revision.
    fleet
        Where it is registered: one place, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    found
        What is on a schedule there, from :func:`~ecs_runbook.inventory.listing.take_inventory`: all of it.
    settings
        Which checks are off, or of another severity.
    progress
        Where to show how far it is.

    Returns
    -------
    Checked
        Its rows are the targets that name the family without a revision, or this very revision; a target that is pinned
        to another one will not run it, and of a revision that is not the latest the rows are those pinned to it alone.
        Its findings are those of :data:`GATE`, with what could not be listed as SKIP.

    Raises
    ------
    EvidenceError
        If there is no such revision, it is not ACTIVE, or it is not the latest and nothing is pinned to it.

    Notes
    -----
    Needs what the inventory and :func:`~ecs_runbook.inventory.facts.facts` need, ``logs:DescribeLogGroups`` and
    ``ecr:DescribeImages``, all of it reading.
    """
    place = fleet.places[0]
    new = _described(revision, place, fleet)
    latest = _described(new.family, place, fleet) if ":" in revision else new
    is_latest = latest.arn == new.arn
    rows = [_as_it_will_run(row, new) for row in found.rows if row.place == place and _takes(row, new, is_latest)]
    if not rows and not is_latest:
        raise EvidenceError(
            f"{new.family}:{new.revision} is not the latest ACTIVE revision of its family, {latest.revision} is, and "
            "nothing that is on a schedule here is pinned to it: no schedule will run it.",
            hint=f"Ask for {latest.family}:{latest.revision}, which runs next.",
        )
    will_run = replace(found, rows=tuple(rows))
    off = {check: why for check, why in settings.off.items() if check in GATE} if settings else {}
    scope = scope_of(set(GATE) - off.keys())
    known = facts(fleet, will_run, scope=scope, progress=progress)
    if place in known:
        known[place] = replace(known[place], contents={new.arn: contents(new, place, fleet, scope=scope)})
    now = fleet.at(place).now()
    kept = (*GATE, "inventory")
    findings = [one for one in judge(will_run, known, now=now, settings=settings) if one.check in kept]
    return Checked(will_run, findings, calls=dict(fleet.gate.counts), off=off, facts=known)


def judge_gate(checked: Checked, revision: str, fail_on: str = "warning") -> list[Check]:
    """
    Return the checks of the gate's verdict; nothing that will run the revision is SKIP.

    Raises
    ------
    SpecError
        If *fail_on* is no severity.
    """
    if checked.inventory.rows:
        return judge_checked(checked, fail_on=fail_on)
    because = f"nothing that is on a schedule here runs {definition(revision).family} at its latest revision"
    gaps = [one for one in judge_checked(checked, fail_on=fail_on) if one.status == "SKIP" and checked.inventory.gaps]
    mend = "Look whether this is the family, the account and the Region that you mean."
    return [*gaps, Check("gate", revision, "SKIP", because, mend)]


def _described(revision: str, place: Place, fleet: Fleet) -> Definition:
    ecs, ask = fleet.at(place).client("ecs"), fleet.ask(place)
    try:
        told = ask("ecs:DescribeTaskDefinition", ecs.describe_task_definition, taskDefinition=revision)
    except AwsError as error:
        if error.code not in ("ClientException", "InvalidParameterException"):
            raise
        raise EvidenceError(
            f"There is no revision {revision} in {place}: {error.words}",
            hint="Name it as family:revision, or the family alone for its latest ACTIVE revision.",
        ) from error
    found = read_definition(told.get("taskDefinition", {}))
    if found.status != "ACTIVE":
        raise EvidenceError(
            f"{found.family}:{found.revision} is {found.status}: no schedule will run it.",
            hint="Register it again, then ask for the new revision.",
        )
    return found


def _takes(row: Row, new: Definition, is_latest: bool) -> bool:
    named = definition(row.request.definition)
    wanted = (None, new.revision) if is_latest else (new.revision,)
    return named.family == new.family and named.revision in wanted


def _as_it_will_run(row: Row, new: Definition) -> Row:
    return replace(row, request=replace(row.request, definition=new.arn))
