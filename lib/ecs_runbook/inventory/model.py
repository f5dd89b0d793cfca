"""
The words of the inventory: a place, a row, what a row asks RunTask for, and what AWS said of what it names.

Nothing here asks AWS. What AWS was asked for is a value, :class:`Absent` where it said that there is no such thing, or
:class:`Gap` where it did not say: a check turns a gap into SKIP, never into OK.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeVar

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.dead_letters import Letter
from ecs_runbook.firing.names import definition, short
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.schedules import Schedule

INVENTORY_COLUMNS = [
    "account",
    "region",
    "kind",
    "group",
    "name",
    "target",
    "schedule",
    "zone",
    "enabled",
    "cluster",
    "task_definition",
    "launch_type",
    "role",
    "through",
]
"""Of the table of rows: ``group`` is a rule's bus or a schedule's group; ``through`` a state machine in between."""


@dataclass(frozen=True, order=True)
class Place:
    """
    An account and a Region.

    Examples
    --------
    >>> str(Place("111122223333", "eu-west-2"))
    '111122223333/eu-west-2'
    """

    account: str
    region: str

    def __str__(self) -> str:
        return f"{self.account}/{self.region}"


@dataclass(frozen=True)
class Absent:
    """AWS said that there is no such thing, in the words of *because*."""

    because: str


@dataclass(frozen=True)
class Gap:
    """
    What could not be learnt.

    Attributes
    ----------
    operation
        The call as IAM names it, ``events:ListTargetsByRule``.
    because
        AWS's code and words, or that it did not answer.
    denied
        Whether IAM refused: then *operation* is the action that is missing.
    place
        Where; None within the facts of one place.
    subject
        What it is missing for: a Region, a bus, a rule; ``""`` for all.
    """

    operation: str
    because: str
    denied: bool = False
    place: Place | None = None
    subject: str = ""

    def __str__(self) -> str:
        return f"the caller needs {self.operation}" if self.denied else f"{self.operation}: {self.because}"


ECS_EVENTS_RULE = "StepFunctionsGetEventsForECSTaskRule"
"""By which Step Functions learns that a task has ended (AWS docs, Step Functions developer guide)."""
RUN_VARIABLE = "ECS_RUNBOOK_RUN"
"""Name of the environment variable that tells a container its schedule and its scheduled time."""

T = TypeVar("T")
Told: TypeAlias = T | Absent | Gap


@dataclass(frozen=True)
class Network:
    """The network that a target gives its tasks."""

    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    public_ip: bool = False


@dataclass(frozen=True)
class Request:
    """
    What a firing asks RunTask for, the same whether a rule, a schedule or a state machine asks.

    Attributes
    ----------
    cluster
        ARN or name.
    definition
        ARN or name of the task definition, with a revision or without.
    launch_type
        ``FARGATE``, ``EC2``, ``EXTERNAL``; ``""`` if it is left out.
    strategy
        Names of the capacity providers, in order.
    network
        None if there is none.
    overrides
        Names of the containers that the input overrides, in order.
    input_fault
        Why the input cannot be read as overrides; ``""`` if it can, or if there is none.
    count
        Tasks a firing.
    platform_version
        ``""`` if it is left out.
    tags
        Whether RunTask is asked to make tags: tags of the target's own, or those of the task definition.
    managed_tags
        Whether ECS's managed tags are asked for. That these alone need ecs:TagResource is not verified.
    task_role, execution_role
        ARNs of the roles that the input gives in place of the revision's; ``""`` if it gives none.
    token
        Whether a container is handed which run it is, as :data:`RUN_VARIABLE`, so that it can tell a second delivery.
    """

    cluster: str
    definition: str
    launch_type: str = ""
    strategy: tuple[str, ...] = ()
    network: Network | None = None
    overrides: tuple[str, ...] = ()
    input_fault: str = ""
    count: int = 1
    platform_version: str = ""
    tags: bool = False
    managed_tags: bool = False
    task_role: str = ""
    execution_role: str = ""
    token: bool = False

    @property
    def family(self) -> str:
        """The family of the task definition."""
        return definition(self.definition).family

    @property
    def revision(self) -> int | None:
        """The revision that is fixed, or None: the latest."""
        return definition(self.definition).revision


@dataclass(frozen=True)
class Machine:
    """
    What a state machine does besides starting its task.

    Attributes
    ----------
    waits
        Whether it waits until the task has ended.
    watches
        Whether it sees by itself that it has (``.sync``); else the task tells (``.waitForTaskToken``).
    varies
        Whether an execution may run the task again, or not at all.
    skips
        Whether it asks ECS which tasks run before it runs its own.
    acts
        What else its states call: action and resource as IAM names them, ``""`` for a resource that only an execution
        tells.
    """

    waits: bool = False
    watches: bool = False
    varies: bool = False
    skips: bool = False
    acts: tuple[tuple[str, str], ...] = ()

    @property
    def tells(self) -> bool:
        """Whether only its executions tell which of its tasks are one run, and which run had none."""
        return self.waits and self.varies


@dataclass(frozen=True)
class Raw:
    """
    All that AWS told of the owner of a row, for whoever has to have it whole.

    Attributes
    ----------
    owner
        As ListRules, DescribeRule or GetSchedule tells it.
    targets
        Its targets, also those that do not end in ECS.
    machines
        By ARN, as DescribeStateMachine tells them, or AWS's refusal: the state machines that anything here starts.
    """

    owner: Mapping[str, Any]
    targets: Sequence[Mapping[str, Any]]
    machines: Mapping[str, Mapping[str, Any] | AwsError]


@dataclass(frozen=True)
class Row:
    """
    One target on a schedule that ends in ECS.

    Attributes
    ----------
    place
        Account and Region.
    owner
        The rule, or the :class:`~ecs_runbook.firing.schedules.Schedule` of EventBridge Scheduler.
    target
        Which of its targets.
    request
        What it asks RunTask for.
    role
        ARN of the role that calls RunTask: the target's own, or that of the state machine in between.
    bus
        Name of the rule's bus; ``""`` for a schedule.
    pattern
        A rule's event pattern, JSON; ``""`` if it has none.
    through
        ARN of the state machine in between; ``""`` if there is none.
    machine
        What that state machine does besides.
    dead_letters
        ARN of its dead-letter queue; ``""`` if it has none.
    retry
        Its retry policy as AWS tells it; None if it has none of its own.
    starts, ends
        Of a schedule: when it begins, and when it is over.
    deletes_itself
        Whether Scheduler deletes it after its last run (ActionAfterCompletion).
    flexible
        Minutes of its flexible time window; 0 if it has none.
    created, changed
        When the owner was made and last changed, which Scheduler tells of its schedules; None if nobody does.
    tags
        The owner's own tags, if they were asked for.
    raw
        All that AWS told of the owner, if it was to be kept.
    """

    place: Place
    owner: Rule
    target: Target
    request: Request
    role: str
    bus: str = "default"
    pattern: str = ""
    through: str = ""
    machine: Machine = Machine()
    dead_letters: str = ""
    retry: Mapping[str, Any] | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    deletes_itself: bool = False
    flexible: int = 0
    created: datetime | None = None
    changed: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    raw: Raw | None = field(default=None, repr=False, compare=False)

    @property
    def kind(self) -> Literal["schedule", "rule", "event rule"]:
        """``schedule`` of Scheduler, ``rule`` with a schedule expression, or ``event rule`` with a pattern alone."""
        if isinstance(self.owner, Schedule):
            return "schedule"
        return "rule" if self.owner.expression else "event rule"

    @property
    def group(self) -> str:
        """A schedule's group, a rule's bus."""
        return self.owner.group if isinstance(self.owner, Schedule) else self.bus

    @property
    def zone(self) -> str:
        """The zone that its expression is read in; a rule's is UTC."""
        return self.owner.zone if isinstance(self.owner, Schedule) else "UTC"

    @property
    def subject(self) -> str:
        """
        How a report names it, unlike any other row of its place: ``[<bus or group>/]<name>[#<target>]``.

        The default bus and group are left out, and so is the id of an only target.
        """
        name = self.owner.name if self.group == "default" else f"{self.group}/{self.owner.name}"
        return name if len(self.owner.targets) <= 1 else f"{name}#{self.target.id}"

    def to_record(self) -> dict[str, Any]:
        """Return it as one row of the table, by :data:`INVENTORY_COLUMNS`."""
        request = self.request
        return {
            "account": self.place.account,
            "region": self.place.region,
            "kind": self.kind,
            "group": self.group,
            "name": self.owner.name,
            "target": self.target.id,
            "schedule": self.owner.expression,
            "zone": self.zone,
            "enabled": self.owner.enabled,
            "cluster": short(request.cluster),
            "task_definition": str(definition(request.definition)),
            "launch_type": request.launch_type or ", ".join(request.strategy),
            "role": short(self.role),
            "through": self.through.rpartition(":")[2],
        }


# -------- what AWS says of what the rows name


@dataclass(frozen=True)
class Definition:
    """
    One revision of a task definition, as DescribeTaskDefinition tells it.

    Attributes
    ----------
    compatibilities
        What ECS found it fit for: ``FARGATE``, ``EC2``, …
    containers
        Names of its containers, in order; ``essential`` those of them that are.
    images
        Of its containers, in order.
    secrets
        Whether it takes secrets, so that the task needs a way to their service.
    task_role, execution_role
        ARNs, also where ECS was given a name; ``""`` if there is none.
    """

    arn: str
    family: str
    revision: int
    status: str
    registered_at: datetime | None
    compatibilities: tuple[str, ...]
    network_mode: str
    cpu: str
    memory: str
    task_role: str
    execution_role: str
    containers: tuple[str, ...]
    essential: tuple[str, ...]
    images: tuple[str, ...]
    secrets: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, order=True)
class LogGroup:
    """A group of CloudWatch Logs: its Region and its name."""

    region: str
    name: str


@dataclass(frozen=True)
class Image:
    """An image of ECR: its registry's account and Region, its repository, and its tag or digest."""

    account: str
    region: str
    repository: str
    tag: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Contents:
    """
    What a revision names besides its roles; True where it is there.

    Attributes
    ----------
    log_groups
        Those that have to be there before a task starts.
    images
        Of ECR, as the revision names them.
    elsewhere
        Images of other registries, which were not asked for.
    """

    log_groups: Mapping[LogGroup, Told[bool]] = field(default_factory=dict)
    images: Mapping[str, Told[bool]] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """A cluster: its status, its capacity providers, its default strategy, and how many container instances it has."""

    arn: str
    status: str
    providers: tuple[str, ...]
    default_strategy: tuple[str, ...]
    instances: int


Way = Literal["internet gateway", "NAT", "other", "none"]
"""
Where a subnet's default route leads. A route that is a blackhole leads nowhere. ``other``: a gateway or appliance
behind which nothing can be seen, also where no default route but a narrower one leads there, or IPv6 alone leads out.
"""


@dataclass(frozen=True)
class Subnet:
    """
    A subnet: its VPC, where its default route leads, and the services with endpoints in reach (``ecr.api``, …).

    Endpoints of a VPC that another account shares are not told to this one: a Gap.
    """

    id: str
    vpc: str
    way: Told[Way]
    endpoints: Told[frozenset[str]]


@dataclass(frozen=True)
class Role:
    """A role and its trust policy, as a document."""

    arn: str
    trust: Mapping[str, Any]


Answer = Literal["allowed", "denied", "not asked"]
Against = Literal["deny", "boundary", "organization"]
"""
What is against an action, where it is not only that nothing allows it: a statement that denies it, the permissions
boundary, a policy of the organization.
"""


@dataclass(frozen=True)
class Permit:
    """
    What IAM's own simulator says of a role and one request.

    Attributes
    ----------
    run_task
        Of ecs:RunTask on the revision that would run, in this cluster.
    pass_role
        Of iam:PassRole to ecs-tasks.amazonaws.com, by the role's ARN: every role that :func:`passed` names for a row
        with this key.
    tag_resource
        Of ecs:TagResource on the cluster's tasks, by RunTask.
    any_family, any_role
        Of the same on a family and on a role that do not exist: allowed means that the policy is wider than this task.
    against
        What is against an action that is denied, by the action.
    missing_context
        Condition keys that the policies ask for and that were not given to the simulator.
    """

    run_task: Answer
    pass_role: Mapping[str, Answer]
    tag_resource: Answer
    any_family: Answer
    any_role: Answer
    against: Mapping[str, Against] = field(default_factory=dict)
    missing_context: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class PermitKey:
    """
    What a :class:`Permit` is about. Rows with the same key need one call.

    Attributes
    ----------
    role
        ARN of the role that calls RunTask.
    definition
        ARN of the revision that would run.
    cluster
        ARN.
    tags
        Whether tags would be made.
    """

    role: str
    definition: str
    cluster: str
    tags: bool


@dataclass(frozen=True, order=True)
class Deed:
    """
    One thing that a role must be able to do besides RunTask, to be asked of IAM's simulator.

    Attributes
    ----------
    cluster
        ARN of the cluster in which it is done, since a policy may have a condition on that; ``""`` if in none.
    """

    role: str
    action: str
    resource: str
    cluster: str = ""


@dataclass(frozen=True)
class Queue:
    """
    A dead-letter queue.

    Attributes
    ----------
    policy
        Its resource policy as a document; empty if it has none.
    waiting
        About how many messages wait in it.
    letters
        Those that were read; reading them raises their receive count and takes none out.
    unread
        Why they were not read, or not all; ``""`` if all were.
    """

    arn: str
    policy: Mapping[str, Any]
    waiting: int
    letters: tuple[Letter, ...] = ()
    unread: str = ""


@dataclass(frozen=True)
class Facts:
    """
    What AWS says of what the rows of one place name. Each thing was asked for once, however many rows name it.

    Attributes
    ----------
    latest
        The latest ACTIVE revision, by family.
    pinned
        A fixed revision, by the task definition as the target names it; also what is named of another place.
    clusters, subnets, security_groups, queues
        By ARN or id as the targets name them; of a security group, its VPC.
    roles
        Those of :func:`roles_named`.
    permits
        By :class:`PermitKey`.
    deeds
        What :func:`deeds` names.
    groups
        The state of each group of schedules that a row is in, but for the default one: ``ACTIVE`` or ``DELETING``.
    tagging_authorised
        Whether the account authorises tagging by ecs:TagResource.
    contents
        Of revisions, by ARN; asked for only where a revision is looked at before it runs.
    """

    place: Place
    latest: Mapping[str, Told[Definition]] = field(default_factory=dict)
    pinned: Mapping[str, Told[Definition]] = field(default_factory=dict)
    clusters: Mapping[str, Told[Cluster]] = field(default_factory=dict)
    subnets: Mapping[str, Told[Subnet]] = field(default_factory=dict)
    security_groups: Mapping[str, Told[str]] = field(default_factory=dict)
    roles: Mapping[str, Told[Role]] = field(default_factory=dict)
    permits: Mapping[PermitKey, Told[Permit]] = field(default_factory=dict)
    deeds: Mapping[Deed, Told[Answer]] = field(default_factory=dict)
    queues: Mapping[str, Told[Queue]] = field(default_factory=dict)
    groups: Mapping[str, Told[str]] = field(default_factory=dict)
    tagging_authorised: Told[bool] = True
    contents: Mapping[str, Contents] = field(default_factory=dict)

    def resolved(self, row: Row) -> Told[Definition]:
        """Return the revision that *row* would run now: the fixed one, else the latest ACTIVE one of the family."""
        named = row.request.definition
        if row.request.revision is not None or named in self.pinned:
            return self.pinned.get(named, Gap("ecs:DescribeTaskDefinition", f"{named} was not asked for"))
        family = row.request.family
        return self.latest.get(family, Gap("ecs:DescribeTaskDefinition", f"{family} was not asked for"))

    def permit(self, row: Row) -> Told[Permit]:
        """Return what IAM says of *row*."""
        key = permit_key(row, self)
        if key is None:
            return Gap("iam:SimulatePrincipalPolicy", "the revision or the cluster is not known")
        return self.permits.get(key, Gap("iam:SimulatePrincipalPolicy", "it was not asked"))


def permit_key(row: Row, facts: Facts) -> PermitKey | None:
    """Return what IAM is to be asked for *row*; None if the revision or the cluster is not known."""
    revision, cluster = facts.resolved(row), facts.clusters.get(row.request.cluster)
    arn = cluster.arn if isinstance(cluster, Cluster) else "" if isinstance(cluster, Absent) else row.request.cluster
    if not isinstance(revision, Definition) or not arn.startswith("arn:") or not row.role:
        return None
    return PermitKey(row.role, revision.arn, arn, row.request.tags or row.request.managed_tags)


def cluster_of(row: Row) -> str:
    """Return the ARN of the cluster that *row* names, also where there is no such cluster."""
    named, place = row.request.cluster, row.place
    partition = row.role.split(":")[1] if row.role.startswith("arn:") else "aws"
    return named if named.startswith("arn:") else f"arn:{partition}:ecs:{place.region}:{place.account}:cluster/{named}"


def passed(row: Row, revision: Definition) -> list[str]:
    """Return the ARNs of the roles that the task gets: those of *revision*, or what the input gives in their place."""
    roles = (row.request.task_role or revision.task_role, row.request.execution_role or revision.execution_role)
    return list(dict.fromkeys(role for role in roles if role))


def roles_named(row: Row, facts: Facts) -> list[str]:
    """Return the ARNs of all roles on *row*'s way: that call RunTask, start a state machine, or go to the task."""
    revision = facts.resolved(row)
    of_the_task = passed(row, revision) if isinstance(revision, Definition) else []
    return list(dict.fromkeys(role for role in (row.target.role, row.role, *of_the_task) if role))


def deeds(row: Row) -> list[Deed]:
    """
    Return what *row*'s roles must be able to do besides RunTask.

    A rule writes to its dead-letter queue by the queue's own policy, a schedule by its role. A state machine that waits
    for the end of its task describes and stops it, and learns of its end through a rule that Step Functions makes.
    Source: AWS docs, EventBridge and EventBridge Scheduler user guides, dead-letter queues; Step Functions developer
    guide, IAM policies for ECS (verified).
    """
    return caller_deeds(row) + machine_deeds(row)


def caller_deeds(row: Row) -> list[Deed]:
    """Return what the role of *row*'s target must be able to do besides RunTask."""
    found = [Deed(row.target.role, "states:StartExecution", row.through)] if row.through and row.target.role else []
    if row.kind == "schedule" and row.dead_letters and row.target.role:
        found.append(Deed(row.target.role, "sqs:SendMessage", row.dead_letters))
    return found


def machine_deeds(row: Row) -> list[Deed]:
    """Return what the role of *row*'s state machine must be able to do besides running the task."""
    parts = row.through.split(":")
    if not row.role or len(parts) < 5:
        return []
    partition, region, account = parts[1], parts[3], parts[4]
    acts = [*row.machine.acts]
    if row.machine.watches:
        rule = f"arn:{partition}:events:{region}:{account}:rule/{ECS_EVENTS_RULE}"
        acts += [("ecs:DescribeTasks", ""), ("ecs:StopTask", "")]
        acts += [(f"events:{one}", rule) for one in ("PutTargets", "PutRule", "DescribeRule")]
    tasks = f"arn:{partition}:ecs:{region}:{account}:task/{short(row.request.cluster)}/*"
    of_ecs = {"ecs:DescribeTasks": tasks, "ecs:StopTask": tasks}
    return [
        Deed(row.role, action, resource or of_ecs.get(action, "*"), cluster_of(row))
        for action, resource in dict.fromkeys(acts)
        if resource or action.startswith("ecs:")
    ]


@dataclass(frozen=True)
class Inventory:
    """
    What is on a schedule, in every place that was asked for.

    Attributes
    ----------
    rows
        By place, kind, group, name and target.
    gaps
        What could not be listed, each with its place.
    places
        Every place that was asked for, also those that did not answer.
    others
        How many rules and schedules were seen that do not end in ECS.
    whole
        Whether all that ends in ECS was looked for, and not only some of it that was named: else others, which are not
        here, can be taken for it.
    calls
        The calls that were made, by operation.
    """

    rows: Sequence[Row] = ()
    gaps: Sequence[Gap] = ()
    places: Sequence[Place] = ()
    others: int = 0
    whole: bool = True
    calls: Mapping[str, int] = field(default_factory=dict)

    def of(self, place: Place) -> Iterator[Row]:
        """Yield the rows of one place."""
        return (row for row in self.rows if row.place == place)
