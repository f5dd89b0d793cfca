"""Think out an adoption and write its folder: nothing of AWS is changed."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ecs_runbook.adopt.around import Around
from ecs_runbook.adopt.beside import Beside, beside_them
from ecs_runbook.adopt.existing import Existing, LeftOut
from ecs_runbook.adopt.machines import mended_machines
from ecs_runbook.adopt.made import Makes
from ecs_runbook.adopt.mends import Chosen, Difference, NotMended, chosen, mended
from ecs_runbook.adopt.named import named_by, table
from ecs_runbook.adopt.planned import few, shown
from ecs_runbook.adopt.writing import Written, root_module
from ecs_runbook.errors import SpecError
from ecs_runbook.evidence.runs import hidden
from ecs_runbook.moving.files import MoveFiles, folder_of
from ecs_runbook.terraform import generate

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.terraform.environment import Aws

DIFFERENCE_COLUMNS = ["mend", "of", "attribute", "before", "after"]
SUFFIX = "-adopted"
_LOSES = "no argument is written for {}, and an update would drop that"
_NO_ARN = "it names the task definition {}, and the provider takes an ARN alone: write it out by hand first"
_IN_FILES = "your own files make it, {}: mend it there"
_SHOWN = 40
_IGNORE = f""".terraform/
*.tfstate
*.tfstate.*
{generate.LOCAL_OVERRIDE}
"""
_README = """\
# {name}, adopted

{things} as AWS had them, taken into Terraform by `import` blocks{mends}

    terraform init
    terraform plan
    terraform apply

Expect the plan to import {count} resources, to {made}change what stands above, and to do nothing else. After the
apply the `import` blocks have done their work. `main.tf` names the account that it is for.
{stays}
Needs Terraform or OpenTofu, 1.6 or newer. `{override}`, if it is here, ties the folder to the local AWS:
leave it behind.
"""


@dataclass(frozen=True)
class Adoption:
    """
    What becomes Terraform.

    Attributes
    ----------
    things
        What is adopted, as AWS has it.
    differences
        What the files have otherwise, since it was chosen.
    not_mended
        What was chosen and finds no place, and why.
    left_out
        What cannot be written, and why.
    told
        What a reader has to know of the differences: who else gets them.
    text
        ``main.tf``.
    written
        Its resources by what they are of, and what no resource of the provider has an argument for.
    """

    things: tuple[Existing, ...]
    differences: tuple[Difference, ...]
    not_mended: tuple[NotMended, ...]
    left_out: tuple[LeftOut, ...]
    told: tuple[str, ...]
    text: str = field(repr=False)
    written: Written = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """One row a difference, columns :data:`DIFFERENCE_COLUMNS`; no value of an environment is shown."""
        import pandas as pd

        rows = [(one.mend, one.of, one.attribute, shown(one.before), shown(one.after)) for one in self.differences]
        return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS, dtype=str)

    @property
    def name(self) -> str:
        """How its folder is called: as the only thing, else ``all``, or ``none``."""
        return self.things[0].name if len(self.things) == 1 else "all" if self.things else "none"

    @property
    def named(self) -> pd.DataFrame:
        """One row for each thing that they name, columns ``NAMED_COLUMNS``; with its address if it is adopted too."""
        return table(named_by(self.things), self.written.along)

    def __str__(self) -> str:
        several = "" if len(self.differences) == 1 else "s"
        left = f"; {len(self.not_mended)} mends find no place" if self.not_mended else ""
        return f"{_several(self.things)}, {len(self.differences)} difference{several} chosen{left}"

    def _repr_html_(self) -> str:
        lists = {
            "Not mended, or not carried": [*self.not_mended, *self.written.lost],
            "Left out": self.left_out,
            "To know": self.told,
        }
        told = [f"<p>{head}:</p><ul>{''.join(map(_item, some))}</ul>" for head, some in lists.items() if some]
        named = self.named
        if len(named):
            told += ["<p>What they name, by its ARN; without an address it stays where it is:</p>"]
            told += [named[:_SHOWN].to_html(index=False)]
            told += [f"<p>and {len(named) - _SHOWN} more</p>"] if len(named) > _SHOWN else []
        return f"<p>{html.escape(str(self))}</p>{few(self.table)}{''.join(told)}"


def _item(one: object) -> str:
    return f"<li>{html.escape(str(one))}</li>"


class AdoptedFiles(MoveFiles):
    """The folder of an adoption; of a file, no more is shown than a person reads."""

    most_lines = 1000


def _several(things: Sequence[Existing]) -> str:
    counts = {kind: sum(one.kind == kind for one in things) for kind in ("rule", "schedule")}
    return (
        " and ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items() if count)
        or "nothing"
    )


def adopt_in_terraform(
    things: Sequence[Existing],
    around: Around,
    *,
    mend: Collection[str],
    account: str,
    region: str,
    dead_letter_queue: str = "",
    makes: Makes | None = None,
) -> Adoption:
    """
    Think out what adopts *things*: nothing is written, and AWS is not asked.

    Parameters
    ----------
    things
        From :func:`~ecs_runbook.adopt.existing.existing`.
    around
        What they name, from :func:`~ecs_runbook.adopt.around.what_they_name`.
    mend
        What shall differ, of :data:`~ecs_runbook.adopt.mends.MENDS`, for all that has what it mends; ``<mend> of
        <name>`` for one rule, target or schedule alone. Ids of checks stand for these too. Empty: nothing.
    account, region
        Where it may be applied, and nowhere else.
    dead_letter_queue
        ARN of a queue for targets that have none, if that is to be mended.
    makes
        What somebody's own files make, from :func:`~ecs_runbook.adopt.kept.kept_in`: it is not imported too.

    Raises
    ------
    SpecError
        If a mend is not known, or a queue is missing.
    """
    meant = chosen(mend, dead_letter_queue=dead_letter_queue)
    place = {"account": account, "region": region}
    kept, left_out = _writable(things, **place)
    adoption = _thought_out(kept, around, meant, makes, dead_letter_queue, place)
    losing = _losing(adoption)
    if losing and len(losing) < len(kept):
        left_out += losing
        out = {one.of for one in losing}
        rest = [one for one in kept if one.label not in out]
        adoption = _thought_out(rest, around, meant, makes, dead_letter_queue, place)
    left_out += around.along.left_out if around.along else ()
    return replace(adoption, left_out=tuple(left_out))


def _thought_out(
    things: Sequence[Existing],
    around: Around,
    meant: Chosen,
    makes: Makes | None,
    queue: str,
    place: Mapping[str, str],
) -> Adoption:
    new: list[Existing] = []
    differences: list[Difference] = []
    left: list[NotMended] = []
    for thing in things:
        whole, changes, unplaced = mended(thing, meant, around.clusters, machines=around.machines, queue=queue)
        new.append(whole)
        differences += changes
        left += unplaced
    machines, changes, unplaced = mended_machines(things, around.machines, meant)
    differences += changes
    left += unplaced
    beside, changes, unplaced, told = beside_them(new, machines, around, meant, differences, queue)
    text, written = root_module(new, beside, account=place["account"], region=place["region"], makes=makes)
    differences += changes
    left += unplaced
    left += [NotMended(one.mend, one.of, _IN_FILES.format(where)) for one, where in _elsewhere(differences, written)]
    every = tuple(one for one in differences if one.of not in written.elsewhere), tuple(left)
    return Adoption(tuple(things), *every, (), tuple(told), text, written)


def _losing(adoption: Adoption) -> list[LeftOut]:
    """Return what an update would take something from: what differs, or says more, and is not whole."""
    written = adoption.written
    updated = {written.addresses.get(one.of) for one in adoption.differences} | {
        address for address, _ in written.silent
    }
    lost = [one for one in written.lost if one.address in updated]
    return [
        LeftOut(thing.label, _LOSES.format("; ".join(f"{one.field} = {shown(one.value)}" for one in its)))
        for thing in adoption.things
        if (its := [one for one in lost if one.of in (thing.label, f"{thing.label} rule", *thing.places)])
    ]


def _elsewhere(differences: Sequence[Difference], written: Written) -> list[tuple[Difference, str]]:
    return [(one, written.elsewhere[one.of]) for one in differences if one.of in written.elsewhere]


def _writable(things: Sequence[Existing], account: str, region: str) -> tuple[list[Existing], list[LeftOut]]:
    """Return what can be written in a file, and what cannot: a text of AWS may hold what no file can."""
    kept, left = [], []
    for thing in things:
        named = [str((one.get("EcsParameters") or {}).get("TaskDefinitionArn", "arn:")) for one in thing.targets]
        if short_ones := [one for one in named if not one.startswith("arn:")]:
            left.append(LeftOut(thing.label, _NO_ARN.format(short_ones[0])))
            continue
        try:
            root_module([thing], Beside(), account=account, region=region)
        except SpecError as error:
            left.append(LeftOut(thing.label, str(error)))
        else:
            kept.append(thing)
    return kept, left


def write_adoption(adoption: Adoption, aws: Aws, *, folder: str = "") -> AdoptedFiles:
    """
    Write the folder of *adoption*, for *aws*: the root module, a README.md, and what git shall ignore.

    Parameters
    ----------
    adoption
        From :func:`adopt_in_terraform`.
    aws
        Where it may be applied, and nowhere else.
    folder
        Where it goes; ``build/<local or account>/<name>-adopted`` if empty; the name of several is ``all``, of none
        ``none``.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written to or holds what this did not write.
    """
    place = folder_of(adoption.name, aws, folder, SUFFIX)
    told = {"main.tf": adoption.text, "README.md": _readme(adoption), ".gitignore": _IGNORE}
    written = generate.put(place, {name: text.encode() for name, text in told.items()})
    written += generate.tie(place, generate.local_of(aws, place))
    return AdoptedFiles(place, tuple(sorted(path.relative_to(place).as_posix() for path in written)))


def _readme(adoption: Adoption) -> str:
    lines = [f"- {one.mend}: {one.of}, {one.attribute}" for one in adoption.differences]
    mends = ", with these differences and no other:\n\n" + "\n".join(lines) if lines else ", and nothing else."
    return _README.format(
        name=adoption.name,
        things=_several(adoption.things),
        mends=mends,
        count=len(adoption.written.addresses) - len(adoption.written.made),
        made="".join(f"make `{one}`, to " for one in sorted(adoption.written.made)),
        override=generate.LOCAL_OVERRIDE,
        stays=_stays(adoption),
    )


def _stays(adoption: Adoption) -> str:
    """Return what is named by its ARN alone, as lines of Markdown."""
    left = [one for one in named_by(adoption.things) if one.arn not in adoption.written.along]
    lines = [f"- {one.what}: `{one.arn}`" for one in left[:_SHOWN]]
    lines += [f"- and {len(left) - _SHOWN} more"] if len(left) > _SHOWN else []
    return "\nWhat stays where it is, named by its ARN:\n\n" + "\n".join(lines) + "\n" if lines else ""


def adoption_receipt(adoption: Adoption) -> Mapping[str, Any]:
    """Return *adoption* in plain values; those of environments are hidden."""
    told: Mapping[str, Any] = hidden(
        {
            "differences": adoption.table.to_dict("records"),
            "things": [
                {"kind": one.kind, "group": one.group, "told": dict(one.told), "targets": list(one.targets)}
                for one in adoption.things
            ],
            "left_out": [str(one) for one in adoption.left_out],
            "told": list(adoption.told),
            "not_mended": [str(one) for one in adoption.not_mended],
            "not_carried": [str(one) for one in adoption.written.lost],
            "named": adoption.named.to_dict("records"),
            "resources": dict(adoption.written.addresses),
        }
    )
    return told
