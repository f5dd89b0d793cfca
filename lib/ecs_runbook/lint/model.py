"""
What a configuration says, whoever told it: files in HCL, or a plan. The rules read this and nothing else.

A value is None, bool, int, float, str, a list or dict of values, or one of the three below where it is not plain:
:class:`Reference`, what only AWS will know; :class:`Text`, a string with such parts; :class:`Unknown`, what could not
be resolved, with the reason. Nothing is ever guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Value = Any
"""As above; :class:`Json` too."""


@dataclass(frozen=True)
class Unknown:
    """A value that could not be resolved: *because* says why, in words for the person who wrote it."""

    because: str


@dataclass(frozen=True)
class Reference:
    """
    An attribute of a resource or data source, kept as it is: ``aws_iam_role.schedule`` and ``arn``.

    Attributes
    ----------
    address
        Of the block, its modules before it, and the key of an instance where it is known:
        ``module.job["nightly"].aws_ecs_task_definition.this``; a data source begins with ``data.`` after its modules.
    attribute
        Dots between the steps; an index is a step.
    """

    address: str
    attribute: str


@dataclass(frozen=True)
class Text:
    """
    A string of which parts are not known yet.

    A task definition's ``arn`` is always this: ``Text((Reference(x, "arn_without_revision"), ":", Reference(x,
    "revision")))``, so that what cuts the revision off is understood however it is written.
    """

    parts: tuple[str | Reference | Unknown, ...]


@dataclass(frozen=True)
class Json:
    """What ``jsonencode`` was given."""

    value: Value


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands: a file, relative to what was read, and a line from 1; a plan has neither (``""``, 0)."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else ""


@dataclass(frozen=True)
class Block:
    """
    A resource or a data source.

    Attributes
    ----------
    mode, type, name
        ``managed`` or ``data``; ``aws_cloudwatch_event_target``; ``this``.
    address
        With its modules, and with the key of an instance; without one it stands for all instances, which differ in
        nothing, or of which nothing is known.
    values
        Its attributes; a nested block is a list of mappings under its type's name, as in a plan. What is not written
        is not there. ``lifecycle`` is one of them: ``ignore_changes`` is a list of what it names, as it is written
        (``ecs_target[0].task_definition_arn``), or ``["all"]``.
    place
        Where it begins.
    lines
        The line of each attribute and nested block that is written, by its path: ``("ecs_target", 0, "launch_type")``;
        inside of ``jsonencode`` too, where that is cheap: ``("policy", "Statement", 0, "Resource")``.
    end
        Its last line.
    """

    mode: Literal["managed", "data"]
    type: str
    name: str
    address: str
    values: Mapping[str, Value]
    place: Place = Place()
    lines: Mapping[tuple[str | int, ...], Place] = field(default_factory=dict)
    end: int = 0

    def at(self, *path: str | int) -> Place:
        """Return where *path* is written, else the nearest that is written around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.place


@dataclass(frozen=True)
class Comment:
    """A comment, without its mark."""

    place: Place
    text: str


@dataclass(frozen=True)
class Broken:
    """A file or folder that could not be read; the others are read all the same."""

    place: Place
    because: str


@dataclass(frozen=True)
class Missing:
    """A module that could not be looked into: where it is called, its address, and why."""

    place: Place
    address: str
    because: str


@dataclass(frozen=True)
class Configuration:
    """
    All that one root module says, with the modules that it calls.

    Attributes
    ----------
    blocks
        Resources and data sources; of a module that is called twice, each one twice. Those whose ``count`` or
        ``for_each`` is known to be empty are left out.
    comments, broken
        Of all its files.
    missing
        Modules that could not be looked into at all, as those from a registry that are not here.
    files
        The files that were read.
    asked
        The one file that was asked for; the rest of its folder was read for what it needs. Empty: all were.
    """

    blocks: Sequence[Block] = ()
    comments: Sequence[Comment] = ()
    broken: Sequence[Broken] = ()
    missing: Sequence[Missing] = ()
    files: Sequence[str] = ()
    asked: str = ""

    def of(self, *types: str) -> Iterator[Block]:
        """Yield the blocks of these types; a data source's type begins with ``data.``."""
        for block in self.blocks:
            if (f"data.{block.type}" if block.mode == "data" else block.type) in types:
                yield block

    def find(self, address: str) -> Block | None:
        """Return the block of that address, or None."""
        return next((block for block in self.blocks if block.address == address), None)
