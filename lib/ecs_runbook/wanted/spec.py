"""
What should run: one typed, validated object, which everything after it is derived from.

:func:`spec` makes it from plain values, as notebooks, YAML and JSON have them, and names every fault at once; what AWS
asks of the fields together stands in :mod:`ecs_runbook.wanted.rules`. Types are strict: a number for a name is refused
rather than made text, since papermill has then turned ``007`` into 7 already.

Source of the limits: the shapes of botocore events PutRule and PutTargets, scheduler CreateSchedule, ecs
RegisterTaskDefinition and RunTask, iam CreateRole, logs PutRetentionPolicy; AWS docs, ECS developer guide, task size.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from ecs_runbook.errors import Fault, ScheduleError, SpecError
from ecs_runbook.wanted import rules
from ecs_runbook.wanted.schedule import parse_scheduler, shortened, zone_named

MAX_ROLE_NAME = 64
LOG_RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)

_ARN = r"arn:(aws|aws-cn|aws-us-gov):{service}:{region}:[0-9]{{12}}:{resource}"
_REGION = "[a-z]{2}(-[a-z]+)+-[0-9]+"
_DIGEST = "@sha256:[0-9A-Fa-f]{64}"


def _matching(pattern: str, mend: str, *, at_most: int = 10_000, empty: bool = False) -> AfterValidator:
    def check(value: str) -> str:
        if empty and not value:
            return value
        if len(value) > at_most or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(mend)
        return value

    return AfterValidator(check)


def _between(low: int, high: int) -> AfterValidator:
    def check(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"{low} to {high} is allowed")
        return value

    return AfterValidator(check)


def _list_of(low: int, high: int, what: str) -> AfterValidator:
    def check(values: list[Any]) -> list[Any]:
        if not low <= len(values) <= high:
            raise ValueError(f"{low} to {high} {what} are allowed, and these are {len(values)}")
        if len({repr(value) for value in values}) < len(values):
            raise ValueError(f"the same stands twice; name each of the {what} once")
        return values

    return AfterValidator(check)


def _text(value: str) -> str:
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("a NUL or half a character cannot be sent to AWS; leave it out")
    return value


def image_name(value: str) -> str:
    """
    Return *value* if ECS takes it as an image's name.

    Raises
    ------
    ValueError
        With what would be right.

    Examples
    --------
    >>> image_name("public.ecr.aws/docker/library/busybox:1.36")
    'public.ecr.aws/docker/library/busybox:1.36'
    """
    before_digest = re.sub(f"{_DIGEST}$", "", value)
    if len(before_digest) > 255 or not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_.:/#-]*", before_digest, re.ASCII):
        mend = "an image is [registry/]name[:tag] or …@sha256:<64 hex>, at most 255 letters, digits and _ - : . / #"
        raise ValueError(f"{mend}, such as public.ecr.aws/docker/library/busybox:1.36")
    return value


def _schedule(value: str) -> str:
    try:
        doubts = parse_scheduler(value).doubts
    except ScheduleError as refused:
        faults = [fault.mend if fault.field == "schedule" else str(fault) for fault in refused.faults]
        raise ValueError("; ".join(faults)) from None
    if doubts:
        raise ValueError("; ".join(doubts))
    return value


def _zone(value: str) -> str:
    try:
        zone_named(value)
    except SpecError as unknown:
        raise ValueError(unknown.faults[0].mend) from None
    return value


def _moment(value: str) -> str:
    if not value:
        return value
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        pass
    raise ValueError('"" (none) or a time with its zone is allowed, such as 2026-12-01T02:00:00+09:00 or …T17:00:00Z')


def _retention(value: int) -> int:
    if value not in LOG_RETENTION_DAYS:
        nearest = min(LOG_RETENTION_DAYS, key=lambda days: abs(days - value))
        raise ValueError(
            f"CloudWatch keeps logs for {', '.join(map(str, LOG_RETENTION_DAYS))} days; the nearest is {nearest}"
        )
    return value


def _arn(service: str, resource: str, what: str, *, region: str = _REGION) -> tuple[str, str]:
    example = f"arn:aws:{service}:{'' if not region else 'eu-west-1'}:123456789012:{what}"
    return _ARN.format(service=service, region=region, resource=resource), f"an ARN such as {example} is allowed"


_ROLE, _ROLE_MEND = _arn("iam", r"role/[\x21-\x7e]{1,576}", "role/name", region="")
_QUEUE, _QUEUE_MEND = _arn("sqs", "[A-Za-z0-9_-]{1,80}", "queue")
_TOPIC, _TOPIC_MEND = _arn("sns", "[A-Za-z0-9_-]{1,256}", "topic")
_CLUSTER, _ = _arn("ecs", "cluster/[A-Za-z0-9_-]{1,255}", "cluster/name")
_SECRET, _ = _arn("secretsmanager", r"secret:[\x21-\x7e]{1,2048}", "secret:name-AbCdEf")
_PARAMETER, _ = _arn("ssm", r"parameter/[A-Za-z0-9_./-]{1,1011}", "parameter/name")

Text = Annotated[str, AfterValidator(_text)]
RoleArn = Annotated[str, _matching(_ROLE, f'"" (a new role is made) or {_ROLE_MEND}', empty=True)]
_NAME = "1 to 64 letters, digits, dots, hyphens and underscores are allowed"
_NAME_MEND = f"{_NAME}, the first no dot or hyphen (a folder has it too)"
SecretArn = Annotated[
    str,
    _matching(
        f"{_SECRET}|{_PARAMETER}",
        "the ARN of a Secrets Manager secret (arn:aws:secretsmanager:eu-west-1:123456789012:secret:name-AbCdEf) "
        "or of an SSM parameter (arn:aws:ssm:eu-west-1:123456789012:parameter/name) is allowed",
    ),
]
_LETTERS = "letters, digits, hyphens and underscores"


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class CapacityProvider(_Strict):
    """
    One item of a capacity provider strategy.

    Attributes
    ----------
    name
        ``FARGATE``, ``FARGATE_SPOT``, or a provider of the cluster's own.
    weight
        Its share of the tasks, 0 to 1000.
    base
        How many tasks it gets before the weights count, 0 to 100000.
    """

    name: Annotated[str, _matching(r"[\w-]{1,255}", f"1 to 255 {_LETTERS} are allowed")]
    weight: Annotated[int, _between(0, 1000)] = 1
    base: Annotated[int, _between(0, 100_000)] = 0


class Spec(_Strict):
    """
    A task and its schedule, as they should be.

    Make it with :func:`spec`, which names every fault at once. It cannot be changed, and ``model_copy`` does not
    validate: make a new one.

    Attributes
    ----------
    name
        The rule's or the schedule's name, and the base of all others.
    image
        The container's image.
    schedule
        ``cron(…)`` or ``rate(…)``, and for EventBridge Scheduler ``at(…)``; a rule reads it in UTC.
    kind
        What starts the task: an EventBridge ``rule``; a ``schedule`` of EventBridge Scheduler; or a schedule that
        starts a ``state_machine``, which runs the task again when it failed.
    timezone
        IANA name of the zone the person thinks in: a rule's is for display, a schedule is read in it.
    description, enabled
        Of the rule or the schedule.
    schedule_group, create_schedule_group, flexible_minutes, start_date, end_date
        Of a schedule: its group, which is there or is made; within how many minutes it may start, 0 for at once; and
        between which times it fires, given with their zone, kept in UTC.
    cluster, create_cluster
        Short name or ARN of a cluster that is there; or a new one, which takes the provider ten seconds.
    family
        Of the task definition; empty for the name.
    container, cpu, memory, command, environment, secrets
        The task: CPU units (1024 are one vCPU), MiB, and what its one container gets. An empty command is the image's
        own. Secrets are names and the ARNs that ECS reads them from.
    task_role_arn, execution_role_arn, schedule_role_arn
        What the program, ECS at its start, and EventBridge may do; empty for a new role.
    subnets, security_groups, assign_public_ip
        The task's network; no security group is the VPC's default one.
    launch_type, capacity_provider_strategy, platform_version
        Where it runs. A strategy needs ``launch_type=None``; None and no strategy is the cluster's own.
    task_count, group, propagate_tags, enable_ecs_managed_tags
        How RunTask is asked.
    overrides
        An ECS TaskOverride, which every run gets.
    double_runs
        ``allow``; ``skip`` a run while another one is running, which only a state machine can; or ``token``: the
        container's ``ECS_RUNBOOK_RUN`` says which scheduled run it is, so that the program can do it once.
    retry_attempts, retry_age_seconds, dead_letter_queue
        What EventBridge does when the start is refused: attempts, seconds, and ``none``, ``new`` or a queue's ARN.
    start_retries, retry_exit_codes, exit_code_retries, backoff_seconds
        Of a state machine: how often a start that failed is tried again; which exit codes are, and how often; and the
        longest first wait, in seconds, which doubles.
    timeout_seconds, heartbeat_seconds, notify
        Of a state machine: how long one attempt may take; how long it may be silent, 0 for as long as it takes; and
        who is told when a run failed for good: ``none``, a ``new`` SNS topic, or a topic's ARN.
    log_retention_days
        Of the log group.
    tags
        Of all that is made.
    """

    name: Annotated[str, _matching("[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", _NAME_MEND)]
    image: Annotated[str, AfterValidator(image_name)]
    schedule: Annotated[str, AfterValidator(_schedule)]
    kind: Literal["rule", "schedule", "state_machine"] = "rule"
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    description: Annotated[Text, _matching("(?s:.*)", "at most 512 characters are allowed", at_most=512)] = ""
    enabled: bool = True
    schedule_group: Annotated[str, _matching("[A-Za-z0-9._-]{1,64}", _NAME)] = "default"
    create_schedule_group: bool = False
    flexible_minutes: Annotated[int, _between(0, 1440)] = 0
    start_date: Annotated[str, AfterValidator(_moment)] = ""
    end_date: Annotated[str, AfterValidator(_moment)] = ""
    cluster: Annotated[
        str, _matching(rf"[\w-]{{1,255}}|{_CLUSTER}", f"a cluster's ARN, or its name, 1 to 255 {_LETTERS}, is allowed")
    ] = "default"
    create_cluster: bool = False
    family: Annotated[
        str, _matching(r"[\w-]{1,255}", f'"" (the name) or 1 to 255 {_LETTERS} are allowed', empty=True)
    ] = ""
    container: Annotated[str, _matching(r"[\w-]{1,255}", f"1 to 255 {_LETTERS} are allowed")] = "main"
    cpu: int = 256
    memory: int = 512
    command: list[Text] = []
    environment: Annotated[dict[Text, Text], Field(repr=False)] = {}
    secrets: dict[Text, SecretArn] = {}
    task_role_arn: RoleArn = ""
    execution_role_arn: RoleArn = ""
    schedule_role_arn: RoleArn = ""
    subnets: Annotated[
        list[
            Annotated[
                str, _matching("subnet-([0-9a-f]{8}|[0-9a-f]{17})", "an id such as subnet-0123456789abcdef0 is allowed")
            ]
        ],
        _list_of(0, 16, "subnets"),
    ] = []
    security_groups: Annotated[
        list[
            Annotated[str, _matching("sg-([0-9a-f]{8}|[0-9a-f]{17})", "an id such as sg-0123456789abcdef0 is allowed")]
        ],
        _list_of(0, 5, "security groups"),
    ] = []
    assign_public_ip: bool = False
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL"] | None = "FARGATE"
    capacity_provider_strategy: Annotated[list[CapacityProvider], _list_of(0, 6, "capacity providers")] = []
    platform_version: Annotated[
        str, _matching(r"[0-9]+\.[0-9]+\.[0-9]+", '"" (the latest) or a number such as 1.4.0 is allowed', empty=True)
    ] = ""
    task_count: Annotated[int, _between(1, 10)] = 1
    group: Annotated[Text, _matching("(?s:.*)", "at most 255 characters are allowed", at_most=255)] = ""
    propagate_tags: bool = False
    enable_ecs_managed_tags: bool = False
    overrides: Annotated[dict[str, Any], Field(repr=False)] = {}
    double_runs: Literal["allow", "skip", "token"] = "allow"
    retry_attempts: Annotated[int, _between(0, 185)] = 185
    retry_age_seconds: Annotated[int, _between(60, 86_400)] = 86_400
    dead_letter_queue: Annotated[
        str, _matching(f"none|new|{_QUEUE}", f"none, new, or {_QUEUE_MEND}; a FIFO queue is not")
    ] = "none"
    start_retries: Annotated[int, _between(0, 100)] = 5
    retry_exit_codes: Annotated[list[Annotated[int, _between(1, 255)]], _list_of(0, 20, "exit codes")] = []
    exit_code_retries: Annotated[int, _between(0, 20)] = 2
    backoff_seconds: Annotated[int, _between(1, 3600)] = 30
    timeout_seconds: Annotated[int, _between(60, 14 * 86_400)] = 3600
    heartbeat_seconds: Annotated[int, _between(0, 86_400)] = 0
    notify: Annotated[str, _matching(f"none|new|{_TOPIC}", f"none, new, or {_TOPIC_MEND}; a FIFO topic is not")] = (
        "none"
    )
    log_retention_days: Annotated[int, AfterValidator(_retention)] = 30
    tags: dict[str, str] = {}

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Spec:
        unknown = (info.context or {}).get("unknown", frozenset())
        if faults := rules.broken(self, unknown=unknown):
            raise _Faults(faults)
        return self

    @property
    def family_name(self) -> str:
        """The family of the task definition, which takes no dots."""
        return self.family or self.name.replace(".", "-")

    @property
    def cluster_name(self) -> str:
        """The cluster's short name."""
        return self.cluster.rpartition("/")[2]

    @property
    def schedule_role_name(self) -> str:
        """The name of the role that EventBridge gets, if a new one is made."""
        return role_name(self.name, "-schedule")

    @property
    def machine_role_name(self) -> str:
        """The name of the role that the state machine gets."""
        return role_name(self.name, "-machine")

    @property
    def task_role_name(self) -> str:
        """The name of the role that the program gets, if a new one is made."""
        return role_name(self.name, "-task")

    @property
    def execution_role_name(self) -> str:
        """The name of the role that ECS gets to start the task, if a new one is made."""
        return role_name(self.name, "-execution")

    @property
    def log_group_name(self) -> str:
        """The name of the log group."""
        return f"/ecs/{self.name}"

    @property
    def dlq_name(self) -> str:
        """The name of the dead-letter queue, if a new one is made; a queue's takes no dots."""
        return f"{self.name}-dlq".replace(".", "-")

    @property
    def topic_name(self) -> str:
        """The name of the topic that is told of failures, if a new one is made; a topic's takes no dots."""
        return f"{self.name}-failed".replace(".", "-")

    def _repr_html_(self) -> str:
        rows = [(field, self._shown(field)) for field in type(self).model_fields if self._told(field)]
        row = '<tr><th style="text-align:left">{}</th><td style="text-align:left"><code>{}</code></td></tr>'
        cells = "".join(row.format(field, html.escape(text)) for field, text in rows)
        return f"<table><tbody>{cells}</tbody></table>"

    def _told(self, field: str) -> bool:
        always = ("name", "kind", "image", "schedule", "timezone", "cluster", "launch_type", "cpu", "memory", "subnets")
        return field in always or getattr(self, field) != type(self).model_fields[field].default

    def _shown(self, field: str) -> str:
        value = getattr(self, field)
        if field in ("environment", "secrets"):
            return ", ".join(value)  # names only: a saved notebook is no place for values
        if field == "overrides":
            return json.dumps(rules.without_values(value), ensure_ascii=False)
        if field == "capacity_provider_strategy":
            return ", ".join(f"{item.name} (weight {item.weight}, base {item.base})" for item in value)
        if isinstance(value, dict):
            return ", ".join(f"{key} = {text}" for key, text in value.items())
        return shortened(value, 300) if isinstance(value, list) else str(value)


def spec(more: Mapping[str, Any] | None = None, /, **fields: Any) -> Spec:
    """
    Say what should run.

    Parameters
    ----------
    more
        Further fields, as a notebook's parameter of this name has them. What is given here and there is a fault:
        one of the two would be passed over without a word.
    **fields
        The attributes of :class:`Spec`; ``name``, ``image``, ``schedule`` are needed, and ``subnets``
        but for ``EXTERNAL``.

    Returns
    -------
    Spec
        Frozen and valid.

    Raises
    ------
    SpecError
        With every fault at once: the field, its value (a secret's is never shown), and what would be right.

    Examples
    --------
    >>> subnets = ["subnet-0123456789abcdef0"]
    >>> nightly = spec(name="nightly", image="busybox", schedule="cron(0 2 * * ? *)", subnets=subnets)
    >>> nightly.schedule_role_name, nightly.cpu
    ('nightly-schedule', 256)
    >>> try:
    ...     spec(name="nightly", image="busybox", shedule="rate(1 minutes)", task_count=11)
    ... except SpecError as wrong:
    ...     print(wrong)
    What should run is not well said:
      - schedule = (not given): it is needed: cron(0 17 * * ? *) or rate(5 minutes), in UTC
      - task_count = 11: 1 to 10 is allowed
      - shedule = 'rate(1 minutes)': there is no such field; did you mean schedule?
      - subnets = []: it is needed, since the task has a network interface of its own: 1 to 16 subnet ids
    """
    further = {str(field): value for field, value in (more or {}).items()}
    faults = [Fault(field, _shown(field, further[field]), _TWICE) for field in further if field in fields]
    fields = {**further, **fields}
    try:
        made = Spec(**fields)
        errors = []
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False)
    if not faults and not errors:
        return made
    faults += [fault for error in errors for fault in _faults(error)]
    if broken := [error["loc"] for error in errors if error["loc"]]:
        faults += _faults_of_the_rest(fields, broken)
    raise SpecError("What should run is not well said:", faults=faults)


def role_name(name: str, suffix: str) -> str:
    """
    Return ``<name><suffix>``, shortened so that IAM takes it.

    A long name keeps its beginning and gets eight digits of its SHA-256, so that two long names never share a role.

    Examples
    --------
    >>> role_name("nightly", "-schedule")
    'nightly-schedule'
    >>> len(role_name("n" * 64, "-schedule"))
    64
    """
    if len(name) + len(suffix) <= MAX_ROLE_NAME:
        return name + suffix
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_ROLE_NAME - len(suffix) - len(digest) - 1]}-{digest}{suffix}"


def tasks_tagged(spec: Spec) -> bool:
    """
    Return whether RunTask will create tags, for which the schedule's role needs ``ecs:TagResource``.

    Whether ``enable_ecs_managed_tags`` alone needs it is not verified; the right does no harm where it is not needed.
    """
    return spec.propagate_tags or spec.enable_ecs_managed_tags


class _Faults(ValueError):
    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


_STAND_INS = {"name": "x", "image": "x", "schedule": "rate(1 day)"}
_NEEDED = {
    "name": "the rule's name, such as nightly-report",
    "image": "an image, such as public.ecr.aws/docker/library/busybox:1.36",
    "schedule": "cron(0 17 * * ? *) or rate(5 minutes), in UTC",
}
_ELSEWHERE = {
    "region": "it is said when connecting: connect(region=…)",
    "account": "it is said when connecting: connect(account=…)",
    "profile": "it is said when connecting: connect(profile=…)",
    "network_mode": "it is always awsvpc, or bridge with EXTERNAL",
}
_TWICE = "it stands in more and has a parameter of its own: leave it out of more, and set the parameter"
_ALIASES = {
    "schedule_expression": "schedule",
    "cron": "schedule",
    "rate": "schedule",
    "env": "environment",
    "public_ip": "assign_public_ip",
    "zone": "timezone",
    "tz": "timezone",
    "count": "task_count",
    "input": "overrides",
    "dlq": "dead_letter_queue",
    "retries": "start_retries",
    "exit_codes": "retry_exit_codes",
    "timeout": "timeout_seconds",
    "heartbeat": "heartbeat_seconds",
    "flexible_time_window": "flexible_minutes",
}


def _faults_of_the_rest(fields: Mapping[str, Any], broken: list[tuple[int | str, ...]]) -> list[Fault]:
    """Check what the sound fields mean together, with the broken ones, or their broken entries, left out of account."""
    entries = {loc[:2] for loc in broken if len(loc) > 1 and isinstance(fields[str(loc[0])], dict)}
    unknown = frozenset(str(loc[0]) for loc in broken if loc[:2] not in entries)
    sound = {field: value for field, value in fields.items() if field not in unknown}
    for field in {str(field) for field, _ in entries} - unknown:
        sound[field] = {key: value for key, value in fields[field].items() if (field, key) not in entries}
    try:
        Spec.model_validate({**_STAND_INS, **sound}, context={"unknown": unknown})
    except ValidationError as wrong:
        return [fault for error in wrong.errors(include_url=False) for fault in _faults(error)]
    return []


def _faults(error: ErrorDetails) -> tuple[Fault, ...]:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, _Faults):
        return cause.faults
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    field, value = str(error["loc"][0]), error["input"]
    if error["type"] == "missing":
        return (Fault(where, "(not given)", f"it is needed: {_NEEDED.get(where, 'the name of a provider')}"),)
    return (Fault(where.removesuffix(".[key]"), _shown(field, value), _mend(error, where, value)),)


def _mend(error: ErrorDetails, where: str, value: object) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return _no_such_field(where)
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "literal_error":
        if where != "launch_type":
            return f"{error['ctx']['expected']} is allowed"
        return f"{error['ctx']['expected']}, or None, is allowed" + (", in capitals" if isinstance(value, str) else "")
    return _TYPES[kind](value) if kind in _TYPES else error["msg"]


def _not_text(value: object) -> str:
    if isinstance(value, bool | int | float):
        kind = "a truth value" if isinstance(value, bool) else "a number"
        papermill = "papermill's -p makes 7 of 007 and a truth value of true, -r keeps the text"
        return f"this is {kind}, not text: write it in quotes ({papermill})"
    return "text in quotes is allowed" + ("; leave the field out for its default" if value is None else "")


def _not_a_list(value: object) -> str:
    return (
        f"a list is allowed: [{shortened(value)}]"
        if isinstance(value, str) and not rules.is_secret("", value)
        else "a list is allowed: […]"
    )


_TYPES: dict[str, Callable[[object], str]] = {
    "string_type": _not_text,
    "int_type": lambda _: "a whole number without quotes is allowed",
    "bool_type": lambda _: "True or False, without quotes, is allowed",
    "list_type": _not_a_list,
    "dict_type": lambda _: "names and values are allowed: {'NAME': 'value'}",
    "model_type": lambda _: "write {'name': 'FARGATE_SPOT', 'weight': 1, 'base': 0}",
}


def _no_such_field(where: str) -> str:
    if where in _ELSEWHERE:
        return f"there is no such field; {_ELSEWHERE[where]}"
    nested = where.startswith("capacity_provider_strategy[")
    known = list((CapacityProvider if nested else Spec).model_fields)
    name = where.rpartition(".")[2]
    near = [_ALIASES[name]] if name in _ALIASES else get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return (
        f"there is no such field; did you mean {near[0]}?"
        if near
        else f"there is no such field; there are {', '.join(known)}"
    )


def _shown(field: str, value: object) -> str:
    hidden = field in ("environment", "secrets", "overrides") or (
        field not in Spec.model_fields and isinstance(value, dict | list | tuple)  # a misspelt environment
    )
    return "(not shown)" if hidden or rules.is_secret(field, str(value)) else shortened(value)
