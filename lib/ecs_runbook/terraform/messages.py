"""Read what Terraform says: its ``-json`` lines become steps of progress, changes, outputs and diagnostics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecs_runbook.errors import ProviderMissing, TerraformError, TerraformMissing

_ACTIONS = {"create": "create", "update": "change", "delete": "destroy", "replace": "replace", "read": "read"}
_DOING = {"create": "creating", "update": "changing", "delete": "destroying", "read": "reading"}
_DONE = {"create": "created", "update": "changed", "delete": "destroyed", "read": "read"}
_HALF_SECONDS = 10.0  # a resource that takes so long has its bar in the middle; nobody knows how long it will take
HIDDEN = "(sensitive)"


@dataclass(frozen=True)
class Step:
    """A step of one resource: its address, how much of it is done from 0 to 1, and a word on it."""

    address: str
    done: float
    note: str


@dataclass(frozen=True)
class Change:
    """One resource that a plan changes: ``create``, ``change``, ``destroy``, ``replace`` or ``read``."""

    action: str
    address: str
    type: str


@dataclass(frozen=True)
class Diagnostic:
    """What Terraform complains of. Of the values that it shows beside the code nothing is kept: they may be secret."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.address, self.summary, self.detail) if part)


@dataclass
class Heard:
    """
    What a command has said so far.

    Parameters
    ----------
    applies
        Whether it is a command that changes things, so that reading a resource is not the end of it.

    Examples
    --------
    >>> heard = Heard()
    >>> line = '{"type": "refresh_complete", "hook": {"resource": {"addr": "aws_iam_role.task"}}}'
    >>> list(heard.hear(line))
    [Step(address='aws_iam_role.task', done=1.0, note='read')]
    """

    applies: bool = False
    changes: list[Change] = field(default_factory=list)
    applied: list[Change] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    _done: dict[str, float] = field(default_factory=dict)

    @property
    def errors(self) -> list[Diagnostic]:
        """The diagnostics that stopped it."""
        return [diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error"]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The diagnostics that did not, each once."""
        warnings = (str(diagnostic) for diagnostic in self.diagnostics if diagnostic.severity == "warning")
        return tuple(dict.fromkeys(warnings))

    @property
    def progress(self) -> float:
        """How much is done of what was planned, from 0 to 1."""
        planned = [change.address for change in self.changes]
        return sum(self._done.get(address, 0.0) for address in planned) / len(planned) if planned else 0.0

    def hear(self, line: str) -> Iterator[Step]:
        """Take in one line; give the steps that it tells of. A line that is not JSON is kept as it is."""
        try:
            message = json.loads(line)
            kind = message["type"]
        except (ValueError, KeyError, TypeError):
            if line.strip():
                self.unread.append(line.rstrip())
            return
        if kind == "diagnostic":
            self.diagnostics.append(diagnostic(message["diagnostic"]))
        elif kind == "planned_change":
            self._plan(message["change"])
        elif kind == "change_summary":
            self.counts = {name: int(count) for name, count in message["changes"].items() if name != "operation"}
            yield from self._unchanged(message["changes"].get("operation", ""))
        elif kind == "outputs":
            self.outputs = shown(message["outputs"])
        elif "hook" in message and "resource" in message["hook"]:
            yield from self._step(kind, message["hook"])

    def _plan(self, change: dict[str, Any]) -> None:
        if (action := _ACTIONS.get(change["action"])) is not None:
            resource = change["resource"]
            self.changes.append(Change(action, resource["addr"], resource["resource_type"]))

    def _unchanged(self, operation: str) -> Iterator[Step]:
        """Once it is planned, what was read and is not to be changed is done."""
        if self.applies and operation == "plan":
            planned = {change.address for change in self.changes}
            for address in [address for address, done in self._done.items() if done < 1 and address not in planned]:
                yield self._at(address, 1.0, "unchanged")

    def _step(self, kind: str, hook: dict[str, Any]) -> Iterator[Step]:
        resource = hook["resource"]
        address, action, seconds = resource["addr"], hook.get("action", ""), hook.get("elapsed_seconds", 0)
        if kind == "refresh_start":
            yield self._at(address, 0.0, "reading")
        elif kind == "refresh_complete":
            yield self._at(address, 0.1 if self.applies else 1.0, "read")
        elif kind == "apply_start":
            yield self._at(address, 0.1 if action != "read" else 0.0, _DOING.get(action, action))
        elif kind == "apply_progress":
            yield self._at(address, seconds / (seconds + _HALF_SECONDS), f"{_DOING.get(action, action)}, {seconds} s")
        elif kind == "apply_complete":
            if action != "read":
                self.applied.append(Change(_ACTIONS.get(action, action), address, resource["resource_type"]))
            yield self._at(address, 1.0, f"{_DONE.get(action, action)} in {seconds} s")
        elif kind == "apply_errored":
            yield self._at(address, 1.0, "failed")

    def _at(self, address: str, done: float, note: str) -> Step:
        """Return a step; a bar never goes back, also where an old one is destroyed after the new one was created."""
        self._done[address] = max(done, self._done.get(address, 0.0))
        return Step(address, self._done[address], note)


def diagnostic(found: dict[str, Any]) -> Diagnostic:
    """
    Return one diagnostic of Terraform's; the code and the values it shows are left out.

    One that names no resource gets the one in whose block it stands, else the place in the files.

    Examples
    --------
    >>> snippet = {"context": 'resource "aws_iam_role" "task"', "code": "…", "values": []}
    >>> str(diagnostic({"severity": "error", "summary": "Resource precondition failed", "snippet": snippet}))
    'aws_iam_role.task: Resource precondition failed'
    """
    address = found.get("address", "") or _resource(found) or _place(found)
    return Diagnostic(found["severity"], found["summary"], found.get("detail", ""), address)


def _resource(found: dict[str, Any]) -> str:
    context = (found.get("snippet") or {}).get("context") or ""
    block = re.fullmatch(r'(resource|data) "([^"]+)" "([^"]+)"', context)
    return "" if block is None else ("data." if block[1] == "data" else "") + f"{block[2]}.{block[3]}"


def _place(found: dict[str, Any]) -> str:
    place = found.get("range")
    return f"{place['filename']} line {place['start']['line']}" if place else ""


def shown(outputs: dict[str, Any]) -> dict[str, Any]:
    """
    Return the values of *outputs* that may be shown; of the others that they are sensitive.

    Examples
    --------
    >>> shown({"rule": {"sensitive": False, "value": "nightly"}, "key": {"sensitive": True, "value": "s3cr3t"}})
    {'rule': 'nightly', 'key': '(sensitive)'}
    """
    return {
        name: HIDDEN if output.get("sensitive") else output["value"]
        for name, output in outputs.items()
        if output.get("sensitive") or "value" in output
    }


def diagnostics_in(text: str) -> list[Diagnostic]:
    r"""
    Return the errors in what Terraform writes for people: for releases whose ``init`` has no ``-json``.

    Examples
    --------
    >>> diagnostics_in("Initializing...\n\nError: Failed to install provider\n\nno such host\n")
    [Diagnostic(severity='error', summary='Failed to install provider', detail='no such host', address='')]
    """
    plain = re.sub(r"^[│╷╵] ?", "", text, flags=re.MULTILINE)
    parts = re.split(r"^Error: ", plain, flags=re.MULTILINE)[1:]
    texts = [part.strip().split("\n", 1) for part in parts]
    return [Diagnostic("error", words[0].strip(), words[1].strip() if len(words) > 1 else "") for words in texts]


_PROVIDER = (
    r"query available provider packages|install provider|install required providers|Required plugins are not|"
    r"Missing required provider|registry host|registry service|load plugin"
)
_PROVIDER_HINT = (
    "Let this machine reach the provider registry, or fill a folder once, where it can be reached, with `terraform "
    "providers mirror <folder>`, bring it here, and name it in TF_PLUGIN_MIRROR."
)
_LOCK_HINT = (
    "If another run works on this folder, wait for it; if none does, `terraform force-unlock` takes the lock away."
)
_ACCOUNT_HINT = (
    "Nothing was changed. The folder was written for another account: run 10_generate again, or sign in to it."
)
_SIGN_IN_HINT = "Sign in (aws sso login, or set AWS_PROFILE or the profile parameter), then run the notebook again."
_HINTS: tuple[tuple[str, type[TerraformError], str], ...] = (
    (_PROVIDER, ProviderMissing, _PROVIDER_HINT),
    (r"Unsupported (Terraform|OpenTofu) Core version", TerraformMissing, "Install a newer one and have it on PATH."),
    (r"Inconsistent dependency lock file", TerraformError, "Delete .terraform.lock.hcl if the providers were changed."),
    (r"state lock", TerraformError, _LOCK_HINT),
    (r"account ID not allowed", TerraformError, _ACCOUNT_HINT),
    (r"connection refused", TerraformError, "The AWS of this folder does not answer; is it still running?"),
    (r"No valid credential sources|ExpiredToken|InvalidClientTokenId|\bSSO\b", TerraformError, _SIGN_IN_HINT),
    (
        r"reading ECS Cluster .*(empty result|couldn't find)",
        TerraformError,
        "Name a cluster that exists in this account and Region, or set create_cluster = true.",
    ),
    (r"AccessDenied|not authorized to perform", TerraformError, "Ask for that permission, or take another identity."),
    (r"AlreadyExists|already exists", TerraformError, "Choose another name, or import what is there."),
)


def error_of(errors: Sequence[Diagnostic], otherwise: str) -> TerraformError:
    """
    Return the error to raise, with the next thing to do.

    Parameters
    ----------
    errors
        What Terraform complained of; the first is the one that is raised, the others stand in its detail.
    otherwise
        What to say if it stopped without a complaint.

    Examples
    --------
    >>> str(error_of([], "terraform plan ended with code 11"))
    'terraform plan ended with code 11'
    """
    if not errors:
        return TerraformError(otherwise)
    known = [error for error in dict.fromkeys(errors) if "encountered problems during initiali" not in error.summary]
    first, *others = known or errors
    detail = "\n".join([first.detail, *(f"Also: {other}" for other in others)]).strip()
    everything = "\n".join(map(str, errors))
    for pattern, kind, hint in _HINTS:
        if re.search(pattern, everything):
            if kind is ProviderMissing:
                # one sentence: without the advice to list who needs the provider
                detail = " ".join(detail.partition("To see which modules")[0].split()) + "."
            return kind(first.summary, detail=detail, address=first.address, hint=hint)
    return TerraformError(first.summary, detail=detail, address=first.address)
