"""Judge an adoption before anything is applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ecs_runbook.adopt.kept import Kept
from ecs_runbook.adopt.mends import PINNED
from ecs_runbook.verdicts.verdict import Check

if TYPE_CHECKING:
    from ecs_runbook.adopt.adopt import Adoption
    from ecs_runbook.adopt.planned import Judged
    from ecs_runbook.adopt.rewriters import Who

_TOLD = 10


def judge_adoption(adoption: Adoption, judged: Judged, who: Who, kept: Kept | None = None) -> list[Check]:
    """
    Judge an adoption.

    Parameters
    ----------
    adoption, judged
        From :func:`~ecs_runbook.adopt.adopt.adopt_in_terraform` and :func:`~ecs_runbook.adopt.planned.read_plan`.
    who
        From :func:`~ecs_runbook.adopt.rewriters.who_rewrites`.
    kept
        From :func:`~ecs_runbook.adopt.kept.kept_in`.

    Returns
    -------
    list of Check
        ``adopt-ready``: NG if the plan does more or less than to import all and change what was chosen.
        ``adopt-mends``: SKIP if a chosen mend finds no place. ``adopt-left-out``: SKIP if something
        is not adopted. ``adopt-rewritten``: NG if another tool writes revisions into a target that is un-pinned.
        ``adopt-patched``, where files make some of it: SKIP if an edit is not written, or a mend finds no place there.
    """
    kept = kept or Kept()
    name = adoption.name
    checks = [_ready(adoption, judged, name, kept), _mends(adoption, name), _left_out(adoption, kept)]
    return [*checks, _rewritten(adoption, who, kept), *_patched(kept)]


def _patched(kept: Kept) -> Iterator[Check]:
    if kept.patch is None:
        return
    name = ", ".join(one.label for one in kept.here)
    because = "; ".join([str(kept), *kept.left])
    if kept.left or (kept.diff and not kept.wrote):
        mend = "Read the diff, then run this again with apply_patch = True; what finds no place, mend by hand."
        yield Check("adopt-patched", name, "SKIP", because, mend)
    else:
        yield Check("adopt-patched", name, "OK", because, "Plan and apply them where they are applied.")


def _ready(adoption: Adoption, judged: Judged, name: str, kept: Kept) -> Check:
    if not adoption.things:
        why = "your own files make all of it" if kept.here else "nothing can be adopted"
        return Check("adopt-ready", name, "OK" if kept.here else "SKIP", f"nothing is left to import: {why}")
    if not judged.ready:
        told = [f"{one} ({one.because})" for one in judged.unchosen]
        told += [f"{one} is not imported" for one in judged.missing]
        told += [f"it would {one}" for one in judged.other]
        told += [f"{one} is not in the plan" for one in judged.absent]
        told += [f"no argument is written for {one}, and an update would drop that" for one in judged.dropped]
        mend = "Do not apply it. Leave the one out that it names, or mend that by hand first."
        return Check("adopt-ready", name, "NG", _few(told), mend)
    count = len(adoption.differences)
    because = f"the plan imports all {len(judged.imported)} resources, and changes "
    because += f"the {count} chosen attribute{'' if count == 1 else 's'} and nothing else" if count else "nothing"
    same: dict[tuple[str, str], list[str]] = {}
    for one in judged.same:
        same.setdefault((one.attribute.rpartition(".")[2], one.because), []).append(one.address)
    said = [f"it writes down {name} of {_counted(some)}: {why}" for (name, why), some in same.items()]
    said += adoption.told
    said += [f"no argument is written for {one}; nothing touches it now" for one in adoption.written.lost]
    return Check("adopt-ready", name, "OK", _few([because, *said]), "20_apply applies this very plan.")


def _few(told: Sequence[object]) -> str:
    more = f"; and {len(told) - _TOLD} more, in the receipt" if len(told) > _TOLD else ""
    return "; ".join(map(str, told[:_TOLD])) + more


def _counted(addresses: Sequence[str]) -> str:
    return addresses[0] if len(addresses) == 1 else f"{addresses[0]} and {len(addresses) - 1} more"


def _mends(adoption: Adoption, name: str) -> Check:
    if adoption.not_mended:
        because = _few(adoption.not_mended)
        return Check("adopt-mends", name, "SKIP", because, "Mend these by hand, or choose fewer mends.")
    count = len(adoption.differences)
    because = (
        f"{count} difference{' was' if count == 1 else 's were'} chosen, each has its place"
        if count
        else "no difference was asked for, or needed"
    )
    return Check("adopt-mends", name, "OK", because)


def _left_out(adoption: Adoption, kept: Kept) -> Check:
    left = [*kept.left_out, *adoption.left_out]
    if not left:
        return Check("adopt-left-out", adoption.name, "OK", "nothing was left out")
    mend = "The rest goes on without these; mend them where they are owned, or ask as somebody who may look."
    return Check("adopt-left-out", adoption.name, "SKIP", _few(left), mend)


def _rewritten(adoption: Adoption, who: Who, kept: Kept) -> Check:
    if who.unknown:
        mend = "Ask as somebody who may call cloudtrail:LookupEvents, or look at your deploys yourself."
        return Check("adopt-rewritten", adoption.name, "SKIP", str(who), mend)
    if not who.rewriters:
        return Check("adopt-rewritten", adoption.name, "OK", str(who))
    unpinned = {one.of for one in adoption.differences if one.mend == PINNED}
    if any(one.mend == PINNED for one in (kept.patch.mended if kept.patch else ())):
        unpinned |= {of for thing in kept.here for of in thing.places}
    undone = any(one.of in unpinned for one in who.rewriters)
    because = str(who) + (": un-pinning in Terraform alone will be undone at its next deploy" if undone else "")
    mend = "Take the step out of that tool that writes the target: a target without a revision needs none."
    return Check("adopt-rewritten", adoption.name, "NG" if undone else "SKIP", because, mend)
