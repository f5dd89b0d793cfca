"""Make mistakes on purpose, fire them, see what AWS says, mend them, fire them again: all of them in one go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from ecs_runbook.diagnosis.failures import Failures, failures
from ecs_runbook.errors import EvidenceError
from ecs_runbook.evidence.dead_letters import Letter, read_queue
from ecs_runbook.evidence.runs import STALE, empty, runs
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED
from ecs_runbook.rehearsal import found
from ecs_runbook.rehearsal.found import Found
from ecs_runbook.rehearsal.mistakes import Mistake, choose_mistakes
from ecs_runbook.rehearsal.results import Rehearsed, Seen, Told
from ecs_runbook.rehearsal.stage import Stage, module, owner
from ecs_runbook.session import Aws
from ecs_runbook.terraform.messages import Diagnostic

if TYPE_CHECKING:
    from ecs_runbook.terraform.run import Plan

_ZONE = ZoneInfo("Asia/Tokyo")


def rehearse(mistakes: Iterable[str] = (), *, aws: Aws, progress: Bars | None = None) -> Rehearsed:
    """
    Make each mistake in the local AWS, fire it, explain it, apply its README's mend, and fire it again.

    Parameters
    ----------
    mistakes
        Names of folders in ``terraform/mistakes``; all of them if none is named.
    aws
        The local AWS. Its clock moves forward by a day or two, so its other schedules run meanwhile.
    progress
        Where to show how far it is.

    Returns
    -------
    Rehearsed
        By name what was seen: ``rehearsed["launch_type_left_out"]``; and ``rehearsed.table``.

    Raises
    ------
    ParameterError
        If a mistake is not known.
    SessionError
        If *aws* is not the local AWS.
    TerraformError
        If Terraform fails where no mistake is the reason.

    Notes
    -----
    Everything that was made is destroyed in the end, also if it is interrupted; what an interrupt leaves all the same
    is cleared by the next rehearsal.
    """
    chosen = choose_mistakes(mistakes, where=aws.where)
    return _Rehearsal(Stage(aws, chosen, progress)).run()


@dataclass
class _Rehearsal:
    """One rehearsal: the acts in order, and what was seen in each."""

    stage: Stage
    first: dict[str, Seen] = field(default_factory=dict)
    second: dict[str, Seen] = field(default_factory=dict)

    def run(self) -> Rehearsed:
        stage = self.stage
        try:
            self._clear("what an earlier rehearsal left")
            refused, before = self._make()
            stage.act("fire")
            stage.fire(self._see)
            self.first |= {name: _refused_apply(one) for name, one in refused.items()}
            left, after = self._mend()
            return self._told(found.by_plan(before, after), left)
        finally:
            self._clear("destroy everything")

    def _clear(self, title: str) -> None:
        self.stage.act(title)
        self.stage.write()
        self.stage.clear()

    def _make(self) -> tuple[Mapping[str, Diagnostic], Found]:
        """Plan, apply that, and let the deploys happen; return what was refused, and what the plan check found."""
        stage = self.stage
        stage.act("plan the mistakes")
        stage.prepare()
        stage.write()
        plan, told = stage.plan()
        checked = found.in_plan(told, stage.folder)
        stage.say(1.0, f"{len(plan.changes)} resources of {len(stage.mistakes)} mistakes")
        stage.act("apply the mistakes")
        _, refused = stage.apply(plan)
        for mistake in stage.mistakes:
            stage.happen(mistake, mistake.story.deploy)
        stage.say(1.0, f"applied; {len(refused)} refused")
        return refused, checked

    def _mend(self) -> tuple[Mapping[str, Sequence[str]], Found]:
        """Apply the mends, fire again, plan once more; return what would still be changed, and that plan's check."""
        stage = self.stage
        stage.act("apply the mends")
        stage.write(mend=True)
        stage.apply()
        for mistake in stage.mistakes:
            stage.happen(mistake, mistake.story.again)
        stage.say(1.0, "mended")
        stage.act("fire again")
        stage.fire(self._see_again)
        stage.act("plan once more")
        after, told = stage.plan()
        stage.say(1.0, str(after))
        return _changes(after), found.in_plan(told, stage.folder)

    def _see(self, mistake: Mistake, moment: datetime) -> None:
        table = self._runs(mistake, moment)
        letters = self._letters(mistake)
        said, told_by = self._said(mistake, table, letters)
        live = found.by_live(mistake.rule, table, self._failures(mistake, moment))
        self.first[mistake.name] = Seen(moment, said, told_by, table, live.explanation, live.ids)

    def _see_again(self, mistake: Mistake, moment: datetime) -> None:
        table = self._runs(mistake, moment)
        said = _hour(table.to_dict("records"))[0] if mistake.story.shows == "hour" else ""
        self.second[mistake.name] = Seen(moment, said, "", table)

    def _runs(self, mistake: Mistake, moment: datetime) -> pd.DataFrame:
        aws = self.stage.aws
        clients = aws.clients("ecs", "events", "cloudtrail")
        try:
            return runs(mistake.rule, since=moment, until=aws.now(), pace=aws.pace, **clients)
        except EvidenceError:
            return empty()

    def _failures(self, mistake: Mistake, moment: datetime) -> Failures:
        aws = self.stage.aws
        clients = aws.clients("ecs", "sqs", "cloudtrail", "events", "scheduler", "iam")
        return failures(rule=mistake.rule, since=moment, until=aws.now(), pace=aws.pace, **clients)

    def _said(self, mistake: Mistake, table: pd.DataFrame, letters: Sequence[Letter]) -> tuple[str, str]:
        """Return what AWS said, and where it said so."""
        if mistake.story.shows == "dead letter":
            return (letters[0].code, "the dead-letter queue") if letters else ("", "")
        rows = table.to_dict("records")
        if mistake.story.shows == "hour":
            return _hour(rows)
        for row in rows:
            if row["status"] in (REFUSED, FAILED_TO_START):
                return str(row["error"]), "CloudTrail"
            if row["state"] == STALE:
                words = f"{mistake.rule}:{row['executed']} while {row['latest']} is the latest"
                return words, "nobody says so; 40_prove finds it"
            if row["error"]:
                return _reason(str(row["task"]), table), "ECS"
        return "", ""

    def _letters(self, mistake: Mistake) -> list[Letter]:
        """Return what the dead-letter queue holds of *mistake*; only one that needs it sends there."""
        if mistake.story.shows != "dead letter":
            return []
        queue = read_queue(self.stage.queue, sqs=self.stage.aws.client("sqs"), ask=self.stage.ask)
        return [letter for letter in queue.letters if letter.sender.endswith(f":rule/{mistake.rule}")]

    def _told(self, plan_found: Mapping[str, tuple[str, ...]], after: Mapping[str, Sequence[str]]) -> Rehearsed:
        self.stage.act("lint")
        told = {}
        for number, mistake in enumerate(self.stage.mistakes):
            self.stage.say(number / len(self.stage.mistakes), mistake.name)
            told[mistake.name] = Told(
                mistake,
                first=self.first.get(mistake.name),
                second=self.second.get(mistake.name),
                lint=found.by_lint(mistake, self.stage.folder / "mistakes" / mistake.name),
                plan=plan_found.get(mistake.name, ()),
                still_to_change=tuple(after.get(mistake.name, ())),
                lines=module(mistake)["main.tf"],
            )
        self.stage.say(1.0, "each folder, before and after the mend")
        return Rehearsed(told)


def _refused_apply(refused: Diagnostic) -> Seen:
    """Return what a mistake's apply was refused for: the API's own words in what the provider says."""
    words = " ".join(f"{refused.summary} {refused.detail}".split())
    api = re.search(r"api error (\w+: .*?)$", words)
    return Seen(None, api[1] if api else words, "terraform apply", empty())


def _hour(rows: Sequence[Mapping[Any, Any]]) -> tuple[str, str]:
    if not rows or pd.isna(rows[0]["time"]):
        return "", ""
    at = rows[0]["time"]
    return f"{at:%H:%M} UTC, {at.astimezone(_ZONE):%H:%M} in Tokyo", "nobody says so: it ran at its minute, in UTC"


def _reason(task: str, table: pd.DataFrame) -> str:
    records: Iterable[Mapping[str, Any]] = table.attrs["records"]["ECS"]
    return next((str(one.get("stoppedReason", "")) for one in records if one.get("taskArn") == task), "")


def _changes(plan: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for change in plan.changes:
        found.setdefault(owner(change.address), []).append(f"{change.action} {change.address}")
    return found
