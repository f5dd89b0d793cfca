"""The folders of a configuration: which files Terraform would read in each, and what they say together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ecs_runbook.lint.model import Broken, Comment, Place
from ecs_runbook.lint.syntax import Body, RawBlock, RawFile, Written

_ENDS = (".tf", ".tf.json")
_MERGED = ("lifecycle",)


@dataclass
class Folder:
    """
    What the files of one folder say together, override files merged.

    Attributes
    ----------
    path
        Absolute.
    variables, outputs, calls
        By name; *calls* are ``module`` blocks.
    locals
        By name.
    resources
        Resources and data sources, by mode, type and name.
    """

    path: Path
    files: list[str] = field(default_factory=list)
    variables: dict[str, RawBlock] = field(default_factory=dict)
    outputs: dict[str, RawBlock] = field(default_factory=dict)
    calls: dict[str, RawBlock] = field(default_factory=dict)
    locals: dict[str, Written] = field(default_factory=dict)
    resources: dict[tuple[str, str, str], RawBlock] = field(default_factory=dict)
    twice: list[RawBlock] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)


def is_configuration(name: str) -> bool:
    """
    Return whether Terraform reads a file of this name.

    Examples
    --------
    >>> [name for name in ("main.tf", "a.tf.json", ".x.tf", "main.tf~", "a.tfvars") if is_configuration(name)]
    ['main.tf', 'a.tf.json']
    """
    return name.endswith(_ENDS) and not name.startswith((".", "#"))


def is_values(name: str) -> bool:
    """Return whether Terraform takes values for variables from a file of this name, unasked."""
    if name in ("terraform.tfvars", "terraform.tfvars.json"):
        return True
    return name.endswith((".auto.tfvars", ".auto.tfvars.json")) and not name.startswith(".")


def is_override(name: str) -> bool:
    """
    Return whether a file of this name overrides what others say.

    Examples
    --------
    >>> is_override("override.tf"), is_override("local_aws_override.tf.json"), is_override("overrides.tf")
    (True, True, False)
    """
    stem = name.removesuffix(".json").removesuffix(".tf")
    return stem == "override" or stem.endswith("_override")


def found_folders(top: Path, wrong: list[tuple[Path, str]]) -> Iterator[tuple[Path, list[str]]]:
    """
    Yield each folder at and below *top* that holds configuration, and the names of the files in it that are read.

    Hidden folders, ``.terraform`` among them, and links to folders are left out. What cannot be looked into goes to
    *wrong*.
    """

    def failed(error: OSError) -> None:
        wrong.append((Path(error.filename or top), f"it cannot be looked into: {error.strerror or error}"))

    for path, folders, names in os.walk(top, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        read = sorted(name for name in names if is_configuration(name) or is_values(name))
        if any(map(is_configuration, read)):
            yield Path(path), read


def names_in(path: Path) -> list[str]:
    """
    Return the names of the files in one folder that are read.

    Raises
    ------
    OSError
        The folder is not there, or cannot be looked into.
    """
    with os.scandir(path) as entries:
        return sorted(
            entry.name
            for entry in entries
            if (is_configuration(entry.name) or is_values(entry.name)) and not entry.is_dir()
        )


def folder_of(path: Path, files: Iterable[RawFile]) -> Folder:
    """Put the files of one folder together; those that override come last, in the order of their names."""
    folder = Folder(path)
    for raw in sorted(files, key=lambda one: (is_override(Path(one.file).name), one.file)):
        folder.files.append(raw.file)
        folder.comments += [Comment(Place(raw.file, line), text) for line, text in raw.comments]
        if raw.broken is not None:
            folder.broken.append(Broken(Place(raw.file, raw.broken[0]), raw.broken[1]))
        overrides = is_override(Path(raw.file).name)
        for block in raw.body.blocks:
            _place(folder, block, overrides=overrides)
    return folder


def _place(folder: Folder, block: RawBlock, *, overrides: bool) -> None:
    if block.type == "locals":
        folder.locals.update(block.body.attributes)
        return
    by_name: Mapping[str, dict[str, RawBlock]] = {
        "variable": folder.variables, "output": folder.outputs, "module": folder.calls,
    }  # fmt: skip
    if block.type in by_name and len(block.labels) == 1:
        known = by_name[block.type]
        name = block.labels[0]
        known[name] = merged(known[name], block) if overrides and name in known else block
    elif block.type in ("resource", "data") and len(block.labels) == 2:
        key = (block.type, *block.labels)
        if key not in folder.resources:
            folder.resources[key] = block
        elif overrides:
            folder.resources[key] = merged(folder.resources[key], block)
        else:
            folder.twice.append(block)


def merged(base: RawBlock, over: RawBlock) -> RawBlock:
    """
    Return a block as an override file changes it.

    An attribute takes the place of the one before, all nested blocks of a type take the place of all of that type,
    and ``lifecycle`` is merged by its attributes. Source: Terraform's docs, "Override Files".
    """
    attributes = {**base.body.attributes, **over.body.attributes}
    kinds = {_kind(block) for block in over.body.blocks} - set(_MERGED)
    blocks = [block for block in base.body.blocks if _kind(block) not in kinds]
    for block in over.body.blocks:
        same = next((at for at, one in enumerate(blocks) if block.type in _MERGED and one.type == block.type), None)
        if same is None:
            blocks.append(block)
        else:
            blocks[same] = merged(blocks[same], block)
    return RawBlock(base.type, base.labels, Body(attributes, blocks), base.file, base.line, base.end)


def _kind(block: RawBlock) -> str:
    return block.labels[0] if block.type == "dynamic" and block.labels else block.type
