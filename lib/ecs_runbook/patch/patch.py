"""Mend somebody's own Terraform files: the fewest characters that do it, each tried before it is proposed."""

from __future__ import annotations

import difflib
import json
import re
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ecs_runbook.errors import TerraformError, WorkspaceError
from ecs_runbook.lint.findings import Finding, in_order
from ecs_runbook.lint.model import Place
from ecs_runbook.lint.reading import Reading, Tree
from ecs_runbook.patch.changes import Change, Way
from ecs_runbook.patch.comments import in_line_again
from ecs_runbook.patch.effect import Difference, Taken, Takers, changed
from ecs_runbook.patch.origin import Texts
from ecs_runbook.patch.wishes import MENDS, QUEUE, Found, Sight, Wish, not_here, refused, unread, wished

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Edit:
    """
    What becomes of one line, or of a few that follow each other.

    Attributes
    ----------
    file, line
        Where, in the file as it is.
    before, after
        The lines, without their ends.
    """

    file: str
    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class NotPlaced:
    """A mend that no edit was found for: what, of which resource, where, and why; of an unread file, no mend."""

    mend: str
    address: str
    place: Place
    because: str

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place.line else ""
        return (
            f"{where}{self.mend} of {self.address}: {self.because}" if self.mend else f"{self.address}: {self.because}"
        )


@dataclass(frozen=True)
class Mended:
    """A mend that was placed: what, of which resource, and in which files."""

    mend: str
    address: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Patch:
    """
    The edits that mend a folder's Terraform; nothing is written until :meth:`apply`.

    Attributes
    ----------
    folder
        What was read.
    texts
        Each file that changes, by its name: the bytes as they were read, and as they would be written.
    mended
        What the edits mend.
    not_placed
        What they do not, and why.
    not_known
        Targets of which the files do not tell whether they name a revision, and why: these stay as they are.
    then
        What lint would find afterwards, and does not find now, or less grave: what else is to be done.
    """

    folder: Path
    texts: Mapping[str, tuple[bytes, bytes]] = field(repr=False)
    mended: Sequence[Mended] = ()
    not_placed: Sequence[NotPlaced] = ()
    not_known: Sequence[NotPlaced] = ()
    then: Sequence[Finding] = ()

    @property
    def overwritten(self) -> list[str]:
        """What writes some of these files anew, and so would undo the edits: one sentence for each such file."""
        return [said for file in sorted(self.texts) if (said := _overwritten(file, self.texts[file][0]))]

    @property
    def edits(self) -> list[Edit]:
        """The lines that change, in the order of files and lines."""
        return [edit for file in sorted(self.texts) for edit in _edits(file, *self.texts[file])]

    @property
    def diff(self) -> str:
        """The edits as a unified diff, which ``patch -p1`` and ``git apply`` take; empty if there are none."""
        return "".join(_diff(file, *self.texts[file]) for file in sorted(self.texts))

    def apply(self) -> list[Path]:
        """
        Write the files, each whole or not at all, and return them.

        Raises
        ------
        WorkspaceError
            A file is not what was read any more, or cannot be written. What is found to have changed before anything
            is written leaves everything as it is.
        """
        paths = {file: (self.folder / file).resolve() for file in sorted(self.texts)}
        for file, path in paths.items():
            if _bytes(path) != self.texts[file][0]:
                raise WorkspaceError(f"{file} has changed since it was read.", hint="Make the patch again.")
        for file, path in paths.items():
            _write(path, self.texts[file][1])
        return list(paths.values())

    def __str__(self) -> str:
        lines = [self.diff.rstrip("\n")] if self.diff else ["Nothing to change."]
        if self.overwritten:
            lines += ["", *(f"Warning: {one}" for one in self.overwritten)]
        if self.not_placed:
            lines += ["", "Not placed:", *(f"  {one}" for one in self.not_placed)]
        if self.not_known:
            lines += ["", "Not known, so left as it is:", *(f"  {one}" for one in self.not_known)]
        if self.then:
            told = (f"  {one.place}: {one.severity}: {one.rule}: {one.because}. {one.mend}" for one in self.then)
            lines += ["", "Then lint finds:", *told]
        return "\n".join(lines)


def patch(folder: str | Path, mends: Collection[str] = MENDS, *, only: Collection[str] | None = None) -> Patch:
    """
    Find the smallest edits that mend the Terraform files at and below *folder*.

    Parameters
    ----------
    folder
        Somebody's Terraform, as it is kept: HCL and JSON, modules, several roots.
    mends
        What to mend, of :data:`MENDS`: ``pinned-revision`` takes the revision from a target; ``policy`` lets the
        role's policy match every revision; ``launch-type`` has a task with a public IP launched on Fargate. The ids of
        lint's rules stand for these too. A ``dead-letter-queue`` may be asked for, and is told as not placed.
    only
        Names of rules, schedules and state machines, their ARNs, or addresses of targets; all that are found if left
        out.

    Returns
    -------
    Patch
        Its ``diff`` shows it, ``apply()`` writes it, ``not_placed`` tells what it does not do.

    Raises
    ------
    TerraformError
        There is no such folder, no Terraform in it, or a mend has no such name.

    Notes
    -----
    Each edit is tried: the files are read again as they would be, and it is kept if just the wanted values differ, of
    every root module. A value that others take too is changed where the target takes it. AWS is not asked, and
    Terraform is not run. What a comment silences is left alone.

    Examples
    --------
    >>> import tempfile
    >>> target = '''resource "aws_cloudwatch_event_target" "this" {
    ...   arn = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch"
    ...   ecs_target {
    ...     task_definition_arn = aws_ecs_task_definition.this.arn # the newest
    ...   }
    ... }
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "main.tf").write_text(target)
    ...     print(patch(folder, ["pinned-revision"]).edits[0].after[0].strip())
    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision # the newest
    """
    path = Path(folder)
    if not path.is_dir():
        raise TerraformError(f"There is no folder {folder}.", hint="Name a folder with .tf files.")
    return _Patching(path, refused(mends), only).patch()


@dataclass(frozen=True)
class _Fault:
    """What speaks against a batch of edits: why, and the wishes that may have caused it, as far as that is told."""

    because: str
    suspects: frozenset[tuple[object, ...]]
    is_told: bool = True


class _Patching:
    def __init__(self, folder: Path, mends: frozenset[str], only: Collection[str] | None) -> None:
        self.folder = folder.resolve()
        self.mends = mends
        self.only = only
        self.tree = Tree(self.folder)
        self.originals: dict[str, bytes] = {}
        self.texts: dict[str, str] = {}
        self.mended: list[Mended] = []
        self.not_placed: list[NotPlaced] = []
        self.done: set[tuple[object, ...]] = set()
        self.found = Found()
        self.sight: Sight | None = None
        self.takers: tuple[Reading, Takers] | None = None
        # of each wish: how many of its ways came to nothing, and why the first did
        self.tried: dict[tuple[object, ...], tuple[int, str]] = {}

    def patch(self) -> Patch:
        first = reading = self.tree.read()
        if not any(one.files or one.broken for one in reading.configurations):
            raise TerraformError(f"{self.folder} holds no Terraform.", hint="Name a folder with .tf or .tf.json files.")
        for name, (path, raw) in reading.files.items():
            if raw.broken is None:
                self.originals[name] = path.read_bytes()
                self.texts[name] = self.originals[name].decode("utf-8-sig")
        for broken in {one for told in reading.configurations for one in told.broken}:
            self.not_placed.append(NotPlaced("", broken.place.file, broken.place, broken.because))
        for mend in (*MENDS, QUEUE):
            if mend in self.mends:
                reading = self._mend_all(reading, mend)
        if "pinned-revision" in self.mends:
            self.not_placed += [NotPlaced("pinned-revision", *one) for one in not_here(reading)]
        for name, because in self._sight(reading).unknown:
            self.not_placed.append(NotPlaced(", ".join(m for m in MENDS if m in self.mends), name, Place(), because))
        # by address: an added line moves all places below it
        known = {(one.rule, one.address, one.severity) for one in self.found.grave(first)}
        then = [one for one in self.found.grave(reading) if (one.rule, one.address, one.severity) not in known]
        unknown = tuple(dict.fromkeys(unread(self._sight(reading)))) if "pinned-revision" in self.mends else ()
        doubts = tuple(NotPlaced("pinned-revision", *one) for one in unknown)
        return Patch(self.folder, self._written(), tuple(self.mended), tuple(self.not_placed), doubts, in_order(then))

    def _mend_all(self, reading: Reading, mend: str) -> Reading:
        while True:
            wishes = [one for one in self._wishes(reading, mend) if one.key not in self.done]
            for one in (one for one in wishes if one.because):
                self._give_up(one, one.because)
            wishes = [one for one in wishes if not one.because]
            if not wishes:
                return reading
            reading = self._settle(reading, wishes)

    def _wishes(self, reading: Reading, mend: str) -> list[Wish]:
        files = {name: raw for name, (_, raw) in reading.files.items()}
        return wished(self._sight(reading), mend, Texts(self.texts, files, self.tree.spans_of))

    def _sight(self, reading: Reading) -> Sight:
        if self.sight is None or self.sight.reading is not reading:
            self.sight = Sight(reading, self.only, self.found)
        return self.sight

    def _settle(self, reading: Reading, wishes: Sequence[Wish]) -> Reading:
        """
        Mend all of *wishes* that can be, as many at once as come to just what is wished.

        Where they do not, those that have no part in it are done first, and whoever caused it goes on with its next
        way. So a folder is read a few times, however much there is to mend in it.
        """
        mend, keys = wishes[0].mend, {one.key for one in wishes}
        while wishes:
            batch = self._batch(reading, wishes)
            if not batch:
                return reading
            after, faults = self._tried(reading, batch)
            if after is not None:
                for wish, way in batch:
                    self._keep(wish, way)
                reading = after
            elif len(batch) == 1:
                self._failed(batch[0][0], faults[0].because)
            else:
                reading = self._parted(reading, [wish for wish, _ in batch], faults)
            wishes = self._left(reading, mend, keys)
        return reading

    def _left(self, reading: Reading, mend: str, keys: Collection[object]) -> list[Wish]:
        return [one for one in self._wishes(reading, mend) if one.key in keys and one.key not in self.done]

    def _parted(self, reading: Reading, wishes: Sequence[Wish], faults: Sequence[_Fault]) -> Reading:
        """Mend those that have no part in what went wrong, and find out who of the others has."""
        mend, suspects = wishes[0].mend, {key for one in faults for key in one.suspects}
        others = [one for one in wishes if one.key not in suspects]
        if not others and not any(one.is_told for one in faults):
            others = list(wishes[: len(wishes) // 2])
        if others:
            reading = self._settle(reading, others)
        left = self._left(reading, mend, suspects)
        guilty = {wish: one.because for one in faults for wish in left if one.suspects == {wish.key}}
        for wish, because in guilty.items():
            self._failed(wish, because)
        shared = next((one for one in faults if one.is_told and len(one.suspects) > 1), None)
        together = [wish for wish in left if shared is not None and wish.key in shared.suspects]
        first = self._batch(reading, together[:1])
        if guilty or shared is None or not first:
            return reading
        # they are taken by the same: one tells of all
        after, own = self._tried(reading, first)
        if after is not None:
            self._keep(*first[0])
            return after
        for wish in together if shared.because in {one.because for one in own} else together[:1]:
            self._failed(wish, shared.because)
        return reading

    def _batch(self, reading: Reading, wishes: Sequence[Wish]) -> list[tuple[Wish, Way]]:
        """Return the next way of each, of ways that overlap the first; who has none left is given up."""
        batch: list[tuple[Wish, Way]] = []
        taken: set[Change] = set()
        for wish in wishes:
            way = self._next_way(reading, wish)
            if way is not None and not _overlap(way.changes, taken):
                batch.append((wish, way))
                taken.update(way.changes)
        return batch

    def _next_way(self, reading: Reading, wish: Wish) -> Way | None:
        for way in islice(wish.ways(), self.tried.get(wish.key, (0, ""))[0], None):
            because = self._refused(reading, way)
            if not because:
                return way
            self._failed(wish, because)
        why = self.tried.get(wish.key, (0, ""))[1]
        self._give_up(wish, why or "how it is written is not understood well enough to change it")
        return None

    def _failed(self, wish: Wish, because: str) -> None:
        ways, why = self.tried.get(wish.key, (0, ""))
        self.tried[wish.key] = (ways + 1, why or because)

    def _refused(self, reading: Reading, way: Way) -> str:
        """Return why a way is not to be tried; empty if it may be."""
        for change in way.changes:
            if why := self._no_place(change.file, reading):
                return why
        return next((told.blind for told in self._taken(reading, way) if told.blind), "")

    def _taken(self, reading: Reading, way: Way) -> list[Taken]:
        if self.takers is None or self.takers[0] is not reading:
            self.takers = (reading, Takers(reading))
        return [self.takers[1].of(spot) for spot in way.spots]

    def _give_up(self, wish: Wish, because: str) -> None:
        self.done.add(wish.key)
        told = NotPlaced(wish.mend, wish.address, wish.place, because)
        # one of several instances stands for all that are written in one place
        if (told.mend, told.place, because) not in {(one.mend, one.place, one.because) for one in self.not_placed}:
            self.not_placed.append(told)

    def _keep(self, wish: Wish, way: Way) -> None:
        self.done.add(wish.key)
        files = sorted({change.file for change in way.changes})
        self.mended.append(Mended(wish.mend, wish.address, tuple(files)))

    def _tried(self, reading: Reading, batch: Sequence[tuple[Wish, Way]]) -> tuple[Reading | None, list[_Fault]]:
        """Return what is read after the changes, or what speaks against them; taken, they are in ``texts``."""
        changes = sorted({change for _, way in batch for change in way.changes})
        edited = _edited(self.texts, changes)
        in_line = {name: in_line_again(self.texts[name], text) for name, text in edited.items()}
        faults: list[_Fault] = []
        for texts in (in_line, edited) if in_line != edited else (edited,):
            new = {reading.files[name][0]: text for name, text in texts.items() if text != self._read_text(name)}
            after = self.tree.read(new, since=reading, changed={change.file for change in changes})
            faults = self._faults(reading, after, batch)
            if not faults:
                self.texts = dict(texts)
                return after, []
        return None, faults

    def _faults(self, reading: Reading, after: Reading, batch: Sequence[tuple[Wish, Way]]) -> list[_Fault]:
        """Return what differs that should not, and what is not mended, each with the wishes that may have done it."""
        differences, why = changed(reading, after)
        if why:
            return [_Fault(why, frozenset(wish.key for wish, _ in batch), is_told=False)]
        sight, faults = self._sight(reading), []
        for one in differences:
            if one.block is None:
                because = f"it would change the output {one.path[0]}"
            elif sight.may_change(self.mends, one.at, one.block, one.path, one.then):
                continue
            else:
                because = f"it would change {'.'.join(map(str, one.path))} of {one.block.address} too"
            suspects = frozenset(wish.key for wish, way in batch if self._may_be_of(reading, one, way))
            everybody = frozenset(wish.key for wish, _ in batch)
            faults.append(_Fault(because, suspects or everybody, is_told=bool(suspects)))
        if not faults:
            still = {one.key for one in self._wishes(after, batch[0][0].mend)}
            same = "no edit that is known here mends it"
            faults = [_Fault(same, frozenset({wish.key})) for wish, _ in batch if wish.key in still]
        return faults

    def _may_be_of(self, reading: Reading, difference: Difference, way: Way) -> bool:
        """Return whether a way may have made a difference: it edits the block, or what the block takes."""
        taken, block = self._taken(reading, way), difference.block
        if block is None:
            folder = id(reading.roots[difference.at].module.source)
            return any((folder, difference.path[0]) in one.outputs for one in taken)
        place = (block.place.file, block.place.line)
        lines = range(block.place.line, block.end + 1)
        inside = (one for one in way.changes if one.file == block.place.file)
        return any(place in one.blocks for one in taken) or any(
            self.texts[one.file].count("\n", 0, one.start) + 1 in lines for one in inside
        )

    def _read_text(self, name: str) -> str:
        return self.originals[name].decode("utf-8-sig")

    def _no_place(self, file: str, reading: Reading) -> str:
        """Return why a file is not to be edited; empty if it may be."""
        path = reading.files[file][0]
        if path.is_symlink():
            return f"it is written in {file}, which is a link: mend the file that it leads to"
        if not path.resolve().is_relative_to(self.folder):
            return f"it is written in {file}, which lies outside of {self.folder.name}"
        if ".terraform" in path.relative_to(self.folder).parts:
            return f"it is written in {file}, which `terraform init` has downloaded"
        return ""

    def _written(self) -> dict[str, tuple[bytes, bytes]]:
        told = {}
        for name, before in self.originals.items():
            bom = _BOM if before.startswith(_BOM) else b""
            after = bom + self.texts[name].encode()
            if after != before:
                told[name] = (before, after)
        return told


def _overlap(changes: Collection[Change], taken: Collection[Change]) -> bool:
    """Return whether some of *changes* cannot be made beside those that are *taken*."""
    return any(
        one != other
        and one.file == other.file
        and (one.start == other.start or (one.start < other.end and other.start < one.end))
        for one in changes
        if one not in taken
        for other in taken
    )


def _edited(texts: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    """Return the texts with the changes made, none of which overlap."""
    told = dict(texts)
    for file in {change.file for change in changes}:
        text, pieces, at = texts[file], [], 0
        for change in (one for one in changes if one.file == file):
            pieces += [text[at : change.start], change.text]
            at = change.end
        told[file] = "".join([*pieces, text[at:]])
    return told


def _lines(text: bytes) -> list[str]:
    return (
        text.decode().splitlines(keepends=True) if b"\r" not in text else re.findall(r"[^\n]*\n|[^\n]+", text.decode())
    )


def _edits(file: str, before: bytes, after: bytes) -> Iterator[Edit]:
    old, new = _lines(before), _lines(after)
    for kind, start, end, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield Edit(file, start + 1, _bare(old[start:end]), _bare(new[first:last]))


def _bare(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line.rstrip("\r\n") for line in lines)


def _diff(file: str, before: bytes, after: bytes) -> str:
    old, new = _lines(before), _lines(after)
    told = [f"--- a/{file}\n", f"+++ b/{file}\n"]
    # difflib's own unified diff takes lines that occur often, such as a closing brace, for changed ones
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(3):
        first, last = group[0], group[-1]
        told.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n")
        for kind, start, end, here, there in group:
            if kind == "equal":
                told += [f" {line}" for line in old[start:end]]
            else:
                told += [f"-{line}" for line in old[start:end]] + [f"+{line}" for line in new[here:there]]
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in told)


def _range(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _overwritten(file: str, text: bytes) -> str:
    """
    Return what to know of a file that a program writes; empty if it is nobody's but its reader's.

    CDK for Terraform puts what it knows of a stack under ``//`` at the top of the ``cdk.tf.json`` that it writes.
    """
    if not file.endswith(".tf.json"):
        return ""
    try:
        head = json.loads(text.decode("utf-8-sig"))["//"]["metadata"]
        stack = head.get("stackName") or Path(file).parent.name
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return (
        f"{file} is written by CDK for Terraform (stack {stack}): the next `cdktf synth` overwrites it, so change the "
        "program that it is made from too."
    )


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Write a file beside itself, and put it in its place."""
    written = ""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            written = file.name
            file.write(content)
        Path(written).chmod(mode)
        Path(written).replace(path)
    except OSError as error:
        if written:
            Path(written).unlink(missing_ok=True)
        raise WorkspaceError(
            f"{path} cannot be written: {error.strerror or error}.", hint="Mend that, and try again."
        ) from None
