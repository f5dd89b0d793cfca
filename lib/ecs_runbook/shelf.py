"""Where the files of a history are: a folder, or S3. Files are put there whole, under a name of their own."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from ecs_runbook import workspace
from ecs_runbook.errors import WorkspaceError
from ecs_runbook.session import translated

_AT_ONCE = 8
"""Objects that are fetched at once: fewer than the connections that a client keeps."""
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


class Shelf(Protocol):
    """A place that files are put to, and read from."""

    def where(self, name: str) -> str:
        """Return how a person reads where the file *name* is."""

    def names(self) -> list[str]:
        """Return the names of its files."""

    def reading(self, names: Sequence[str]) -> AbstractContextManager[dict[str, Path]]:
        """Give the files *names* as files on this machine, each by its name."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Give a path; what lies there in the end gets the name *name*, whole or not at all."""


class Folder:
    """A folder on this machine, made if need be unless it is only *read*."""

    def __init__(self, folder: Path, *, read: bool = False) -> None:
        self.folder = _there(folder) if read else workspace.writable(folder)

    def where(self, name: str) -> str:
        """Return its place, from the folder in which a person stands."""
        path = self.folder / name
        root = workspace.root()
        return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()

    def names(self) -> list[str]:
        """Return the names of its files, ``<folder>/<name>`` of those that lie in folders of it."""
        found = []
        for folder, folders, files in os.walk(self.folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [Path(folder, name) for name in files if not name.startswith(".")]
        return [path.relative_to(self.folder).as_posix() for path in found]

    @contextmanager
    def reading(self, names: Sequence[str]) -> Iterator[dict[str, Path]]:
        """Give the files *names*; one that has gone in the meantime is left out."""
        yield {name: path for name in names if (path := self.folder / name).is_file()}

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a path beside, and then move what lies there."""
        target = self.folder / name
        handle, beside = tempfile.mkstemp(
            prefix=f".{target.name}-", suffix=".part", dir=workspace.writable(target.parent)
        )
        os.close(handle)
        path = Path(beside)
        try:
            yield path
            with path.open("rb") as written:
                os.fsync(written.fileno())
            path.chmod(0o644)
            path.replace(target)
        except OSError as error:
            raise WorkspaceError(
                f"{target} cannot be written: {error.strerror or error}.",
                hint="Give yourself write access and free space.",
            ) from error
        finally:
            path.unlink(missing_ok=True)


class Bucket:
    """A prefix in S3, where a file is there whole or not at all by S3's own promise."""

    def __init__(self, bucket: str, prefix: str, s3: Any) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.s3 = s3

    def where(self, name: str) -> str:
        """Return its address."""
        return f"s3://{self.bucket}/{self.prefix}{name}"

    def names(self) -> list[str]:
        """Return the names of its files. Needs ``s3:ListBucket``."""
        found: list[str] = []
        onward: dict[str, str] = {}
        while True:
            with translated("s3:ListBucket", hint=_hint(self.where(""), "s3:ListBucket")):
                page = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, **onward)
            keys = [str(one["Key"]) for one in page.get("Contents", [])]
            found += [key.removeprefix(self.prefix) for key in keys if not key.endswith("/")]
            if not page.get("IsTruncated"):
                return found
            onward = {"ContinuationToken": page["NextContinuationToken"]}

    @contextmanager
    def reading(self, names: Sequence[str]) -> Iterator[dict[str, Path]]:
        """Fetch the files *names*, several at once. Needs ``s3:GetObject``."""
        with tempfile.TemporaryDirectory() as folder:
            # each in a folder of its own: a key may hold anything, and must not lead out of here
            paths = {name: Path(folder, f"{number}", Path(name).name) for number, name in enumerate(names)}
            with ThreadPoolExecutor(_AT_ONCE) as several:
                list(several.map(self._fetch, paths, paths.values()))
            yield paths

    def _fetch(self, name: str, path: Path) -> None:
        with translated("s3:GetObject", hint=_hint(self.where(name), "s3:GetObject")):
            told = self.s3.get_object(Bucket=self.bucket, Key=self.prefix + name)
            path.parent.mkdir()
            path.write_bytes(told["Body"].read())

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Send what lies at the path in the end. Needs ``s3:PutObject``."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, Path(name).name)
            yield path
            put(self.s3, self.bucket, self.prefix + name, path.read_bytes(), "application/vnd.apache.parquet")


def put(s3: Any, bucket: str, key: str, content: bytes, kind: str) -> None:
    """
    Write one object. Needs ``s3:PutObject``.

    Raises
    ------
    AwsError
        If S3 refuses.
    """
    with translated("s3:PutObject", hint=_hint(f"s3://{bucket}/{key}", "s3:PutObject")):
        s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=kind)


def bucket_and_prefix(place: str) -> tuple[str, str] | None:
    """
    Return bucket and prefix of ``s3://bucket/prefix``; None if it is something else.

    Examples
    --------
    >>> bucket_and_prefix("s3://reports/ecs/daily"), bucket_and_prefix("reports/ecs")
    (('reports', 'ecs/daily'), None)
    """
    found = _S3.fullmatch(place)
    return (found.group(1), found.group(2) or "") if found else None


def shelf_at(place: str, aws: Any, *, read: bool = False) -> Folder | Bucket:
    """
    Return the shelf at *place*, a folder or ``s3://bucket/prefix``.

    A folder is made if need be; if the shelf is only *read*, it has to be there.

    Raises
    ------
    WorkspaceError
        If it is neither, or the folder cannot be written to, or is not there.
    """
    if found := bucket_and_prefix(place):
        if aws is None:
            raise WorkspaceError(f"{place!r} is in S3, and no AWS was given.", hint="Give aws=connect(…).")
        return Bucket(*found, aws.client("s3"))
    if "://" in place:
        raise WorkspaceError(f"{place!r} is no place for files.", hint="Name a folder, or s3://bucket/prefix.")
    folder = Path(place).expanduser()
    return Folder(folder if folder.is_absolute() else workspace.root() / folder, read=read)


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise WorkspaceError(
            f"{folder} is no folder.", hint="Name the folder that was written to, or s3://bucket/prefix."
        )
    return folder


def _hint(where: str, action: str) -> str:
    return f"Look whether {where} is there, and whether the caller has {action}."
