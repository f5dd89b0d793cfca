"""
Write a file whole or not at all, as plain JSON where it is data, and never with a secret in it.

A run's folder is evidence that people hand on. Access key ids of AWS stay recognisable by their first four letters;
secret keys and session tokens are blanked wherever they are called by their name, and session tokens also by how they
begin.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from ecs_runbook.errors import WorkspaceError

BLANK = "***"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SECRET_NAME = r"(?:secret[_-]?access[_-]?key|session[_-]?token|security[_-]?token)"  # noqa: S105 - a name, no secret
_QUOTES = r"(?:[\"'\\]|&quot;|&#39;|&#x27;)*"
# Source: AWS docs, IAM identifiers: AKIA is a long-term access key, ASIA a temporary one, each 20 characters
_KEY_ID = re.compile(r"(?<![A-Za-z0-9+/])(AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9+/])")
_NAMED = re.compile(rf"({_SECRET_NAME}{_QUOTES}\s*[=:]\s*{_QUOTES})[A-Za-z0-9+/=_%.-]{{16,}}", re.IGNORECASE)
_TOKEN = re.compile(r"(?<![A-Za-z0-9+/])(?:FwoGZXIvYXdz|FQoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/=_-]{40,}")
_SECRET_KEY = re.compile(rf"(?:.*[_-])?(?:aws)?{_SECRET_NAME}", re.IGNORECASE)


def redacted(value: Any) -> Any:
    """
    Return *value* without secrets: text, or lists and mappings of text.

    Pictures in a notebook's outputs are left as they are.

    Examples
    --------
    >>> redacted("user AKIAABCDEFGHIJKLMNOP, aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz")
    'user AKIA****************, aws_secret_access_key = ***'
    >>> redacted({"SessionToken": "short", "note": "nothing to hide"})
    {'SessionToken': '***', 'note': 'nothing to hide'}
    """
    if isinstance(value, str):
        text = _KEY_ID.sub(lambda found: found.group(1) + "*" * 16, value)
        return _TOKEN.sub(BLANK, _NAMED.sub(rf"\g<1>{BLANK}", text))
    if isinstance(value, Mapping):
        return {key: _redacted_item(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item) for item in value]
    return value


def _redacted_item(key: str, item: Any) -> Any:
    if key.startswith("image/") and key != "image/svg+xml":
        return item
    return BLANK if isinstance(item, str) and item and _SECRET_KEY.fullmatch(key) else redacted(item)


def plain(value: Any) -> Any:
    """
    Return *value* as JSON can say it: times in UTC, tables as a list of rows, NaN and NA as null.

    Examples
    --------
    >>> plain({"at": datetime(2026, 11, 24, 17, tzinfo=UTC), "share": float("nan"), "folder": Path("runs")})
    {'at': '2026-11-24T17:00:00Z', 'share': None, 'folder': 'runs'}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    if type(value).__name__ in {"NaTType", "NAType"}:
        return None
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return plain(float(value))
    if isinstance(value, Enum):
        return plain(value.value)
    if hasattr(value, "to_dict"):  # a verdict, or a table of pandas
        return plain(value.to_dict("records") if hasattr(value, "columns") else value.to_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return plain(value.tolist())
    return str(value)


def as_json(value: Any) -> str:
    """Return *value* as indented JSON without secrets, ending in a newline."""
    return json.dumps(redacted(plain(value)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(table: Any) -> str:
    """
    Return a table of pandas as CSV without secrets, in which no cell is a formula when a spreadsheet opens it.

    A text that a spreadsheet would take for one gets an apostrophe before it, as OWASP advises.

    Examples
    --------
    >>> import pandas as pd
    >>> print(as_csv(pd.DataFrame({"name": ["=1+1", "nightly"], "count": [-1, 2]})), end="")
    name,count
    '=1+1,-1
    nightly,2
    """
    told = table.copy(deep=False)
    for column in told.columns:
        if told[column].dtype.kind not in "biufcmM":
            told[column] = told[column].map(_no_formula)
    return str(redacted(told.to_csv(index=False, lineterminator="\n")))


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write(path: Path, content: str | bytes) -> Path:
    """
    Write *content* to *path*: whole, or not at all.

    Raises
    ------
    WorkspaceError
        If it cannot be written.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise WorkspaceError(
            f"{path} cannot be written: {error.strerror or error}.", hint="Give yourself write access and free space."
        ) from error
    return path
