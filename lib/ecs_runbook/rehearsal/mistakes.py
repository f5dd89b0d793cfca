"""
The mistakes: what their folders say of them, and the story of each.

A folder's README is the one place for what people write, what AWS answers and how it is mended; the story is what has
to happen besides, between the apply and the firing, for the mistake to show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from ecs_runbook.errors import ParameterError, SessionError, WorkspaceError
from ecs_runbook.terraform import folders

Chapter = Literal["revision", "IAM", "launch and network", "schedule"]
CHAPTERS: tuple[Chapter, ...] = ("revision", "IAM", "launch and network", "schedule")

Shows = Literal["refused", "stopped", "stale", "hour", "dead letter", "apply"]
"""
Where a mistake shows itself: RunTask is refused; the task stops before its program begins; an older revision runs; it
runs at another hour; the dead-letter queue alone tells; the apply fails.
"""


@dataclass(frozen=True)
class Registers:
    """The deploy pipeline registers the family's next revision, as it would without Terraform."""

    container: str = "main"
    task_role: bool = False  # it names a role of its own for the program: <name>-task


@dataclass(frozen=True)
class Deregisters:
    """The oldest ACTIVE revision goes: a pipeline that tidies up, or Terraform's own destroy."""


Event = Registers | Deregisters


@dataclass(frozen=True)
class Story:
    """
    What happens to a mistake, besides being applied and fired.

    Attributes
    ----------
    chapter
        Where it stands in the notebook.
    shows
        Where it shows itself.
    before
        What happened before it was applied.
    deploy
        What happens between the apply and the firing.
    again
        What happens between the mend and the second firing.
    why
        Why this has to happen, for the reader; empty where nothing has to.
    """

    chapter: Chapter
    shows: Shows = "refused"
    before: Sequence[Event] = ()
    deploy: Sequence[Event] = ()
    again: Sequence[Event] = ()
    why: str = ""


STORIES: Mapping[str, Story] = {
    "pinned_revision": Story(
        "revision",
        "stale",
        deploy=(Registers(),),
        again=(Registers(),),
        why="A deploy registers the next revision before the firing, and one more after the mend.",
    ),
    "deregistered_revision": Story(
        "revision",
        deploy=(Registers(), Deregisters()),
        again=(Registers(),),
        why="A deploy registers the next revision and deregisters the old one; after the mend it registers one more.",
    ),
    "destroy_before_create": Story(
        "revision",
        deploy=(Deregisters(),),
        why="The firing falls into the moment in which Terraform has deregistered the old revision, and not yet "
        "registered the next.",
    ),
    "override_of_missing_container": Story(
        "revision",
        before=(Registers(container="main"),),
        why="The revision before this one had the container main; this apply registers the one with app.",
    ),
    "bare_family_in_policy": Story("IAM"),
    "policy_pinned_to_revision": Story(
        "IAM",
        deploy=(Registers(),),
        again=(Registers(),),
        why="A deploy registers the next revision before the firing, and one more after the mend.",
    ),
    "pass_role_of_new_revision": Story(
        "IAM",
        deploy=(Registers(task_role=True),),
        again=(Registers(task_role=True),),
        why="A deploy registers a revision that names a task role; after the mend it registers one more.",
    ),
    "passed_to_service_wrong": Story("IAM"),
    "trust_wrong_service": Story("IAM", "dead letter"),
    "tag_resource_missing": Story("IAM"),
    "launch_type_left_out": Story("launch and network"),
    "ec2_on_empty_cluster": Story("launch and network"),
    "no_network_configuration": Story("launch and network"),
    "subnet_and_group_in_two_vpcs": Story("launch and network"),
    "no_way_to_registry": Story("launch and network", "stopped"),
    "cron_both_day_fields": Story("schedule", "apply"),
    "cron_meant_in_jst": Story("schedule", "hour"),
}
"""Every folder of ``terraform/mistakes`` has one, in the order in which the notebook tells them."""


@dataclass(frozen=True)
class Mistake:
    """
    A mistake as its folder tells it.

    Attributes
    ----------
    name, folder, story
        The folder's name, the folder, and what happens besides.
    title, people_write, aws_answers
        Of its README.
    letter_by_letter
        What AWS says: the last text in backticks of its README's second line; ``<…>`` stands for a value of one's own.
    diff
        The mend.
    """

    name: str
    folder: Path
    story: Story
    title: str
    people_write: str
    aws_answers: str
    letter_by_letter: str
    diff: str

    @property
    def rule(self) -> str:
        """The name under which the rehearsal makes it: of the rule, and of the family."""
        return self.name.replace("_", "-")

    def expects(self, said: str) -> bool:
        """Tell whether *said* is what AWS answers according to the README, letter by letter."""
        return bool(pattern(self.letter_by_letter).fullmatch(said))


def pattern(words: str) -> re.Pattern[str]:
    """
    Return *words* as a pattern: every letter as it stands, ``<name>`` for any value without a blank.

    The same name twice is the same value. An ellipsis at the end stands for words that differ from time to time.

    Examples
    --------
    >>> bool(pattern("<family>:<revision> is no <family>").fullmatch("nightly:7 is no nightly"))
    True
    >>> bool(pattern("<family> is no <family>").fullmatch("nightly is no daily"))
    False
    """
    known: set[str] = set()
    parts = []
    for part in re.split(r"(<[a-z]+>|…$)", words):
        if re.fullmatch(r"<[a-z]+>", part):
            name = part[1:-1]
            parts.append(f"(?P={name})" if name in known else rf"(?P<{name}>\S+?)")
            known.add(name)
        elif part == "…":
            parts.append(".*")
        else:
            parts.append(re.escape(part))
    return re.compile("".join(parts), re.DOTALL)


_README = re.compile(
    r"# (?P<title>[^\n]+)\n\n"
    r"\*\*People write\*\* (?P<write>[^\n]+)\n\n"
    r"\*\*AWS answers\*\* (?P<answers>[^\n]+)\n\n"
    r"\*\*The mend\*\*\n\n```diff\n(?P<diff>.+?)\n```\n",
    re.DOTALL,
)


def read_readme(name: str, text: str) -> dict[str, str]:
    r"""
    Return what a mistake's README says: ``title``, ``write``, ``answers``, ``diff``, and ``said``, letter by letter.

    Raises
    ------
    WorkspaceError
        If it is not written as a mistake's README is.

    Examples
    --------
    >>> text = "# T\n\n**People write** a\n\n**AWS answers** no: `No.`\n\n**The mend**\n\n```diff\n-a\n+b\n```\n"
    >>> read_readme("t", text)["said"]
    'No.'
    """
    found = _README.fullmatch(text)
    said = re.findall(r"`([^`]+)`", found["answers"]) if found else []
    if found is None or not said:
        raise WorkspaceError(
            f"the README of the mistake {name} is not written as the others are.",
            hint="A title, People write, AWS answers with the answer in backticks, The mend with a diff.",
        )
    return {**found.groupdict(), "said": said[-1]}


def every() -> dict[str, Mistake]:
    """
    Return every mistake by name, in the order of the stories.

    Raises
    ------
    WorkspaceError
        If a folder has no story, or its README is not written as the others are.
    """
    there = folders.mistakes()
    if unknown := sorted(set(there) ^ set(STORIES)):
        raise WorkspaceError(
            f"{', '.join(unknown)}: a mistake needs a folder in terraform/mistakes and a story.",
            hint="Add what is missing.",
        )
    return {name: _read(name, there[name]) for name in STORIES}


def _read(name: str, folder: Path) -> Mistake:
    told = read_readme(name, (folder / "README.md").read_text(encoding="utf-8"))
    words = (told["title"], told["write"], told["answers"], told["said"], told["diff"])
    return Mistake(name, folder, STORIES[name], *words)


def choose_mistakes(names: Iterable[str] = (), *, where: str = "local") -> list[Mistake]:
    """
    Return the mistakes of these *names*, all of them if none is named, in the order of the stories.

    Raises
    ------
    ParameterError
        If a name is not known; says which are nearest.
    SessionError
        If *where* is not the local AWS: nobody makes mistakes on purpose in a real account.
    """
    if where != "local":
        raise SessionError(
            f"where = {where!r}: mistakes are made on purpose in the local AWS alone.",
            hint="Leave where = 'local'. On a real account, 50_explain_failure explains what went wrong there.",
        )
    known = every()
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in known:
            near = get_close_matches(str(name), known, n=3, cutoff=0.4)
            hint = f"The nearest are: {', '.join(near)}." if near else f"There are: {', '.join(known)}."
            raise ParameterError(f"mistakes: {name!r} is not known.", hint=hint)
    return [mistake for name, mistake in known.items() if name in wanted or not wanted]
