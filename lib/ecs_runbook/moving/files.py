"""The Terraform of a move: a root module of plain resources, as people would have written it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_runbook import workspace
from ecs_runbook.evidence.runs import hidden
from ecs_runbook.moving.steps import in_words, steps
from ecs_runbook.terraform import generate, hcl
from ecs_runbook.terraform.folders import Files
from ecs_runbook.terraform.targets import ecs_parameters, json_text, label_of

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.moving.move import Job, Move
    from ecs_runbook.terraform.environment import Aws

SUFFIX = "-on-scheduler"
_README = """\
# {name}, on EventBridge Scheduler

{schedules} in place of the rule `{name}`. When it was written, {gap}:

{steps}

`main.tf` names the account that it is for, and changes neither the rule nor its role. Once the schedules have fired,
`start_date` has done its work: a cron does without it, a rate counts from it. To go back, switch the schedules off and
the rule on between two firings.

Needs Terraform or OpenTofu, 1.6 or newer. `{override}`, if it is here, ties the folder to the local AWS:
leave it behind.
"""
_IGNORE = f""".terraform/
*.tfstate
*.tfstate.*
{generate.LOCAL_OVERRIDE}
"""
_SHY = re.compile(r'^(\s*(?:value|input|input_template)\s*= )".*"$', re.MULTILINE)


class MoveFiles(Files):
    """
    The folder of a move; what is shown of it hides the values of environments.

    Attributes
    ----------
    most_lines
        No more of a file is shown, so that the notebook stays small; None for all.
    """

    most_lines: int | None = None

    def show(self, name: str) -> Any:
        """Show the file *name* in a notebook, highlighted."""
        from IPython.display import Code

        text = (self.folder / name).read_text(encoding="utf-8")
        lines = _SHY.sub(r'\1"…"', text).splitlines()
        more = len(lines) - (self.most_lines or len(lines))
        rest = [f"# and {more:,} lines more, in the file"] if more > 0 else []
        return Code("\n".join([*lines[: self.most_lines], *rest]) + "\n", language="terraform")

    def steps(self, move: Move) -> pd.DataFrame:
        """Return what to do and when, from :func:`~ecs_runbook.moving.steps.steps`."""
        return _steps(move, str(self))

    def receipt(self, move: Move) -> Mapping[str, Any]:
        """Return *move* in plain values; those of environments are hidden."""
        found = move.found
        told: Mapping[str, Any] = hidden(
            {
                "folder": str(self),
                "rule": dict(found.rule),
                "tags": dict(found.tags),
                "targets": [dict(one) for one in found.targets],
                "unknown": dict(found.unknown),
                "expression": move.turned.expression,
                "timezone": move.turned.zone,
                "kept_in_utc_because": move.turned.kept,
                "group": move.group,
                "starts": move.starts,
                "schedules": [job.name for job in move.jobs],
            }
        )
        return told


def write_move(move: Move, aws: Aws, *, folder: str = "") -> MoveFiles:
    """
    Write the Terraform of *move*, for *aws*.

    Parameters
    ----------
    move
        From :func:`~ecs_runbook.moving.move.move_to_scheduler`.
    aws
        Where it may be applied, and nowhere else.
    folder
        Where it goes; ``build/<local or account>/<rule>-on-scheduler`` if empty.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written to or holds what this did not write.
    """
    place = folder_of(move.found.name, aws, folder)
    written = generate.put(place, files([move], account=aws.account, region=aws.region, folder=str(place)))
    written += generate.tie(place, generate.local_of(aws, place))
    return MoveFiles(place, tuple(sorted(path.relative_to(place).as_posix() for path in written)))


def folder_of(name: str, aws: Aws, folder: str = "", suffix: str = SUFFIX) -> Path:
    """Return where the move of the rule *name* lies, or what else is made of it."""
    below = workspace.build() / ("local" if aws.where == "local" else aws.account)
    return (workspace.root() / Path(folder).expanduser()).resolve() if folder else below / f"{name}{suffix}"


def files(moves: Sequence[Move], *, account: str, region: str, folder: str = ".") -> dict[str, bytes]:
    """Return the files of several rules' moves by their place in one folder; of one, with its README."""
    texts = {"main.tf": root_module(moves, account=account, region=region), ".gitignore": _IGNORE}
    if len(moves) == 1:
        texts["README.md"] = _readme(moves[0], folder)
    return {name: text.encode() for name, text in texts.items()}


def root_module(moves: Sequence[Move], *, account: str, region: str) -> str:
    """
    Return the text of ``main.tf``: the groups, the schedules, and the roles that Scheduler takes.

    No value of a rule can become code in it, and ``terraform fmt`` has nothing to add.
    """
    settings = hcl.block(
        "terraform",
        {"required_version": ">= 1.6"},
        hcl.block("required_providers", {"aws": {"source": "hashicorp/aws", "version": generate.NEEDED_PROVIDER}}),
    )
    provider = hcl.block("provider", "aws", {"region": region, "allowed_account_ids": [account]})
    taken: set[str] = set()
    blocks: list[hcl.Block] = [settings, provider]
    arns: dict[str, hcl.Code] = {}
    for move in moves:
        label = label_of(move.found.name, taken)
        labels = [label] if len(move.jobs) == 1 else [label_of(job.name, taken) for job in move.jobs]
        blocks += _move(move, label, labels)
        arns |= {
            f"{move.group}/{job.name}": hcl.Code(f"aws_scheduler_schedule.{own}.arn")
            for job, own in zip(move.jobs, labels, strict=True)
        }
    return hcl.document(*blocks, hcl.block("output", "schedule_arns", {"value": arns}))


def _move(move: Move, label: str, labels: Sequence[str]) -> Iterator[hcl.Block]:
    if move.makes_group:
        group = {"name": move.group, "tags": dict(move.group_tags)}
        yield hcl.block("resource", "aws_scheduler_schedule_group", label, group)
    for job, own in zip(move.jobs, labels, strict=True):
        yield _schedule(move, job, own, label)
    if any(not job.role for job in move.jobs):
        yield _trust(move, label)
    for job, own in zip(move.jobs, labels, strict=True):
        if not job.role:
            yield from _role(job, own, label)


def _schedule(move: Move, job: Job, own: str, label: str) -> hcl.Block:
    rule = move.found.rule
    group: Any = hcl.Code(f"aws_scheduler_schedule_group.{label}.name") if move.makes_group else move.group
    named = {"name": job.name, "group_name": group} | (
        {"description": rule["Description"]} if rule.get("Description") else {}
    )
    when = {"schedule_expression": move.turned.expression, "schedule_expression_timezone": move.turned.zone}
    if move.starts is not None:
        when["start_date"] = f"{move.starts.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    when["state"] = move.state
    return hcl.block(
        "resource",
        "aws_scheduler_schedule",
        own,
        named,
        when,
        hcl.block("flexible_time_window", {"mode": "OFF"}),
        hcl.block("target", *_target(job, own)),
    )


def _target(job: Job, own: str) -> Iterator[Mapping[str, Any] | hcl.Block]:
    yield {"arn": job.cluster, "role_arn": job.role or hcl.Code(f"aws_iam_role.{own}.arn")}
    if job.text:
        yield {"input": json_text(job.text)}
    yield hcl.block("ecs_parameters", *ecs_parameters(job.parameters))
    if job.retry:
        yield hcl.block(
            "retry_policy",
            {
                "maximum_event_age_in_seconds": job.retry["MaximumEventAgeInSeconds"],
                "maximum_retry_attempts": job.retry["MaximumRetryAttempts"],
            },
        )
    if job.queue:
        yield hcl.block("dead_letter_config", {"arn": job.queue})


def _trust(move: Move, label: str) -> hcl.Block:
    source = {"test": "StringEquals", "variable": "aws:SourceAccount", "values": [move.found.account]}
    arn: Any = hcl.Code(f"aws_scheduler_schedule_group.{label}.arn") if move.makes_group else move.group_arn
    group = {"test": "StringEquals", "variable": "aws:SourceArn", "values": [arn]}
    return hcl.block(
        "data",
        "aws_iam_policy_document",
        f"{label}_trust",
        hcl.block(
            "statement",
            {"actions": ["sts:AssumeRole"]},
            hcl.block("principals", {"type": "Service", "identifiers": ["scheduler.amazonaws.com"]}),
            hcl.block("condition", source),
            hcl.block("condition", group),
        ),
    )


def _role(job: Job, own: str, label: str) -> Iterator[hcl.Block]:
    trust = hcl.Code(f"data.aws_iam_policy_document.{label}_trust.json")
    yield hcl.block("resource", "aws_iam_role", own, {"name": job.role_name, "assume_role_policy": trust})
    statements = [
        hcl.block(
            "statement",
            {"sid": one["sid"], "actions": one["actions"], "resources": one["resources"]},
            *(
                hcl.block("condition", {"test": test, "variable": variable, "values": values})
                for test, variable, values in one["conditions"]
            ),
        )
        for one in job.statements
    ]
    yield hcl.block("data", "aws_iam_policy_document", own, *statements)
    policy = {
        "name": "run-task",
        "role": hcl.Code(f"aws_iam_role.{own}.name"),
        "policy": hcl.Code(f"data.aws_iam_policy_document.{own}.json"),
    }
    yield hcl.block("resource", "aws_iam_role_policy", own, policy)


def _readme(move: Move, folder: str) -> str:
    import pandas as pd

    lines = []
    for row in _steps(move, folder).to_dict("records"):
        times = [f"{word} {row[word]:%Y-%m-%d %H:%M} UTC" for word in ("from", "until") if not pd.isna(row[word])]
        when = f"{' '.join(times)}: " if times else ""
        command = f"\n   `{row['command']}`" if row["command"] else ""
        lines.append(f"{row['step']}. {when}{row['what']}{command}")
    return _README.format(
        name=move.found.name,
        schedules=", ".join(f"`{move.group}/{job.name}`" for job in move.jobs),
        gap=in_words(move.gap, move.now),
        steps="\n".join(lines),
        override=generate.LOCAL_OVERRIDE,
    )


def _steps(move: Move, folder: str) -> pd.DataFrame:
    names = [f"{move.group}/{job.name}" for job in move.jobs]
    return steps(move.found, move.gap, now=move.now, folder=folder, schedules=names)
