"""What else somebody's own files make: a policy, a role, a state machine; it is not imported a second time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ecs_runbook.lint.addresses import type_of
from ecs_runbook.lint.model import Block, Reference, Value
from ecs_runbook.lint.values import parts
from ecs_runbook.lint.view import View

_NAMED_AFTER = {"aws_sqs_queue_policy": "queue_url", "aws_iam_role_policy_attachment": "policy_arn"}
_PREFIX = "terraform-"


@dataclass(frozen=True)
class Makes:
    """
    What the files of a repository make.

    Attributes
    ----------
    views
        Each root module of it.
    """

    views: Sequence[View] = field(default=(), repr=False)

    def place(self, kind: str, name: str, *, role: str = "") -> str:
        """
        Return where a resource is written that is, or may be, the one of *kind* with that *name*; ``""`` if none is.

        Parameters
        ----------
        role
            Of a role's policy or an attachment: the role's name.
        """
        for view in self.views:
            for block in view.of(kind):
                if self._is(view, block, name) and (not role or _fits(view, block.values.get("role"), role)):
                    return str(block.place)
        return next((place for view in self.views for place in self._within(view, kind, name, role)), "")

    def _within(self, view: View, kind: str, name: str, role: str) -> Iterator[str]:
        """Yield where another resource holds it itself: a role its policies, a queue its own, several an attachment."""
        if kind == "aws_sqs_queue_policy":
            for block in view.of("aws_sqs_queue"):
                if block.values.get("policy") is not None and self._is(view, block, name):
                    yield str(block.at("policy"))
        held = {"aws_iam_role_policy": "inline_policy", "aws_iam_role_policy_attachment": "managed_policy_arns"}
        for block in view.of("aws_iam_role") if kind in held else ():
            told = _listed(block.values.get(held[kind]))
            names = [one.get("name") if isinstance(one, dict) else one for one in told]
            if names and self._is(view, block, role) and any(_fits(view, one, name) for one in names):
                yield str(block.at(held[kind]))
        for block in view.of("aws_iam_policy_attachment") if kind == "aws_iam_role_policy_attachment" else ():
            roles = _listed(block.values.get("roles"))
            if _fits(view, block.values.get("policy_arn"), name) and any(_fits(view, one, role) for one in roles):
                yield str(block.place)

    def _is(self, view: View, block: Block, name: str) -> bool:
        given = block.values.get(_NAMED_AFTER.get(block.type, "name"))
        if given is not None:
            return _fits(view, given, name)
        prefix = block.values.get("name_prefix")
        return _fits(view, prefix, name, whole=False) if prefix is not None else name.startswith(_PREFIX)


def _fits(view: View, value: Value, name: str, *, whole: bool = True) -> bool:
    """Say whether *value* is, or may be, *name*: what is not known may be anything, if something is known beside it."""
    told, all_of_it = _name_of(view, value)
    pieces = parts(told) if told is not None else []
    if not any(isinstance(piece, str) and re.search(r"\w", piece) for piece in pieces):
        return False
    pattern = "".join(re.escape(piece) if isinstance(piece, str) else ".*" for piece in pieces)
    return re.fullmatch(pattern if whole and all_of_it else f"{pattern}.*", name) is not None


def _name_of(view: View, value: Value) -> tuple[Value, bool]:
    """Return the name that a reference to a resource comes to, and whether it is whole: of ARN, id and URL too."""
    value = view.followed(value)
    if isinstance(value, Reference) and type_of(value.address) in ("aws_iam_role", "aws_iam_policy", "aws_sqs_queue"):
        found = view.find(value.address)
        if len(found) != 1:
            return value, True
        name, prefix = (view.followed(found[0].values.get(one)) for one in ("name", "name_prefix"))
        return (name, True) if name is not None else (prefix, False)
    if isinstance(value, str) and re.match(r"arn:|https?:", value):
        return re.split(r"[/:]", value)[-1], True
    return value, True


def _listed(value: Value) -> list[Value]:
    return list(value) if isinstance(value, list) else []
