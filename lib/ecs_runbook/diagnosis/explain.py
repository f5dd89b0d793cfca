"""What a failure means, why, and the exact change that mends it, in the reader's own values."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from ecs_runbook.diagnosis.catalogue import Row, Verified, catalogue
from ecs_runbook.diagnosis.policies import ALLOWED, NOTHING, SAYS
from ecs_runbook.diagnosis.recognise import Fit, recognise
from ecs_runbook.diagnosis.sighting import Sighting
from ecs_runbook.diagnosis.values import clean, fill, for_diff, for_text, of_target, with_known

_LONGEST_SAID = 1200
_UNKNOWN = "A failure that the catalogue does not know"


@dataclass(frozen=True)
class Explanation:
    """
    What a sighting means.

    Attributes
    ----------
    cause
        The row's id; ``""`` if none fits.
    known
        Whether a row fits.
    title, means, remedy, check
        In words, with the reader's values: in short; what it means; the mend; how to see that it is mended.
    because
        Why this row.
    causes
        The usual causes, the likeliest first.
    diff
        The mend as a diff of Terraform; ``""`` where none applies.
    source, verified
        Where it is known from, and how well.
    also
        Ids of the other rows that fit, best first; without those that this one is a special case of, and, where AWS's
        words are known, without those that know a code alone.
    seen
        What was explained.
    mistake
        The folder in ``terraform/mistakes`` that makes it on purpose; ``""`` if there is none.
    """

    cause: str
    known: bool
    title: str
    means: str
    because: str
    causes: tuple[str, ...]
    remedy: str
    diff: str
    check: str
    source: str
    verified: Verified
    also: tuple[str, ...]
    seen: Sighting
    mistake: str = ""

    @property
    def said(self) -> str:
        """What AWS said, on one line and harmless."""
        told = ": ".join(part for part in (self.seen.code, self.seen.message) if part)
        return clean(told, _LONGEST_SAID) or "nothing"

    def __str__(self) -> str:
        lines = [self.title, f"  {self._told} said: {self.said}"]
        lines += (
            [f"  What it means: {self.means}", f"  Why this one: {self.because}."]
            if self.known
            else [f"  {self.means}"]
        )
        lines += ["  Usual causes, the likeliest first:"] if self.causes else []
        lines += [f"    {number}. {cause}" for number, cause in enumerate(self.causes, 1)]
        lines += [f"  Mend: {self.remedy}"] if self.remedy else []
        lines += [f"    {line}".rstrip() for line in self.diff.splitlines()]
        lines += [f"  Mended when: {self.check}"] if self.check else []
        lines += [f"  It could also be: {self._others}"] if self.also else []
        lines += [f"  Source: {self.source} ({self.verified})"] if self.known else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{_esc(self.title)}</b></p>", f"<p>{_esc(self._told)} said: <code>{_esc(self.said)}</code></p>"]
        parts.append(f"<p>{_esc(self.means)}</p>")
        if self.known:
            parts.append(f"<p><i>Why this one:</i> {_esc(self.because)}.</p>")
        if self.causes:
            items = "".join(f"<li>{_esc(cause)}</li>" for cause in self.causes)
            parts.append(f"<p>Usual causes, the likeliest first:</p><ol>{items}</ol>")
        parts += [f"<p><b>Mend:</b> {_esc(self.remedy)}</p>"] if self.remedy else []
        parts += [lines_of_code(self.diff.splitlines())] if self.diff else []
        parts += [f"<p><b>Mended when:</b> {_esc(self.check)}</p>"] if self.check else []
        parts += [f"<p>It could also be: {_esc(self._others)}</p>"] if self.also else []
        parts += [f"<p><small>Source: {_esc(self.source)} ({_esc(self.verified)})</small></p>"] if self.known else []
        return f"<div>{''.join(parts)}</div>"

    @property
    def _others(self) -> str:
        titles = {row.id: fill(row.title, {}) for row in catalogue()} if self.also else {}
        return "; ".join(f"{titles[one]} ({one})" for one in self.also)

    @property
    def _told(self) -> str:
        at = f" at {self.seen.time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.seen.time else ""
        return f"{clean(self.seen.told_by, 40)}{at}"


def explain(seen: Sighting, **known: Any) -> Explanation:
    """
    Explain one failure.

    Parameters
    ----------
    seen
        One of :func:`~ecs_runbook.diagnosis.sighting.sightings`.
    known
        What the reader knows besides, to be named in the mend: any fact of a sighting by its name (``rule``, ``role``,
        ``task_definition`` …); ``target``, the target as EventBridge's ListTargetsByRule or Scheduler's GetSchedule has
        it; ``policy``, the policies of the role, which tell apart what AWS's words do not: documents, or
        :class:`~ecs_runbook.diagnosis.policies.RolePolicies`. Empty ones are ignored.

    Returns
    -------
    Explanation
        With ``known`` False where no row of the catalogue fits: what AWS said is shown as it is.

    Examples
    --------
    >>> seen = Sighting("CloudTrail", None, "InvalidParameterException", "TaskDefinition is inactive")
    >>> told = explain(seen, rule="nightly")
    >>> told.cause, told.mistake, "rule nightly" in told.diff
    ('revision-inactive', 'deregistered_revision', True)
    >>> explain(Sighting("CloudTrail", None, "ClientException", "Something new.")).known
    False
    """
    facts = with_known(seen.facts, known)
    fits = recognise(replace(seen, facts=facts))
    if not fits:
        return _unknown(seen)
    as_now = any(name in of_target(known.get("target"), seen.facts) for name in fits[0].row.when)
    told = _of(fits[0], fits[1:], facts, seen)
    return replace(told, because=f"{told.because}, as the target is now") if as_now else told


def explain_all(seen: Iterable[Sighting]) -> list[Explanation]:
    """
    Explain several failures, in their order; 10,000 take seconds.

    Examples
    --------
    >>> explain_all([])
    []
    """
    return [explain(one) for one in seen]


def _of(best: Fit, others: Iterable[Fit], facts: Mapping[str, Any], seen: Sighting) -> Explanation:
    row, words = best.row, bool(best.score.words)
    values = for_text({**best.holes, **facts})
    return Explanation(
        cause=row.id,
        known=True,
        title=fill(row.title, values),
        means=fill(row.means, values),
        because=clean(best.because + _besides(row, facts), 600),
        causes=tuple(fill(cause, values) for cause in row.causes),
        remedy=fill(row.remedy, values),
        diff=fill(row.diff, for_diff(values)),
        check=fill(row.check, values),
        source=row.source,
        verified=row.verified,
        also=tuple(fit.row.id for fit in others if fit.row.id not in row.general and bool(fit.score.words) >= words),
        seen=seen,
        mistake=row.mistake,
    )


def _besides(row: Row, facts: Mapping[str, Any]) -> str:
    """Return what else the reader has to know before taking the row's words for granted."""
    words = ""
    if facts.get("containers_disagree") and "containers_disagree" not in row.when:
        words += f"; another container ended with 0, so if {facts.get('container') or 'this one'} is not essential, the"
        words += " run was a good one"
    if facts.get("policy_says") in (ALLOWED, NOTHING) and "policy_says" not in row.when:
        words += f"; {SAYS[str(facts['policy_says'])]}"
    caller = str(facts.get("caller") or "")
    if caller and ":assumed-role/" not in caller and not facts.get("service"):
        words += f"; it was called by {caller}, not by EventBridge: that one's policies count where a role is spoken of"
    return words + _tries(facts)


def _tries(facts: Mapping[str, Any]) -> str:
    attempts, exhausted = str(facts.get("retry_attempts") or ""), facts.get("exhausted")
    if exhausted:
        return f"; it was given up after {attempts or 'several'} retries ({exhausted})"
    return f"; it was retried {attempts} times" if attempts not in ("", "0") else ""


def _unknown(seen: Sighting) -> Explanation:
    return Explanation(
        cause="",
        known=False,
        title=_UNKNOWN,
        means="No row of the catalogue fits what AWS said, so nothing is guessed. What was read is shown as it is.",
        because="",
        causes=(),
        remedy="",
        diff="",
        check="",
        source="",
        verified="not verified",
        also=(),
        seen=seen,
    )


# -------- HTML


def _esc(text: str) -> str:
    return html.escape(text)


_PRE = "background:#f6f8fa;padding:0.5em;margin:0.3em 0;line-height:1.35;text-align:left;overflow-x:auto"
_MARKS = {"-": "#ffebe9", "+": "#dafbe1"}


def lines_of_code(lines: Iterable[str]) -> str:
    """Return *lines* as HTML, with those of a diff that go red and those that come green."""
    shown = []
    for line in lines:
        mark = _MARKS.get(line[:1])
        shown.append(f'<span style="background:{mark}">{_esc(line)}</span>' if mark else _esc(line))
    return f'<pre style="{_PRE}">{chr(10).join(shown)}</pre>'
