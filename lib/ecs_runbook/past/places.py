"""Where log files lie: a folder of this machine, or a prefix in S3. Both are walked the same way."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ecs_runbook import workspace
from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.past.layout import Placed, Wish, of_file, of_folder
from ecs_runbook.past.scan import LARGEST_BYTES, NotALogFile
from ecs_runbook.past.sources import Broken
from ecs_runbook.session import translated
from ecs_runbook.shelf import bucket_and_prefix

_GONE = frozenset({"NoSuchKey", "404"})


class LogFile(NamedTuple):
    """
    One file.

    ``name`` from the place on, ``bytes``, and ``tag``, which changes with the content: what is read of a file holds as
    long as its name and tag are the same.
    """

    name: str
    bytes: int
    tag: str


class Level(NamedTuple):
    """What lies directly in a folder."""

    folders: Sequence[str] = ()
    files: Sequence[LogFile] = ()
    broken: Sequence[Broken] = ()


class Place(Protocol):
    """Where log files lie."""

    where: str
    parts: Sequence[str]
    at_once: int
    calls: int

    def level(self, folder: str) -> Level:
        """Return what lies in *folder*, empty or ending in a slash."""

    def content(self, file: LogFile) -> bytes | str:
        """Return a file's content, or the path under which another process finds it."""


@dataclass
class Listed:
    """The files that are wanted, by name; what could not be listed; how many files have other names."""

    files: list[LogFile] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    others: int = 0


def listed(place: Place, wish: Wish, pool: Executor) -> Listed:
    """
    List the log files of a place that may have what is wanted.

    Folders and files whose names speak against it are left out; digests and what other services log there, too. Where
    names tell nothing, all is wanted.
    """
    found, folders = Listed(), [""]
    while folders:
        levels = list(zip(folders, pool.map(place.level, folders), strict=True))
        folders = []
        for folder, level in levels:
            here = _placed(place, folder)
            folders += [one for one in level.folders if _placed(place, one) in wish]
            found.broken += level.broken
            for file in level.files:
                told = of_file(file.name.rpartition("/")[2], here)
                if told is None:
                    found.others += 1
                elif told in wish:
                    found.files.append(file)
    found.files.sort()
    return found


def _placed(place: Place, folder: str) -> Placed:
    return of_folder([*place.parts, *(part for part in folder.split("/") if part)])


class Folder:
    """A folder of this machine."""

    at_once = 1
    calls = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = str(folder)
        self.parts: Sequence[str] = folder.resolve().parts
        self._seen: set[tuple[int, int]] = set()

    def level(self, folder: str) -> Level:
        """Return what lies in *folder*; a folder that a link leads to a second time is empty then."""
        folders: list[str] = []
        files: list[LogFile] = []
        broken: list[Broken] = []
        try:
            own = (self.folder / folder).stat()
            if (own.st_dev, own.st_ino) in self._seen:
                return Level()
            self._seen.add((own.st_dev, own.st_ino))
            with os.scandir(self.folder / folder) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    name = folder + entry.name
                    try:
                        told = entry.stat()
                    except OSError as error:
                        broken.append(Broken(name, f"cannot be read: {error.strerror or error}"))
                        continue
                    if stat.S_ISDIR(told.st_mode):
                        folders.append(f"{name}/")
                    elif stat.S_ISREG(told.st_mode):
                        files.append(LogFile(name, told.st_size, f"{told.st_size}-{told.st_mtime_ns}"))
                    else:
                        broken.append(Broken(name, "is no file"))
        except OSError as error:
            broken.append(Broken(folder or str(self.folder), f"cannot be listed: {error.strerror or error}"))
        return Level(folders, files, broken)

    def content(self, file: LogFile) -> str:
        """Return its path."""
        return str(self.folder / file.name)


class Bucket:
    """A prefix in S3. Needs ``s3:ListBucket`` and ``s3:GetObject``."""

    at_once = 24

    def __init__(self, bucket: str, prefix: str, s3: Any) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.s3 = s3
        self.where = f"s3://{bucket}/{self.prefix}"
        self.parts: Sequence[str] = [part for part in self.prefix.split("/") if part]
        self.calls = 0

    def level(self, folder: str) -> Level:
        """
        Return what lies under *folder*, up to the next slash.

        Raises
        ------
        AwsError
            If S3 refuses at the place itself; of a folder in it the refusal is told, and the others are read.
        """
        try:
            return self._level(folder)
        except AwsError as error:
            if not folder:
                raise
            return Level(broken=[Broken(folder, f"cannot be listed: {error}")])

    def _level(self, folder: str) -> Level:
        folders: list[str] = []
        files: list[LogFile] = []
        pages = self.s3.get_paginator("list_objects_v2")
        where = f"s3://{self.bucket}/{self.prefix}{folder}"
        hint = f"Look whether {where} is there, and whether the caller has s3:ListBucket."
        with translated("s3:ListBucket", hint=hint):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + folder, Delimiter="/"):
                self.calls += 1
                folders += [one["Prefix"].removeprefix(self.prefix) for one in page.get("CommonPrefixes", ())]
                for one in page.get("Contents", ()):
                    name, size = one["Key"].removeprefix(self.prefix), one["Size"]
                    if not name.endswith("/") and name:
                        files.append(LogFile(name, size, f"{size}-{one['ETag'].strip(chr(34))}"))
        return Level(folders, files)

    def content(self, file: LogFile) -> bytes:
        """
        Fetch a file.

        Raises
        ------
        NotALogFile
            If S3 does not give it; the text says why.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if file.bytes > LARGEST_BYTES:
            raise NotALogFile(f"holds more than {LARGEST_BYTES // 2**20} MB")
        self.calls += 1
        try:
            content: bytes = self.s3.get_object(Bucket=self.bucket, Key=self.prefix + file.name)["Body"].read()
        except ClientError as error:
            told = error.response.get("Error", {})
            if told.get("Code") in _GONE:
                raise NotALogFile("has gone since it was listed") from error
            words = f"{told.get('Code', 'Unknown')}: {told.get('Message', error)}"
            raise NotALogFile(f"cannot be read: s3:GetObject was refused: {words}") from error
        except BotoCoreError as error:
            raise NotALogFile(f"cannot be read: S3 did not send it: {error}") from error
        return content


def place_at(place: str, aws: Any) -> Folder | Bucket:
    """
    Return the place that a person named, a folder or ``s3://bucket/prefix``.

    Raises
    ------
    EvidenceError
        If it is neither, or there is no such folder.
    """
    if found := bucket_and_prefix(place):
        if aws is None:
            raise EvidenceError(f"place = {place!r} is in S3, and no AWS was given.", hint="Give aws=connect(…).")
        return Bucket(*found, aws.client("s3"))
    if "://" in place or not place.strip():
        raise EvidenceError(
            f"place = {place!r} is no place of log files.", hint="Name a folder, or s3://bucket/prefix."
        )
    folder = Path(place).expanduser()
    folder = folder if folder.is_absolute() else workspace.root() / folder
    if not folder.is_dir():
        raise EvidenceError(
            f"place = {place!r}: there is no folder {folder}.", hint="Name a folder, or s3://bucket/prefix."
        )
    return Folder(folder)
