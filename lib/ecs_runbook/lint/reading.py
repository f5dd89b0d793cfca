"""
Anybody's Terraform, read: folders and files into what each root module says.

Nothing of Terraform is run, nothing is downloaded. A module that is called is read through its caller; what cannot be
known from the files alone is Unknown, with the reason.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ecs_runbook.errors import TerraformError
from ecs_runbook.lint.addresses import steps_of
from ecs_runbook.lint.evaluate import told
from ecs_runbook.lint.files import packed, read_with_spans
from ecs_runbook.lint.folders import Folder, folder_of, found_folders, is_configuration, is_values, names_in
from ecs_runbook.lint.model import Broken, Configuration, Place, Unknown, Value
from ecs_runbook.lint.modules import Module, Root
from ecs_runbook.lint.spans import Spans
from ecs_runbook.lint.syntax import RawFile, Written
from ecs_runbook.lint.worker import side_by_side
from ecs_runbook.progress import Progress

_LOCAL = ("./", "../")
_ALONE_BYTES = 150_000  # about a second of reading: below, starting processes takes longer than it saves
_BUNCH = 16


Row = Callable[[str, float, str], None]


class Read(NamedTuple):
    """A root module that was read: what it says, and the module itself, to ask how something is written."""

    configuration: Configuration
    module: Module


class Reading(NamedTuple):
    """A folder that was read: its root modules, all that was told, and each file by its name: its path, as read."""

    roots: list[Read]
    configurations: list[Configuration]
    files: Mapping[str, tuple[Path, RawFile]]


class Tree:
    """
    A folder of anybody's Terraform that is read more than once, each time with other texts in some files.

    Parameters
    ----------
    folder
        As for :func:`read`.
    relative_to
        The folder that names of files start from; *folder* if left out.
    """

    def __init__(self, folder: Path, relative_to: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.named_from = relative_to.resolve() if relative_to else None
        self._read: dict[Path, RawFile] = {}
        self._changed: dict[Path, tuple[str, RawFile]] = {}
        self._spans: dict[int, tuple[RawFile, Spans]] = {}

    def read(
        self, texts: Mapping[Path, str] | None = None, *, since: Reading | None = None, changed: Collection[str] = ()
    ) -> Reading:
        """
        Read it, with *texts* in place of what is in those files.

        A file is parsed once, and a root module that takes none of the *changed* files stays as it was *since*.
        """
        reader = _Reader(self.folder, {}, None, self.named_from)
        reader.kept = self._read
        for path, text in (texts or {}).items():
            known = self._changed.get(path)
            if known is None or known[0] != text:
                raw, spans = read_with_spans(text, reader.name(path))
                self._spans[id(raw)] = raw, spans
                known = self._changed[path] = (text, raw)
            reader.texts[path] = known[1]
        for one in since.roots if since else ():
            root = one.module.source.path
            values = {name for name, (path, _) in since.files.items() if path.parent == root} if since else set()
            if not (set(one.configuration.files) | values) & set(changed):
                reader.before[root] = one
        configurations = reader.everything()
        files = {raw.file: (path, raw) for path, raw in (reader.kept | reader.texts).items()}
        return Reading(reader.read, configurations, files)

    def spans_of(self, raw: RawFile, text: str) -> Spans:
        """Return where each expression of a file that was read stands in its text."""
        if id(raw) not in self._spans:
            again, spans = read_with_spans(text, raw.file)
            if again.broken is None and raw.broken is None:
                spans.of_twin(raw.body, again.body)
            self._spans[id(raw)] = raw, spans
        return self._spans[id(raw)][1]


def read(
    path: str | Path,
    *,
    progress: Progress | Row | None = None,
    variables: Mapping[str, Value] | None = None,
    relative_to: Path | None = None,
) -> list[Configuration]:
    """
    Read the Terraform files at and below *path*: one configuration for each root module.

    A root module is a folder with configuration that no other folder here calls as a module. A module folder that
    nobody calls is read as a root; its variables without a default are Unknown then. Values of variables come from
    their defaults, from ``terraform.tfvars`` and ``*.auto.tfvars`` (JSON too) of the root, and from *variables*, the
    last of which wins.

    Parameters
    ----------
    path
        A folder, or one file. Of a file its whole folder is read, since names are declared in the files beside it;
        ``asked`` of the configuration then names the file.
    progress
        Where the row of the files is drawn; or what is called with its name, its share from 0 to 1, and a note.
    variables
        Values for the root modules' variables.
    relative_to
        The folder that names of files start from; a file outside of it has its whole path for a name. Left out:
        *path*, or its folder if it is a file, and a file outside has ``..`` in its name.

    Returns
    -------
    list of Configuration
        In the order of the folders' names; empty if there is no configuration. What cannot be read is in ``broken``.

    Raises
    ------
    TerraformError
        *path* is not there.

    Notes
    -----
    Every file is parsed, also those that hold nothing of schedules: otherwise one that is broken would pass unseen.
    Many files are parsed by as many processes as there are cores. Links to folders, hidden folders and
    ``.terraform`` are not walked into; modules that ``terraform init`` has installed there are found through its list.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "main.tf").write_text('resource "aws_ecs_cluster" "this" { name = "c-${1 + 1}" }')
    ...     read(folder)[0].find("aws_ecs_cluster.this").values
    {'name': 'c-2'}
    """
    asked = Path(path)
    if not asked.exists():
        raise TerraformError(f"There is no {path}.", hint="Name a folder with .tf files, or such a file.")
    top = asked if asked.is_dir() else asked.parent
    reader = _Reader(top, variables or {}, progress.row if isinstance(progress, Progress) else progress, relative_to)
    if asked.is_dir():
        return reader.everything()
    return reader.one_file(asked.name)


class _Reader:
    def __init__(self, top: Path, variables: Mapping[str, Value], row: Row | None, relative_to: Path | None) -> None:
        self.base = top.resolve()
        self.named_from = relative_to.resolve() if relative_to else None
        self.variables = variables
        self.row = row
        self.raw: dict[Path, list[RawFile]] = {}
        self.folders: dict[Path, Folder] = {}
        self.root = self.base
        self.installed: dict[Path, Mapping[str, tuple[str, str]]] = {}
        self.kept: dict[Path, RawFile] = {}
        self.texts: dict[Path, RawFile] = {}
        self.read: list[Read] = []
        self.before: dict[Path, Read] = {}

    def everything(self) -> list[Configuration]:
        wrong: list[tuple[Path, str]] = []
        found = list(found_folders(self.base, wrong))
        self._read([(folder, names) for folder, names in found])
        told_of = [self._configuration(root) for root in self._roots([folder for folder, _ in found])]
        if wrong:
            told_of.append(Configuration(broken=[Broken(Place(self.name(one), 0), why) for one, why in wrong]))
        return told_of

    def one_file(self, name: str) -> list[Configuration]:
        try:
            names = names_in(self.base)
        except OSError:
            names = []
        if name not in names:
            if not is_configuration(name):
                return []
            names = [name]
        self._read([(self.base, names)])
        return [self._configuration(self.base, asked=name)]

    # files

    def _read(self, found: Sequence[tuple[Path, Sequence[str]]]) -> None:
        paths = [folder / name for folder, names in found for name in names]
        read = dict(zip(paths, self._parsed(paths), strict=True))
        for folder, names in found:
            self.raw[folder] = [read[folder / name] for name in names if not (folder / name).is_dir()]

    def _parsed(self, paths: Sequence[Path]) -> list[RawFile]:
        new = [path for path in paths if path not in self.texts and path not in self.kept]
        self.kept.update(zip(new, self._parsed_anew(new), strict=True))
        return [self.texts.get(path) or self.kept[path] for path in paths]

    def _parsed_anew(self, paths: Sequence[Path]) -> list[RawFile]:
        named = [(path, self.name(path)) for path in paths]
        processes = min(_cores(), -(-len(paths) // _BUNCH))
        read: Mapping[int, RawFile] = {}
        if processes > 1 and sum(_size(path) for path in paths) >= _ALONE_BYTES:
            read = side_by_side(named, processes, lambda done: self._row(done, len(paths)))
        files = []
        for at, (path, name) in enumerate(named):
            files.append(read[at] if at in read else _unpacked(packed(path, name)))
            if at not in read:
                self._row(at + 1, len(paths))
        return files

    def _row(self, done: int, of: int) -> None:
        if self.row is not None:
            self.row("files", done / of, f"{done} of {of} read")

    def name(self, path: Path) -> str:
        """Return what a file is called in what is told of it."""
        if self.named_from is None:
            return Path(os.path.relpath(path, self.base)).as_posix()
        return (path.relative_to(self.named_from) if path.is_relative_to(self.named_from) else path).as_posix()

    # folders

    def _folder(self, path: Path) -> Folder:
        if path not in self.folders:
            if path not in self.raw:
                self._read_quietly(path)
            files = [one for one in self.raw[path] if is_configuration(Path(one.file).name)]
            self.folders[path] = folder_of(path, files)
        return self.folders[path]

    def _read_quietly(self, path: Path) -> None:
        """Read a folder that lies outside of what was asked for, or below a hidden one."""
        self.raw[path] = self._parsed([path / name for name in names_in(path) if is_configuration(name)])

    def folder(self, source: str, caller: Folder, address: str) -> Folder | Unknown:
        """Return the folder of a module; Unknown if it is not here."""
        if source.startswith(_LOCAL) or source in (".", ".."):
            path = Path(os.path.normpath(caller.path / source))
        else:
            installed = self._installed(source, address)
            if installed is None:
                return Unknown(f"its source {source!r} is not on this machine; `terraform init` would bring it")
            path = installed
        try:
            path = path.resolve()
            if not path.is_dir():
                return Unknown(f"there is no folder {self.name(path)}")
            if not any(map(is_configuration, names_in(path))):
                return Unknown(f"there is no configuration in {self.name(path)}")
            return self._folder(path)
        except (OSError, RuntimeError) as error:
            return Unknown(f"{self.name(path)} cannot be looked into: {getattr(error, 'strerror', None) or error}")

    def _installed(self, source: str, address: str) -> Path | None:
        """Return where ``terraform init`` has put a module: its list names modules by their way from the root."""
        key = ".".join(name for name, _ in steps_of(address)[1::2])
        if self.root not in self.installed:
            self.installed[self.root] = _modules_json(self.root)
        known = self.installed[self.root].get(key)
        if known is None:
            return None
        installed, folder = known
        # what was installed for another source before an edit is not what is meant now
        if installed != source and not installed.endswith(f"/{source}"):
            return None
        return self.root / folder

    # configurations

    def _roots(self, folders: Sequence[Path]) -> list[Path]:
        here = set(folders)
        calls = {path: self._called_by(path) & here for path in folders}
        called = {one for path, ones in calls.items() for one in ones if one != path}
        roots = [path for path in folders if path not in called]
        reached: set[Path] = set()
        for path in roots:
            _reach(path, calls, reached)
        for path in folders:
            # modules that call each other in a circle are called by nobody else
            if path not in reached:
                roots.append(path)
                _reach(path, calls, reached)
        return sorted(roots)

    def _called_by(self, path: Path) -> set[Path]:
        called = set()
        for call in self._folder(path).calls.values():
            written = call.body.attributes.get("source")
            source = getattr(written.value, "value", None) if written else None
            if isinstance(source, str) and (source.startswith(_LOCAL) or source in (".", "..")):
                try:
                    called.add(Path(os.path.normpath(path / source)).resolve())
                except (OSError, RuntimeError, ValueError):
                    continue
        return called

    def _configuration(self, path: Path, asked: str = "") -> Configuration:
        if path in self.before:
            self.read.append(self.before[path])
            return self.before[path].configuration
        self.root = path
        folder = self._folder(path)
        root = Root(path, self.base, self)
        values, wrong, written = self._values(path, folder)
        module = Module(folder, root, "", {name: _constant(value) for name, value in values.items()})
        module.written = written
        blocks = list(module.blocks())
        folders = list(root.folders.values())
        told = Configuration(
            blocks=blocks,
            comments=[one for each in folders for one in each.comments],
            broken=[*wrong, *(one for each in folders for one in each.broken)],
            missing=list(root.missing.values()),
            files=[one for each in folders for one in each.files],
            asked=asked,
        )
        self.read.append(Read(told, module))
        return told

    def _values(self, path: Path, folder: Folder) -> tuple[dict[str, Value], list[Broken], dict[str, Written]]:
        """Return what a root's variables are given, the files of values that are broken, and how it is written."""
        files = [one for one in self.raw[path] if is_values(Path(one.file).name)]
        values: dict[str, Value] = {}
        wrong: list[Broken] = []
        where: dict[str, Written] = {}
        empty = Module(Folder(path), Root(path, self.base, self), "", {})
        for one in sorted(files, key=lambda raw: (not Path(raw.file).name.startswith("terraform.tfvars"), raw.file)):
            if one.broken is not None:
                wrong.append(Broken(Place(one.file, one.broken[0]), one.broken[1]))
            for name, written in one.body.attributes.items():
                values[name] = told(written.value, empty, {})
                where[name] = written
        if wrong:
            # a broken file may have said anything
            lost = Unknown(f"{wrong[0].place.file} could not be read")
            values = {**dict.fromkeys(folder.variables, lost)}
        return {**values, **self.variables}, wrong, where


def _constant(value: Value) -> Callable[[], Value]:
    return lambda: value


def _reach(path: Path, calls: Mapping[Path, set[Path]], reached: set[Path]) -> None:
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += calls.get(one, ())


def _modules_json(root: Path) -> Mapping[str, tuple[str, str]]:
    try:
        listed: Any = json.loads((root / ".terraform" / "modules" / "modules.json").read_text("utf-8"))["Modules"]
        return {str(one["Key"]): (str(one["Source"]), str(one["Dir"])) for one in listed}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _unpacked(raw: bytes) -> RawFile:
    read_file = pickle.loads(raw)  # noqa: S301 - made by this library a moment ago, in a process that it started
    assert isinstance(read_file, RawFile)
    return read_file
