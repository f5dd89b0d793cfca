"""
Where mistakes are made: one root module that calls all of them, so that a rehearsal is one init, one apply, one firing.

What is made stands in the state of the local AWS's life. A stage that was left standing, by an interrupt, is cleared
by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ecs_runbook import workspace
from ecs_runbook.errors import EvidenceError, TerraformError
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.names import definition
from ecs_runbook.firing.rules import read_rule
from ecs_runbook.rehearsal.mend import mended
from ecs_runbook.rehearsal.mistakes import Deregisters, Event, Mistake, Registers
from ecs_runbook.session import Aws
from ecs_runbook.terraform import generate, hcl
from ecs_runbook.terraform.messages import Diagnostic
from ecs_runbook.terraform.run import Applied, Plan, Terraform
from ecs_runbook.wanted.schedule import parse

IMAGE = "public.ecr.aws/docker/library/busybox:1.36"
SCHEDULE = "cron(0 2 * * ? *)"
SUBNETS = ("subnet-0a1a1a1a1a1a1a1a1", "subnet-0a2a2a2a2a2a2a2a2")
SECURITY_GROUP = "sg-0c1c1c1c1c1c1c1c1"
"""Private subnets of the local AWS, with a NAT gateway, and its security group."""

QUEUE = "rehearsal-dead-letters"
_AFTER = timedelta(minutes=1)
"""By then a task of the local AWS has ended, and ECS remembers it for an hour."""


@dataclass
class Stage:
    """
    The stage of one rehearsal.

    Parameters
    ----------
    aws
        The local AWS.
    mistakes
        What is rehearsed.
    progress
        Where to show how far it is.
    """

    aws: Aws
    mistakes: Sequence[Mistake]
    progress: Bars | None = None
    queue: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.folder = workspace.build() / "local" / "rehearsal"
        self.ask = Asking()
        self._act = ""
        self.terraform = Terraform(self.folder, aws=self.aws, progress=self._terraform_says)

    # -------- what is written

    def write(self, *, mend: bool = False) -> None:
        """Write the root module, the modules that it calls, mended or not, and what ties them to the local AWS."""
        contents = {"main.tf": self._root().encode()}
        setting = workspace.modules() / "mistakes" / "setting"
        for path in sorted(setting.glob("*.tf")):
            contents[f"mistakes/setting/{path.name}"] = path.read_bytes()
        for mistake in self.mistakes:
            for name, text in module(mistake, mend=mend).items():
                contents[f"mistakes/{mistake.name}/{name}"] = text.encode()
        generate.put(self.folder, contents)
        generate.tie(self.folder, generate.local_of(self.aws, self.folder))

    def _root(self) -> str:
        settings = hcl.block(
            "terraform",
            {"required_version": ">= 1.6"},
            hcl.block("required_providers", {"aws": {"source": "hashicorp/aws", "version": generate.NEEDED_PROVIDER}}),
        )
        provider = hcl.block("provider", "aws", {"region": self.aws.region, "allowed_account_ids": [self.aws.account]})
        calls = [
            hcl.block("module", mistake.name, {"source": f"./mistakes/{mistake.name}"}, self._values(mistake))
            for mistake in self.mistakes
        ]
        return hcl.document(settings, provider, *calls, comment="Every mistake of this rehearsal, in one apply.")

    def _values(self, mistake: Mistake) -> dict[str, Any]:
        known = {
            "name": mistake.rule,
            "image": IMAGE,
            "subnets": list(SUBNETS),
            "security_groups": [SECURITY_GROUP],
            "schedule": SCHEDULE,
            "dead_letter_queue_arn": self.queue,
            "region": self.aws.region,
            "account": self.aws.account,
        }
        text = (mistake.folder / "variables.tf").read_text(encoding="utf-8")
        return {name: value for name, value in known.items() if f'variable "{name}" {{' in text}

    # -------- what is done

    def act(self, title: str) -> None:
        """Say what is going on from here."""
        self._act = title
        self.say(0.0)

    def say(self, done: float, note: str = "") -> None:
        """Say how much of it is done."""
        if self.progress is not None:
            self.progress.row(self._act, done, note)

    def _terraform_says(self, name: str, done: float, note: str) -> None:
        # a bar for each of a hundred resources would hide what matters
        if name.startswith("terraform "):
            self.say(min(done, 0.99), f"{name}: {note}")

    def prepare(self) -> None:
        """Make what stands before anything is applied: the dead-letter queue, and revisions of an earlier time."""
        if any(mistake.story.shows == "dead letter" for mistake in self.mistakes):
            self.queue = self._make_queue()
        for mistake in self.mistakes:
            self.happen(mistake, mistake.story.before)

    def plan(self) -> tuple[Plan, dict[str, Any]]:
        """Plan, and return the plan with all its values."""
        plan = self.terraform.plan()
        return plan, self.terraform.plan_in_json(plan)

    def apply(self, plan: Plan | None = None) -> tuple[Applied | None, dict[str, Diagnostic]]:
        """
        Apply, and return what was refused, by the mistake's name: it has not stopped the others.

        Raises
        ------
        TerraformError
            If Terraform stopped for anything but a mistake whose story says that its apply fails.
        """
        try:
            return self.terraform.apply(plan), {}
        except TerraformError:
            refused = {owner(one.address): one for one in self.terraform.complaints}
            may = {mistake.name for mistake in self.mistakes if mistake.story.shows == "apply"}
            if not refused or not set(refused) <= may:
                raise
            return None, refused

    def happen(self, mistake: Mistake, events: Iterable[Event]) -> None:
        """Let *events* happen, as a deploy pipeline makes them happen: beside Terraform."""
        for event in events:
            if isinstance(event, Registers):
                self._register(mistake.rule, event)
            elif isinstance(event, Deregisters):
                oldest = self._active(mistake.rule)[0]
                ecs = self.aws.client("ecs")
                self.ask("ecs:DeregisterTaskDefinition", ecs.deregister_task_definition, taskDefinition=oldest)

    def _register(self, family: str, event: Registers) -> None:
        roles = {"executionRoleArn": self._role(f"{family}-execution")}
        if event.task_role:
            roles["taskRoleArn"] = self._role(f"{family}-task")
        self.ask(
            "ecs:RegisterTaskDefinition",
            self.aws.client("ecs").register_task_definition,
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": event.container, "image": IMAGE, "essential": True}],
            tags=[{"key": "job", "value": family}],
            **{name: arn for name, arn in roles.items() if arn},
        )

    def _role(self, name: str) -> str:
        iam = self.aws.client("iam")
        try:
            return str(iam.get_role(RoleName=name)["Role"]["Arn"])
        except iam.exceptions.NoSuchEntityException:
            return ""  # before the apply there is none yet

    def _active(self, family: str) -> list[str]:
        """Return the ACTIVE revisions of *family*, oldest first."""
        ecs = self.aws.client("ecs")
        pages = self.ask.pages("ecs:ListTaskDefinitions", ecs.list_task_definitions, familyPrefix=family)
        return [arn for page in pages for arn in page["taskDefinitionArns"] if definition(arn).family == family]

    def fire(self, see: Callable[[Mistake, datetime], None]) -> None:
        """
        Let every schedule run once, by moving the clock to its next minute, and *see* each right after it.

        A mistake whose rule could not be made is not seen.
        """
        due = {mistake.name: moment for mistake in self.mistakes if (moment := self._next(mistake)) is not None}
        for number, moment in enumerate(sorted(set(due.values()))):
            self.say(number / (len(set(due.values())) + 1), f"the clock moves to {moment:%Y-%m-%d %H:%M} UTC")
            self.aws.advance(to=moment + _AFTER)
            for mistake in self.mistakes:
                if due.get(mistake.name) == moment:
                    see(mistake, moment)
        self.say(1.0, f"{len(due)} schedules ran")

    def _next(self, mistake: Mistake) -> datetime | None:
        try:
            rule = read_rule(mistake.rule, events=self.aws.client("events"), ask=self.ask)
        except EvidenceError:
            return None
        return next(parse(rule.expression).after(self.aws.now()), None)

    # -------- what is taken away

    def clear(self) -> None:
        """Destroy what stands on this stage, also what an interrupted rehearsal has left."""
        generate.tie(self.folder, generate.local_of(self.aws, self.folder))
        families = {mistake.rule for mistake in self.mistakes}
        if standing := self.terraform.state().resources:
            families |= {one.name for one in standing if one.type == "aws_cloudwatch_event_rule"}
            self.terraform.destroy()
        for family in sorted(families):
            for arn in self._active(family):
                ecs = self.aws.client("ecs")
                self.ask("ecs:DeregisterTaskDefinition", ecs.deregister_task_definition, taskDefinition=arn)
        self._drop_queue()
        self.say(1.0, "nothing is left")

    def _make_queue(self) -> str:
        sqs = self.aws.client("sqs")
        url = self.ask("sqs:CreateQueue", sqs.create_queue, QueueName=QUEUE)["QueueUrl"]
        asked = self.ask("sqs:GetQueueAttributes", sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["QueueArn"])
        arn = str(asked["Attributes"]["QueueArn"])
        self.ask("sqs:SetQueueAttributes", sqs.set_queue_attributes, QueueUrl=url, Attributes={"Policy": _policy(arn)})
        return arn

    def _drop_queue(self) -> None:
        sqs = self.aws.client("sqs")
        try:
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])
        except ClientError:
            return  # there is none


def module(mistake: Mistake, *, mend: bool = False) -> Mapping[str, str]:
    """
    Return the files of *mistake* as a module that a root module calls: without its provider.

    Raises
    ------
    WorkspaceError
        If the README's diff does not fit.
    """
    files = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(mistake.folder.glob("*.tf"))
        if path.name != "provider.tf"
    }
    return files | ({"main.tf": mended(files["main.tf"], mistake.diff)} if mend else {})


def owner(address: str) -> str:
    """
    Return the mistake that a resource belongs to; an address without a module is its own.

    Examples
    --------
    >>> owner("module.cron_meant_in_jst.aws_cloudwatch_event_rule.this")
    'cron_meant_in_jst'
    """
    parts = address.split(".")
    return parts[1] if parts[0] == "module" and len(parts) > 1 else address


def _policy(queue: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
