"""What AWS says of all that the rows of an inventory name: each thing asked for once, however many rows name it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence import dead_letters
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.names import definition, short
from ecs_runbook.firing.schedules import DEFAULT_GROUP
from ecs_runbook.inventory import networks
from ecs_runbook.inventory.bars import PlaceBars
from ecs_runbook.inventory.fleet import PLACES_AT_ONCE, Fleet
from ecs_runbook.inventory.gate import Gate, gap_of
from ecs_runbook.inventory.model import (
    Absent,
    Answer,
    Cluster,
    Deed,
    Definition,
    Facts,
    Gap,
    Inventory,
    Permit,
    PermitKey,
    Place,
    Queue,
    Role,
    Row,
    Told,
    passed,
    permit_key,
    roles_named,
)
from ecs_runbook.inventory.permits import NO_ROLE, SIMULATE, Simulator
from ecs_runbook.inventory.scope import EVERYTHING, Scope
from ecs_runbook.session import Aws

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sqs import SQSClient

MOST_LETTERS = 50
"""No more messages of a queue are read."""
_CLUSTERS_AT_ONCE, _GROUPS_AT_ONCE, _ROLES_AT_ONCE = 100, 100, 1000
FEW_ROLES = 3
"""So many roles are asked for by name; more of them are found in the list."""
_DESCRIBE = "ecs:DescribeTaskDefinition"
_NO_DEFINITION = frozenset({"ClientException", "InvalidParameterException"})

T = TypeVar("T")
Known = dict[str, Told[T]]


def facts(
    fleet: Fleet, found: Inventory, *, scope: Scope = EVERYTHING, progress: Bars | None = None
) -> dict[Place, Facts]:
    """
    Ask AWS for all that the rows name.

    Parameters
    ----------
    fleet
        Where the rows are from.
    found
        The inventory.
    scope
        What is asked; of what is not, nothing is known.
    progress
        Where to show how far it is.

    Returns
    -------
    dict[Place, Facts]
        Of each place that has rows. What is not there is :class:`Absent`, what could not be learnt a :class:`Gap`.

    Notes
    -----
    Needs ``ecs:DescribeTaskDefinition`` (a call a family, and one for each fixed revision that is not the latest),
    ``ecs:DescribeClusters`` (100 a call), ``ecs:ListAccountSettings`` where tags are made, ``ec2:DescribeSubnets``,
    ``ec2:DescribeSecurityGroups``, ``ec2:DescribeRouteTables`` and ``ec2:DescribeVpcEndpoints`` (200 a call),
    ``scheduler:ListScheduleGroups`` (100 a call) where a schedule is in another group than the default one,
    ``iam:GetRole`` or, for more than a few roles of an account, ``iam:ListRoles`` (1,000 a call),
    ``iam:SimulatePrincipalPolicy`` (a call for a role in each cluster that it runs tasks in), ``sqs:GetQueueUrl`` and
    ``sqs:GetQueueAttributes`` (a call a queue), and ``sqs:ReceiveMessage`` where messages wait.
    """
    by_place: dict[Place, list[Row]] = defaultdict(list)
    for row in found.rows:
        by_place[row.place].append(row)
    bars, simulator = PlaceBars(progress, len(by_place)), Simulator()
    known = fleet.gate.at_once(
        {place: partial(_named_by, rows, place, fleet, scope, bars) for place, rows in by_place.items()},
        most=PLACES_AT_ONCE,
    )
    # IAM is the account's, whatever the Region
    roles: dict[str, set[str]] = defaultdict(set)
    for row in found.rows if scope.asks("iam:GetRole") else ():
        roles[row.place.account] |= set(roles_named(row, known[row.place]))
    first = {place.account: place for place in sorted(by_place, reverse=True)}
    jobs: dict[Place | str, Callable[[], Any]] = {
        account: partial(_roles, first[account], arns, fleet) for account, arns in roles.items()
    }
    jobs |= {
        place: partial(_allowed, rows, known[place], first[place.account], fleet, scope, simulator, bars)
        for place, rows in by_place.items()
    }
    told = fleet.gate.at_once(jobs, most=PLACES_AT_ONCE)
    for place in first.values():
        fleet.leave(place)
    return {
        place: replace(one, roles=told.get(place.account, {}), permits=told[place][0], deeds=told[place][1])
        for place, one in known.items()
    }


def _named_by(rows: Sequence[Row], place: Place, fleet: Fleet, scope: Scope, bars: PlaceBars) -> Facts:
    """Return what is there of all that *rows* name, but for IAM."""
    aws, ask, gate = fleet.at(place), fleet.ask(place), fleet.gate
    given = [row.request.network for row in rows if row.request.network]
    subnets = sorted({subnet for one in given for subnet in one.subnets})
    groups = sorted({group for one in given for group in one.security_groups})
    tags = any(row.request.tags or row.request.managed_tags for row in rows)
    ways, letters = scope.asks("ec2:DescribeRouteTables"), scope.asks("sqs:ReceiveMessage")
    queues = {row.dead_letters for row in rows if row.dead_letters}
    jobs: dict[str, tuple[str, Callable[[], Any]]] = {
        "definitions": (_DESCRIBE, lambda: _definitions(place, rows, fleet, bars)),
        "clusters": (
            "ecs:DescribeClusters",
            lambda: clusters_of(place, {row.request.cluster for row in rows}, aws, ask),
        ),
        "subnets": (
            "ec2:DescribeSubnets",
            lambda: (
                networks.subnets(subnets, account=place.account, ec2=aws.client("ec2"), ask=ask, ways=ways)
                if subnets
                else {}
            ),
        ),
        "security_groups": (
            "ec2:DescribeSecurityGroups",
            lambda: networks.security_groups(groups, ec2=aws.client("ec2"), ask=ask) if groups else {},
        ),
        "queues": ("sqs:GetQueueAttributes", lambda: _queues(queues, aws, ask, gate, letters=letters)),
        "groups": (
            "scheduler:ListScheduleGroups",
            lambda: _groups({row.group for row in rows if row.kind == "schedule"} - {DEFAULT_GROUP}, aws, ask),
        ),
        "tagging_authorised": ("ecs:ListAccountSettings", lambda: _tagging(aws, ask) if tags else True),
    }
    wanted = {name: job for name, (action, job) in jobs.items() if scope.asks(action)}
    told = gate.at_once(bars.each(place, wanted), most=len(jobs))
    latest, pinned = told.pop("definitions", ({}, {}))
    fleet.leave(place)
    return Facts(place=place, latest=latest, pinned=pinned, **told)


def _allowed(
    rows: Sequence[Row],
    known: Facts,
    home: Place,
    fleet: Fleet,
    scope: Scope,
    simulator: Simulator,
    bars: PlaceBars,
) -> tuple[dict[PermitKey, Told[Permit]], dict[Deed, Told[Answer]]]:
    """Return what IAM says, asked in *home*, of the requests of *rows* and of what else their roles must do."""
    passed_on: dict[PermitKey, list[str]] = defaultdict(list)
    simulated = frozenset(scope.simulated if scope.asks(SIMULATE) else ())
    for row in rows if simulated & {"run", "wide"} else ():
        key, revision = permit_key(row, known), known.resolved(row)
        if key is not None and isinstance(revision, Definition):
            passed_on[key] = list(dict.fromkeys([*passed_on[key], *passed(row, revision)]))
    wanted = {deed for row in rows for deed in scope.deeds(row)} if simulated else set()
    permits: dict[PermitKey, Told[Permit]] = {}
    done: dict[Deed, Told[Answer]] = {}
    if passed_on or wanted:
        iam = fleet.at(home).client("iam")
        asking = partial(bars.counted, known.place), partial(bars.looked, known.place)
        permits, done = simulator.ask(
            passed_on,
            wanted,
            iam=iam,
            ask=fleet.ask(home),
            gate=fleet.gate,
            run="run" in simulated,
            wide="wide" in simulated,
            counted=asking[0],
            looked=asking[1],
        )
    bars.end(known.place, f"{len(rows)} target{'s' * (len(rows) != 1)}")
    return permits, done


# -------- ECS


def _definitions(
    place: Place, rows: Sequence[Row], fleet: Fleet, bars: PlaceBars
) -> tuple[Known[Definition], Known[Definition]]:
    """Return the latest revision by family, and the fixed ones by the names that targets give them."""
    names = sorted({row.request.definition for row in rows})
    own = [name for name in names if not _foreign(name, place)]
    pinned: Known[Definition] = {
        name: Gap(_DESCRIBE, f"{name} is not in {place}") for name in names if _foreign(name, place)
    }
    latest = _described({definition(name).family for name in own}, place, fleet, bars)
    fixed = {name: str(definition(name)) for name in own if definition(name).revision is not None}
    older = {short_name for short_name in fixed.values() if not _is(latest[definition(short_name).family], short_name)}
    told = _described(older, place, fleet, bars)
    pinned |= {
        name: told[short_name] if short_name in told else latest[definition(name).family]
        for name, short_name in fixed.items()
    }
    return latest, pinned


def _is(newest: Told[Definition], name: str) -> bool:
    return isinstance(newest, Definition) and newest.revision == definition(name).revision


def _described(names: set[str], place: Place, fleet: Fleet, bars: PlaceBars) -> Known[Definition]:
    """Return task definitions by family, or by family and revision."""
    describe, ask = fleet.at(place).client("ecs").describe_task_definition, fleet.ask(place)

    def described(name: str) -> Mapping[str, Any]:
        try:
            answer = ask("ecs:DescribeTaskDefinition", describe, taskDefinition=name)
        finally:
            bars.looked(place)
        told: Mapping[str, Any] = answer.get("taskDefinition", {})
        return told

    found: Known[Definition] = {"": Absent("it names no task definition")} if "" in names else {}
    for name, answer in fleet.gate.each(_DESCRIBE, described, bars.counted(place, sorted(names - {""}))):
        found[name] = _definition(name, answer)
    return found


def _definition(name: str, answer: Mapping[str, Any] | AwsError) -> Told[Definition]:
    if isinstance(answer, AwsError):
        return Absent(f"{name}: {answer.words}") if answer.code in _NO_DEFINITION else gap_of(answer)
    return read_definition(answer)


def read_definition(told: Mapping[str, Any]) -> Definition:
    """
    Read a task definition of DescribeTaskDefinition.

    Examples
    --------
    >>> told = {"family": "nightly", "revision": 3, "containerDefinitions": [{"name": "main", "image": "busybox"}]}
    >>> read_definition(told).essential
    ('main',)
    """
    containers = told.get("containerDefinitions", [])
    return Definition(
        arn=str(told.get("taskDefinitionArn", "")),
        family=str(told.get("family", "")),
        revision=int(told.get("revision", 0)),
        status=str(told.get("status", "")),
        registered_at=moment(told.get("registeredAt")),
        compatibilities=tuple(told.get("compatibilities") or ()),
        network_mode=str(told.get("networkMode") or ""),
        cpu=str(told.get("cpu") or ""),
        memory=str(told.get("memory") or ""),
        task_role=_role_arn(str(told.get("taskRoleArn") or ""), str(told.get("taskDefinitionArn", ""))),
        execution_role=_role_arn(str(told.get("executionRoleArn") or ""), str(told.get("taskDefinitionArn", ""))),
        containers=tuple(str(one.get("name", "")) for one in containers),
        essential=tuple(str(one.get("name", "")) for one in containers if one.get("essential", True)),
        images=tuple(str(one.get("image", "")) for one in containers),
        secrets=any(
            one.get("secrets")
            or one.get("repositoryCredentials")
            or (one.get("logConfiguration") or {}).get("secretOptions")
            for one in containers
        ),
        raw=told,
    )


def _role_arn(role: str, definition_arn: str) -> str:
    """
    Return the ARN of a role of which ECS may have been given the name alone.

    Source: botocore ecs RegisterTaskDefinition: taskRoleArn is "the short name or full" ARN (verified).
    """
    parts = definition_arn.split(":")
    return (
        role if not role or role.startswith("arn:") or len(parts) < 6 else f"arn:{parts[1]}:iam::{parts[4]}:role/{role}"
    )


def clusters_of(place: Place, names: set[str], aws: Aws, ask: Asking) -> Known[Cluster]:
    """Return what ECS says of clusters, by the names that targets give them."""
    own = sorted(name for name in names if not _foreign(name, place))
    found: Known[Cluster] = {
        name: Gap("ecs:DescribeClusters", f"{name} is not in {place}") for name in names if name not in own
    }
    wanted = sorted({short(name) for name in own})
    told: Known[Cluster] = {}
    for first in range(0, len(wanted), _CLUSTERS_AT_ONCE):
        some = wanted[first : first + _CLUSTERS_AT_ONCE]
        told |= dict.fromkeys(some, Absent("ECS tells of no such cluster"))
        try:
            answer = ask("ecs:DescribeClusters", aws.client("ecs").describe_clusters, clusters=some)
        except AwsError as error:
            told |= dict.fromkeys(some, gap_of(error))
            continue
        told |= {short(str(one["arn"])): Absent(f"ECS says {one.get('reason')}") for one in answer.get("failures", [])}
        told |= {str(one["clusterName"]): _cluster(one) for one in answer.get("clusters", [])}
    return found | {name: told[short(name)] for name in own}


def _cluster(told: Mapping[str, Any]) -> Cluster:
    return Cluster(
        arn=str(told.get("clusterArn", "")),
        status=str(told.get("status", "")),
        providers=tuple(told.get("capacityProviders") or ()),
        default_strategy=tuple(
            str(one.get("capacityProvider", "")) for one in told.get("defaultCapacityProviderStrategy") or ()
        ),
        instances=int(told.get("registeredContainerInstancesCount") or 0),
    )


def _foreign(arn: str, place: Place) -> bool:
    parts = arn.split(":")
    return len(parts) > 5 and (parts[3], parts[4]) != (place.region, place.account)


def _tagging(aws: Aws, ask: Asking) -> Told[bool]:
    """
    Return whether the account authorises tagging.

    Source: ECS developer guide, account settings: ``tagResourceAuthorization``, on by default, in each Region.
    """
    settings = aws.client("ecs").list_account_settings
    try:
        told = ask("ecs:ListAccountSettings", settings, name="tagResourceAuthorization", effectiveSettings=True)
    except AwsError as error:
        return gap_of(error)
    values = [str(one.get("value", "")) for one in told.get("settings", [])]
    return values != ["off"]


# -------- Scheduler


def _groups(names: set[str], aws: Aws, ask: Asking) -> Known[str]:
    """Return the state of groups of schedules, by name."""
    if not names:
        return {}
    found: Known[str] = dict.fromkeys(sorted(names), Absent("Scheduler tells of no such group"))
    pages = ask.pages(
        "scheduler:ListScheduleGroups", aws.client("scheduler").list_schedule_groups, MaxResults=_GROUPS_AT_ONCE
    )
    try:
        listed = [one for page in pages for one in page.get("ScheduleGroups", [])]
    except AwsError as error:
        return dict.fromkeys(sorted(names), gap_of(error))
    return found | {name: str(one.get("State", "")) for one in listed if (name := str(one.get("Name"))) in names}


# -------- IAM


def _roles(place: Place, arns: set[str], fleet: Fleet) -> Known[Role]:
    """Return the roles of an account, by ARN."""
    iam, ask = fleet.at(place).client("iam"), fleet.ask(place)
    wanted = sorted(arn for arn in arns if arn)
    own = [arn for arn in wanted if _account_of(arn) == place.account]
    found: Known[Role] = {}
    if len(own) <= FEW_ROLES:
        for arn, answer in fleet.gate.each(
            "iam:GetRole", lambda one: ask("iam:GetRole", iam.get_role, RoleName=short(one))["Role"], own
        ):
            found[arn] = _role(answer) if not isinstance(answer, AwsError) else _no_role(answer)
    else:
        found = _listed_roles(own, iam, ask)
    others = [arn for arn in wanted if arn not in found]
    return found | {arn: Gap("iam:GetRole", f"{arn} is not of account {place.account}") for arn in others}


def _listed_roles(arns: Sequence[str], iam: IAMClient, ask: Asking) -> Known[Role]:
    left = set(arns)
    found: Known[Role] = {}
    try:
        for page in ask.pages("iam:ListRoles", iam.list_roles, MaxItems=_ROLES_AT_ONCE):
            found |= {str(one["Arn"]): _role(one) for one in page.get("Roles", []) if one["Arn"] in left}
            left -= set(found)
            if not left:
                break
    except AwsError as error:
        return found | dict.fromkeys(left, gap_of(error))
    return found | {arn: Absent(f"the account has no role {short(arn)}") for arn in left}


def _role(told: Mapping[str, Any]) -> Role:
    trust = told.get("AssumeRolePolicyDocument")
    return Role(str(told.get("Arn", "")), trust if isinstance(trust, Mapping) else {})


def _no_role(error: AwsError) -> Absent | Gap:
    return Absent(error.words) if error.code in NO_ROLE else gap_of(error)


def _account_of(arn: str) -> str:
    return (arn.split(":") + [""] * 5)[4]


# -------- SQS


def _queues(arns: set[str], aws: Aws, ask: Asking, gate: Gate, *, letters: bool) -> Known[Queue]:
    sqs = aws.client("sqs")
    return {
        arn: gap_of(answer) if isinstance(answer, AwsError) else answer
        for arn, answer in gate.each(
            "sqs:GetQueueAttributes", lambda one: _queue(one, sqs, ask, letters=letters), sorted(arns)
        )
    }


def _queue(arn: str, sqs: SQSClient, ask: Asking, *, letters: bool) -> Told[Queue]:
    try:
        url, told = dead_letters.attributes(arn, sqs=sqs, ask=ask, more=["Policy"])
    except ValueError:
        return Absent(f"{arn!r} is not the ARN of a queue")
    except AwsError as error:
        if error.code in dead_letters.NO_QUEUE:
            return Absent(f"there is no queue {arn.rpartition(':')[2]}")
        raise
    waiting = dead_letters.counted(told)
    read = dead_letters.Queue(arn)
    if waiting and letters:
        read = dead_letters.read_messages(arn, url, told, sqs=sqs, ask=ask, most=MOST_LETTERS)
    return Queue(arn, _policy(told.get("Policy")), waiting, read.letters, read.unread)


def _policy(text: str | None) -> Mapping[str, Any]:
    try:
        policy = json.loads(text or "{}")
    except ValueError:
        return {}
    return policy if isinstance(policy, Mapping) else {}
