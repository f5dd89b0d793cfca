"""
Write Terraform: a root module for a spec, with copies of the modules that it calls, in a folder that can go anywhere.

``local_aws_override.tf`` alone ties a folder to the local AWS. It is an override file in Terraform's own sense: without
it the folder is for AWS, and holds nothing that a person would not have written.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_runbook import workspace
from ecs_runbook.errors import WorkspaceError
from ecs_runbook.terraform import hcl
from ecs_runbook.wanted.rules import SCHEDULES_ONLY, STATE_MACHINES_ONLY

if TYPE_CHECKING:
    from ecs_runbook.terraform.environment import Aws
    from ecs_runbook.wanted.spec import Spec

MODULES = {"rule": "scheduled_task", "schedule": "scheduler_task", "state_machine": "retried_task"}
"""The module of each kind of a spec; each calls :data:`TASK`, beside it."""
TASK = "task"
NEEDED_PROVIDER = ">= 5.100, < 6.0"
OWN_TAG = "ecs-runbook"
LOCAL_OVERRIDE = "local_aws_override.tf"
ACCOUNT_OVERRIDE = "account_override.tf"
VALUES = "terraform.tfvars.json"
NOTES = ".ecs-runbook.json"

ARGUMENTS = (
    ("name", "description", "schedule", "timezone", "enabled"),
    ("schedule_group", "create_schedule_group", "flexible_minutes", "start_date", "end_date"),
    ("image", "family", "container", "cpu", "memory", "command", "environment", "secrets", "log_retention_days"),
    ("cluster", "create_cluster", "launch_type", "capacity_provider_strategy", "platform_version"),
    ("subnets", "security_groups", "assign_public_ip"),
    ("task_role_arn", "execution_role_arn", "schedule_role_arn"),
    ("overrides", "task_count", "group", "propagate_tags", "enable_ecs_managed_tags"),
    ("start_retries", "retry_exit_codes", "exit_code_retries", "backoff_seconds"),
    ("timeout_seconds", "heartbeat_seconds", "double_runs", "notify"),
    ("retry_attempts", "retry_age_seconds", "dead_letter_queue"),
    ("tags",),
)
"""The fields of a spec that a module takes, as they stand in the call; a default is left out."""

NOT_TAKEN = {
    "rule": frozenset({"timezone", *SCHEDULES_ONLY, *STATE_MACHINES_ONLY}),  # a rule's zone is for display alone
    "schedule": frozenset(STATE_MACHINES_ONLY),
    "state_machine": frozenset({"task_count", "group", "enable_ecs_managed_tags"}),
}
"""The fields that the module of a kind does not take."""

_ALWAYS = frozenset({"name", "schedule", "image", "cpu", "memory", "cluster", "subnets", "tags"})

_OF_THE_TASK = (
    "target_task_definition",
    "registered_task_definition",
    "family",
    "cluster_arn",
    "schedule_role_arn",
    "execution_role_arn",
    "task_role_arn",
    "log_group",
    "dead_letter_queue_arn",
)
_OF_THE_SCHEDULE = ("schedule_name", "schedule_arn", "schedule_group")
OUTPUTS = {
    "rule": ("rule_name", "rule_arn", "target_id", *_OF_THE_TASK),
    "schedule": (*_OF_THE_SCHEDULE, *_OF_THE_TASK),
    "state_machine": (*_OF_THE_SCHEDULE, "state_machine_arn", "state_machine_role_arn", "topic_arn", *_OF_THE_TASK),
}
"""The outputs of each kind's module, handed on by the root module."""

_SERVICES = (
    "athena",
    "cloudtrail",
    "cloudwatch",
    "ec2",
    "ecr",
    "ecs",
    "events",
    "firehose",
    "glue",
    "iam",
    "kms",
    "logs",
    "s3",
    "scheduler",
    "secretsmanager",
    "sfn",
    "sns",
    "sqs",
    "ssm",
    "sts",
)

_README = """\
# {name}

Runs a task of ECS on a schedule, always at the latest ACTIVE revision of its family.
Needs Terraform or OpenTofu, 1.6 or newer:

    terraform init
    terraform plan
    terraform apply

`main.tf` says what runs, and for which account; `{module}/` is the module that it calls, with a README of its own, and
`{task}/` what that one calls.
The folder can go into any repository. `{override}`, if it is here, ties it to the local AWS:
leave it behind.
"""

_IGNORE = f"""\
.terraform/
*.tfstate
*.tfstate.*
{LOCAL_OVERRIDE}
"""


@dataclass(frozen=True)
class Local:
    """
    The local AWS that a folder is tied to.

    Attributes
    ----------
    endpoint
        Its address.
    state
        Terraform's state, in the folder of that server's life: a restarted server never meets it.
    """

    endpoint: str
    state: Path


def local_of(aws: Aws, folder: Path) -> Local | None:
    """
    Return what ties *folder* to *aws*, or None if that is not the local AWS.

    The state's file has the folder's name and a digest of its place, so that no two folders share one.
    """
    if aws.where != "local":
        return None
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
    return Local(str(aws.endpoint), workspace.state(aws.life) / f"{folder.name}-{place}.tfstate")


def write(spec: Spec, folder: Path, *, account: str, region: str, local: Local | None = None) -> list[Path]:
    """
    Write the Terraform of *spec* into *folder*.

    Parameters
    ----------
    spec
        What should run.
    folder
        Made if need be. What this wrote before is written anew, and Terraform's state stays.
    account, region
        Where it may be applied, and nowhere else: 12 digits, and the Region.
    local
        The local AWS that it is tied to as well, from :func:`local_of`.

    Returns
    -------
    list of Path
        What was written, in order. The same spec gives the same bytes.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written to, or holds what this did not write; then nothing was changed.
    """
    written = put(folder, files(spec, account=account, region=region))
    return sorted([*written, *tie(folder, local)])


def adopt_folder(
    source: Path, folder: Path, variables: Mapping[str, Any], *, account: str, local: Local | None = None
) -> list[Path]:
    """
    Copy a root module that was written by hand, with values for its variables, and guard it with the account.

    Parameters
    ----------
    source
        A folder of Terraform; its state, tests and ``.terraform`` are not copied. A module beside it that it calls
        (``../setting``) is copied into the folder, and called there.
    folder
        Made if need be, as by :func:`write`.
    variables
        Go to ``terraform.tfvars.json``, where no value is code.
    account
        The only account that it may be applied to, 12 digits.
    local
        The local AWS that it is tied to as well, from :func:`local_of`.

    Returns
    -------
    list of Path
        What was written, in order.

    Raises
    ------
    WorkspaceError
        As :func:`write` does, and if *source* holds no Terraform.
    """
    copied = _with_siblings(source)
    if not any(name.endswith((".tf", ".tf.json")) and "/" not in name for name in copied):
        raise WorkspaceError(f"{source} holds no Terraform.", hint="Name a folder with .tf files in it.")
    guard = hcl.document(
        hcl.block("provider", "aws", {"allowed_account_ids": [account]}), comment="No other account than this one."
    )
    values = json.dumps(dict(variables), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    written = put(folder, copied | {ACCOUNT_OVERRIDE: guard.encode(), VALUES: values.encode()})
    return sorted([*written, *tie(folder, local)])


def files(spec: Spec, *, account: str, region: str) -> dict[str, bytes]:
    """Return the files of *spec* by their place in the folder: the root module, the modules that it calls, a README."""
    module = MODULES[spec.kind]
    root = {
        "main.tf": root_module(spec, account=account, region=region),
        "README.md": _README.format(name=spec.name, module=module, task=TASK, override=LOCAL_OVERRIDE),
        ".gitignore": _IGNORE,
    }
    copies = {
        f"{folder}/{name}": content
        for folder in (module, TASK)
        for name, content in _copy_of(workspace.modules() / folder).items()
    }
    return {name: text.encode() for name, text in root.items()} | copies


def root_module(spec: Spec, *, account: str, region: str) -> str:
    """
    Return the text of ``main.tf``: which provider and account, the call of the module, its outputs.

    No value of *spec* can become code in it, and ``terraform fmt`` has nothing to add.
    """
    module = MODULES[spec.kind]
    settings = hcl.block(
        "terraform",
        {"required_version": ">= 1.6"},
        hcl.block("required_providers", {"aws": {"source": "hashicorp/aws", "version": NEEDED_PROVIDER}}),
    )
    return hcl.document(
        settings,
        hcl.block("provider", "aws", {"region": region, "allowed_account_ids": [account]}),
        hcl.block("module", module, {"source": f"./{module}"}, *_arguments(spec)),
        *(hcl.block("output", name, {"value": hcl.Code(f"module.{module}.{name}")}) for name in OUTPUTS[spec.kind]),
    )


def _arguments(spec: Spec) -> Iterable[dict[str, Any]]:
    defaults = {name: field.default for name, field in type(spec).model_fields.items()}
    values = spec.model_dump() | {"tags": {OWN_TAG: spec.name} | spec.tags}
    for group in ARGUMENTS:
        taken = [name for name in group if name not in NOT_TAKEN[spec.kind]]
        yield {name: values[name] for name in taken if name in _ALWAYS or values[name] != defaults[name]}


def local_override(local: Local) -> str:
    """
    Return the text of ``local_aws_override.tf``: endpoints and keys of the local AWS, and the place of its state.

    Two retries, since the provider goes on for ten minutes where a server has no answer.
    """
    keys = {"access_key": "local", "secret_key": "local"}
    skips = {
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_region_validation": True,
        "s3_use_path_style": True,
        "max_retries": 2,
    }
    return hcl.document(
        hcl.block("terraform", hcl.block("backend", "local", {"path": str(local.state)})),
        hcl.block("provider", "aws", keys, skips, hcl.block("endpoints", dict.fromkeys(_SERVICES, local.endpoint))),
        comment="The local AWS, as long as this file is here.",
    )


def tie(folder: Path, local: Local | None) -> list[Path]:
    """
    Tie *folder* to the local AWS, or to none; return what was written.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written to.
    """
    override = folder / LOCAL_OVERRIDE
    if local is None:
        override.unlink(missing_ok=True)
        return []
    workspace.writable(local.state.parent)
    text = local_override(local)
    if not override.is_file() or override.read_text(encoding="utf-8") != text:
        scratch = workspace.writable(folder) / f".{LOCAL_OVERRIDE}"
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(override)
    return [override]


def put(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """
    Write *contents* into *folder*: all of them, or, if something is in the way, none.

    Parameters
    ----------
    folder
        Made if need be. What this wrote before and no longer does is deleted.
    contents
        By their place in the folder.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written to, or holds what this did not write.
    """
    ours = _require_ours(folder)
    workspace.writable(folder.parent)
    digests = {name: [_digest(content)] for name, content in contents.items()}
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        for name, content in contents.items():
            target = Path(scratch) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        # both the old and the new content are ours until all is in place: an interrupted writing can be done again
        either = {name: ours.get(name, []) + digests.get(name, []) for name in {*ours, *digests}}
        workspace.writable(folder)
        _note(folder, either)
        for name in contents:
            target = workspace.writable((folder / name).parent) / Path(name).name
            (Path(scratch) / name).replace(target)
    for name in set(ours) - set(contents):
        (folder / name).unlink(missing_ok=True)
    _note(folder, digests)
    return [folder / name for name in sorted(contents)]


def _require_ours(folder: Path) -> dict[str, list[str]]:
    """Return what this wrote into *folder*, by digest; refuse if anything else is there."""
    if not folder.exists():
        return {}
    try:
        notes = json.loads((folder / NOTES).read_text(encoding="utf-8"))
        ours: dict[str, list[str]] = {str(name): list(digests) for name, digests in notes["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        ours = {}
    hint = "Move it away, or name another folder; nothing was changed."
    for path in _present(folder):
        name = path.relative_to(folder).as_posix()
        if name not in ours:
            raise WorkspaceError(f"{folder} holds {name}, which was not written by this.", hint=hint)
        if _digest(path.read_bytes()) not in ours[name]:
            raise WorkspaceError(f"{folder} holds {name}, which was changed by hand.", hint=hint)
    return ours


def _present(folder: Path) -> Iterable[Path]:
    """Give the files of *folder*, without what Terraform leaves there and what is written anew each time."""
    workspace.writable(folder)
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        left_behind = ".terraform" in parts or ".tfstate" in path.name or path.name == ".terraform.lock.hcl"
        anew = len(parts) == 1 and path.name in (NOTES, LOCAL_OVERRIDE, f".{LOCAL_OVERRIDE}")
        if path.is_file() and not left_behind and not anew:
            yield path


def _note(folder: Path, digests: Mapping[str, list[str]]) -> None:
    scratch = folder / f"{NOTES}.new"
    text = json.dumps({"files": dict(sorted(digests.items()))}, indent=1) + "\n"
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(folder / NOTES)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_SIBLING = re.compile(rb'(^\s*source\s*=\s*")\.\./([A-Za-z0-9_-]+)"', re.MULTILINE)


def _with_siblings(folder: Path) -> dict[str, bytes]:
    """Return the files of a root module, and of the modules beside it that it calls, so that the folder can move."""
    contents = _copy_of(folder)
    for name in [name for name in contents if name.endswith(".tf") and "/" not in name]:
        siblings = {found[2].decode() for found in _SIBLING.finditer(contents[name])}
        contents[name] = _SIBLING.sub(rb'\1./\2"', contents[name])
        for sibling in siblings:
            contents |= {f"{sibling}/{part}": text for part, text in _copy_of(folder.parent / sibling).items()}
    return contents


def _copy_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a module's folder by their place in it: no tests, nothing that Terraform left there."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "tests" for part in parts)
        if path.is_file() and not hidden and ".tfstate" not in path.name and path.suffix not in (".tfplan", ".tfvars"):
            contents["/".join(parts)] = path.read_bytes()
    return contents
