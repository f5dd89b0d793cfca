"""Names: of schedules and roles, which have 64 characters, and of revisions."""

from __future__ import annotations

import hashlib
import re

LONGEST_NAME = 64
REVISION = re.compile(r":\d+$")


def cut(name: str, whole: str, most: int = LONGEST_NAME) -> str:
    """
    Return *name* if it is short enough; else its two ends around a digest, so that no two become one.

    Examples
    --------
    >>> cut("nightly-scheduler", "nightly")
    'nightly-scheduler'
    >>> len(cut("n" * 64 + "-scheduler", "n" * 64))
    64
    """
    if len(name) <= most:
        return name
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    tail = name[-12:]
    return f"{name[: most - len(digest) - len(tail) - 1]}-{digest}{tail}"
