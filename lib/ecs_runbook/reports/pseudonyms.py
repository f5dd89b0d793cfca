"""
Pseudonyms for a page that leaves the company: account ids, ARNs, names and environments, by one switch.

The same name is always the same pseudonym, on the page, in every file and in the next check, so that rows stay
distinguishable and what is new is still seen. A pseudonym is a keyed digest: without the key, which stays on this
machine, nobody can try out all account ids until one fits.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ecs_runbook import workspace
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.errors import WorkspaceError
from ecs_runbook.inventory.model import Definition, Facts, Inventory

KEY_VARIABLE = "ECS_RUNBOOK_PSEUDONYM_KEY"
KEY_FILE = "pseudonyms.key"
BLANK = "***"
SHORTEST = 2
"""A name of one character, or of digits alone, such as a target's id, tells nothing, and is found in every sentence."""
_SHORTEST_KEY = 16
_DIGITS = 12

_SHORT_WORDS = "am an as at be by do go he id if in is it me ms my no of ok on or so to up us we"

PUBLIC = frozenset(
    {
        *_SHORT_WORDS.split(" "),
        *("OK", "NG", "SKIP", "error", "warning", "note", "default", "FARGATE", "FARGATE_SPOT", "EC2", "EXTERNAL"),
        *("LATEST", "STALE", "UNKNOWN", "ACTIVE", "INACTIVE", "aws", "local", "arn", "amazonaws.com", "UTC", "rule"),
        *(
            "schedule",
            "event",
            "task",
            "cluster",
            "family",
            "role",
            "queue",
            "events",
            "scheduler",
            "ecs",
            "iam",
            "sqs",
        ),
        *("sns", "s3", "ec2", "sts", "states", "cloudtrail", "root", "account", "region", "subject", "status", "check"),
    }
)
"""Words that reports themselves are made of; a rule that is called by one keeps its name."""
_TYPES = frozenset(
    {
        *("cluster", "task-definition", "task", "service", "container-instance", "capacity-provider", "rule"),
        *("event-bus", "schedule", "schedule-group", "role", "assumed-role", "user", "policy", "group", "root"),
        *("stateMachine", "execution", "secret", "parameter", "log-group", "key", "vpc", "subnet", "security-group"),
        *("repository", "instance-profile", "function"),
    }
)
_END = r"""[^\s"'<>&,;()\[\]{}|`\\]"""
_SENSITIVE = re.compile(
    "|".join(
        (
            rf"(?P<arn>\barn:[\w-]+:[\w-]*:[\w-]*:[\w*-]*:{_END}+)",
            r"(?P<host>(?<![\w@.-])(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?/[\w./@:+-]+)",
            r"(?P<started>\b(?:events-rule|chronos-schedule)/[\w.-]+)",
            r"(?P<id>\b(?:subnet|sg|vpc|eni|i|rtb|nat|igw|vpce|tgw|pcx|eipalloc)-[0-9a-f]{8,17}\b)",
            r"(?P<task>(?<![\w-])[0-9a-f]{32}(?![\w-]))",
            r"(?P<account>(?<![\w.])\d{12}(?![\w]))",
            r"(?P<token>[A-Za-z0-9_][A-Za-z0-9_.-]*)",
        )
    )
)
_ZEROS = "000"
_OURS = re.compile(r"name-[a-z2-7]{8}")
_PUBLIC_HOSTS = ("docs.aws.amazon.com", "github.com", "json.schemastore.org", "docs.getmoto.org")
_TAG = re.compile(r"(<script\b.*?</script>|<style\b.*?</style>|<[^<>]*>)", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""((?:title|href|data-[\w-]+|alt)=")([^"]*)(")""")
_LITERAL = re.compile(r"""("[^"\n]*"|'[^'\n]*')""")
_ENVIRONMENT = frozenset({"environment", "environmentfiles"})


class Pseudonyms:
    """
    What puts pseudonyms in the place of what may not be told.

    Parameters
    ----------
    key
        Makes the pseudonyms: the same key, the same pseudonyms.
    names
        Names that may not be told, wherever they stand as a whole word: see :meth:`learn`.

    Examples
    --------
    >>> hidden = Pseudonyms(b"a key of some length", ["payroll"])
    >>> hidden.text("payroll runs arn:aws:ecs:eu-west-2:111122223333:task-definition/payroll:7 in 111122223333")
    'name-76dio5bv runs arn:aws:ecs:eu-west-2:000214647130:task-definition/name-76dio5bv:7 in 000214647130'
    >>> hidden.text(hidden.text("payroll, subnet-0a1b2c3d4e")) == hidden.text("payroll, subnet-0a1b2c3d4e")
    True
    """

    def __init__(self, key: bytes, names: Iterable[str] = ()) -> None:
        self._key = key
        self._names: set[str] = set()
        self._phrases: set[str] = set()
        self._phrase: re.Pattern[str] | None = None
        self.learn(*names)

    def learn(self, *names: str) -> None:
        """
        Take *names* for names that may not be told.

        A name is found where it stands as a word of its own: between signs that AWS's names cannot have. Names that
        consist of several words are found as a whole.
        """
        for name in names:
            if len(name) < SHORTEST or name.isdigit() or name in PUBLIC or name in KINDS:
                continue
            (self._names if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) else self._phrases).add(name)
        words = sorted(self._phrases, key=len, reverse=True)
        self._phrase = re.compile("|".join(map(re.escape, words))) if words else None

    def name(self, name: str) -> str:
        """Return the pseudonym of a name."""
        return name if not name or _OURS.fullmatch(name) else f"name-{self._digest(name)}"

    def account(self, account: str) -> str:
        """
        Return the pseudonym of an account: 12 digits as well, so that whatever reads one reads the other.

        It begins with three zeros, and the last two digits are made of the others, so that it is known again: two
        digits alone are right by chance for one account in a hundred, which would stay as it is.
        """
        if account.startswith(_ZEROS) and account == self._checked(account[:-2]):
            return account
        return self._checked(f"{_ZEROS}{self._number(account, 7)}")

    def _checked(self, digits: str) -> str:
        return digits + self._number(f"check {digits}", 2)

    def _number(self, text: str, length: int) -> str:
        number = int.from_bytes(hmac.digest(self._key, text.encode(), hashlib.sha256)[:8], "big")
        return f"{number % 10**length:0{length}d}"

    def text(self, text: str) -> str:
        """Return *text* with pseudonyms in it."""
        if self._phrase is not None:
            text = self._phrase.sub(lambda found: self.name(found.group()), text)
        return _SENSITIVE.sub(self._instead, text)

    def markup(self, markup: str) -> str:
        """Return HTML with pseudonyms in its text and in what attributes tell; tags, scripts and styles stay."""
        parts = _TAG.split(markup)
        return "".join(self._tag(part) if place % 2 else self.text(part) for place, part in enumerate(parts))

    def source(self, source: str) -> str:
        """Return the source of a cell with pseudonyms in its literals."""
        return _LITERAL.sub(lambda found: self.text(found.group()), source)

    def value(self, value: Any) -> Any:
        """
        Return *value*, whatever JSON can say, with pseudonyms in its texts; environments are blanked.

        Keys stay, but for the ARNs and account ids in them.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self._key_of(key): self._item(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def output(self, output: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a cell showed, in the notebook format or on its way there, with pseudonyms; pictures stay."""
        told = {key: self.value(output[key]) for key in ("text", "evalue", "traceback") if key in output}
        if "data" in output:
            told["data"] = {kind: self._shown(kind, data) for kind, data in output["data"].items()}
        return {**output, **told}

    def _shown(self, kind: str, data: Any) -> Any:
        if not isinstance(data, str) or (kind.startswith("image/") and kind != "image/svg+xml"):
            return data
        return self.markup(data) if kind in {"text/html", "image/svg+xml"} else self.text(data)

    def _key_of(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) and (":" in key or key.isdigit()) else key

    def _item(self, key: str, item: Any) -> Any:
        return _environment(item) if key.lower() in _ENVIRONMENT else self.value(item)

    def _tag(self, part: str) -> str:
        if part[:7].lower() in {"<script", "<style>"} or part[:6].lower() == "<style":
            return part
        return _ATTRIBUTE.sub(lambda found: found.group(1) + self.text(found.group(2)) + found.group(3), part)

    def _instead(self, found: re.Match[str]) -> str:
        told = found.group()
        # a sentence may end where a name does
        kept = told.rstrip(".:-") if found.lastgroup != "account" else told
        return _MAKERS[found.lastgroup or ""](self, kept) + told[len(kept) :]

    def _token(self, token: str) -> str:
        return self.name(token) if token in self._names else token

    def _arn(self, arn: str) -> str:
        head, partition, service, region, account, rest = arn.split(":", 5)
        if account == "aws" or (not account and service != "s3"):
            return arn  # AWS's own
        parts = re.split(r"([/:])", rest)
        told = [part if part in _TYPES and not place else self._part(part) for place, part in enumerate(parts)]
        hidden = self.account(account) if account.isdigit() else account
        return ":".join((head, partition, service, region, hidden, "".join(told)))

    def _part(self, part: str) -> str:
        plain = part in {"", "/", ":", "*", "default", "root"} or (part.isdigit() and len(part) < _DIGITS)
        return part if plain else self.account(part) if re.fullmatch(r"\d{12}", part) else self.name(part)

    def _host(self, told: str) -> str:
        host, _, path = told.partition("/")
        if host in _PUBLIC_HOSTS:
            return told
        return f"{re.sub(r'[0-9]{12}', lambda found: self.account(found.group()), host)}/{self.name(path)}"

    def _started(self, told: str) -> str:
        prefix, _, name = told.partition("/")
        return f"{prefix}/{self.name(name)}"

    def _id(self, told: str) -> str:
        kind = told.partition("-")[0]
        return f"{kind}-x{self._digest(told)}"  # x is no hexadecimal digit: it is not taken for an id again

    def _digest(self, text: str) -> str:
        return base64.b32encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()[:8].lower()


_MAKERS: dict[str, Callable[[Pseudonyms, str], str]] = {
    "arn": Pseudonyms._arn,
    "host": Pseudonyms._host,
    "started": Pseudonyms._started,
    "id": Pseudonyms._id,
    "task": Pseudonyms.name,
    "account": Pseudonyms.account,
    "token": Pseudonyms._token,
}


def names_in(found: Inventory, facts: Iterable[Facts] = ()) -> Iterator[str]:
    """Yield the names that AWS told: of rules, schedules, buses, clusters, families, roles, queues, topics…"""
    for row in found.rows:
        request, topics = row.request, [resource for _, resource in row.machine.acts]
        arns = (request.cluster, row.role, row.target.role, row.through, row.dead_letters, request.task_role)
        yield from (row.owner.name, row.group, row.target.id, request.family, *request.overrides, *request.strategy)
        yield from (part for arn in (*arns, request.execution_role, *topics) for part in _parts(arn))
        yield from (word for pair in row.tags.items() for word in pair)
    for one in facts:
        for told in (*one.latest.values(), *one.pinned.values()):
            if isinstance(told, Definition):
                yield from (told.family, *told.containers, *told.images)
                yield from (part for arn in (told.task_role, told.execution_role) for part in _parts(arn))


def _parts(arn: str) -> list[str]:
    return re.split("[:/]", arn)[5:]


def _environment(item: Any) -> Any:
    """Return an environment as nothing but how many variables it has."""
    if isinstance(item, Mapping | list | tuple):
        return [{"name": BLANK, "value": BLANK} for _ in item]
    return BLANK if item else item


def key(folder: Path | None = None, environment: Mapping[str, str] = os.environ) -> bytes:
    """
    Return the key of this folder's pseudonyms, made the first time.

    ``ECS_RUNBOOK_PSEUDONYM_KEY`` names it where no file stays from one check to the next; else it lies in
    ``.local/pseudonyms.key``, which git ignores and nobody else may read.

    Raises
    ------
    WorkspaceError
        If it is too short to hide anything, or cannot be written.
    """
    if given := environment.get(KEY_VARIABLE, ""):
        if len(given) < _SHORTEST_KEY:
            raise WorkspaceError(
                f"{KEY_VARIABLE} has {len(given)} characters.", hint=f"It needs {_SHORTEST_KEY} at least, at random."
            )
        return given.encode()
    path = (folder or workspace.local()) / KEY_FILE
    if not path.is_file():
        _make_key(path)
    return path.read_bytes()


def _make_key(path: Path) -> None:
    """Write a new key, unless somebody else just did: the file is there whole, or not at all."""
    beside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        beside.touch(mode=0o600)
        beside.write_text(secrets.token_hex(32))
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceError(
            f"{path} cannot be written: {error.strerror}.",
            hint=f"Give yourself write access, or name a key in {KEY_VARIABLE}.",
        ) from error
