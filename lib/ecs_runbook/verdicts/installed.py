"""Is everything there that a run needs?"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from ecs_runbook import workspace
from ecs_runbook.errors import RunbookError
from ecs_runbook.terraform import binary
from ecs_runbook.terraform.environment import PROVIDER, provider_config
from ecs_runbook.terraform.generate import NEEDED_PROVIDER
from ecs_runbook.verdicts.verdict import Check

INSTALLED_COLUMNS = ["what", "version", "from", "missing"]
_PACKAGES = ("ecs-runbook", "jupyterlab", "papermill", "boto3", "pandas", "python-hcl2", "moto")


def installed() -> pd.DataFrame:
    """
    Return what is installed of what a run needs.

    Returns
    -------
    pandas.DataFrame
        One row a thing, columns :data:`INSTALLED_COLUMNS`; ``missing`` says what is missing and the remedy, or nothing.
        Whether the registry can be reached is seen only by ``terraform init``.
    """
    rows = [("Python", platform.python_version(), "", ""), _told("Terraform", _terraform), _told(PROVIDER, _provider)]
    rows += [_told(name, functools.partial(_package, name)) for name in _PACKAGES]
    return pd.DataFrame(rows, columns=INSTALLED_COLUMNS)


def judge_installed(table: pd.DataFrame) -> list[Check]:
    """
    Judge what is installed.

    Returns
    -------
    list of Check
        ``installed``: NG for each thing that is missing, else one that is OK.
    """
    missing = table[table["missing"].ne("")]
    if missing.empty:
        return [Check("installed", "this machine", "OK", f"all {len(table)} things that a run needs are there")]
    return [Check("installed", row["what"], "NG", row["missing"]) for row in missing.to_dict("records")]


def _told(what: str, look: Callable[[], tuple[str, str]]) -> tuple[str, str, str, str]:
    try:
        return (what, *look(), "")
    except RunbookError as error:
        return (what, "", "", str(error))
    except PackageNotFoundError:
        return (what, "", "", f"{what} is not installed. `make setup` installs it.")


def _package(name: str) -> tuple[str, str]:
    return version(name), ""


def _terraform() -> tuple[str, str]:
    program = binary.find()
    return str(program), " ".join(program.command)


def _provider() -> tuple[str, str]:
    config = provider_config(os.environ, workspace.local(), registry=binary.find().registry)
    where = f"a mirror on this machine, named in {config}" if config else "Terraform's own settings, or the registry"
    return NEEDED_PROVIDER, where
