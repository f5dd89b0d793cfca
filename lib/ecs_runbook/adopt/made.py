"""What else somebody's own files make: a policy, a role, a state machine; it is not imported a second time."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
        return self._in_role(name, role) if kind == "aws_iam_role_policy" else ""

    def _in_role(self, name: str, role: str) -> str:
        """Return where a role holds its inline policy itself."""
        for view in self.views:
            for block in view.of("aws_iam_role"):
                held = block.values.get("inline_policy")
                names = [one.get("name") for one in held if isinstance(one, dict)] if isinstance(held, list) else []
                if (
                    names
                    and _fits(view, block.values.get("name"), role)
                    and any(_fits(view, one, name) for one in names)
                ):
                    return str(block.at("inline_policy"))
        return ""

    def _is(self, view: View, block: Block, name: str) -> bool:
        given = block.values.get(_NAMED_AFTER.get(block.type, "name"))
        if given is not None:
            return _fits(view, given, name)
        prefix = block.values.get("name_prefix")
        return _fits(view, prefix, name, whole=False) if prefix is not None else name.startswith(_PREFIX)


def _fits(view: View, value: Value, name: str, *, whole: bool = True) -> bool:
    """Say whether *value* is, or may be, *name*: what is not known may be anything, if something is known beside it."""
    pieces = parts(_name_of(view, value))
    if not any(isinstance(piece, str) and re.search(r"\w", piece) for piece in pieces):
        return False
    pattern = "".join(re.escape(piece) if isinstance(piece, str) else ".*" for piece in pieces)
    return re.fullmatch(pattern if whole else f"{pattern}.*", name) is not None


def _name_of(view: View, value: Value) -> Value:
    """Return the name that a reference to a resource comes to: of its ARN, its id and its URL too."""
    value = view.followed(value)
    if isinstance(value, Reference) and type_of(value.address) in ("aws_iam_role", "aws_iam_policy", "aws_sqs_queue"):
        found = [block.values.get("name") for block in view.find(value.address)]
        return view.followed(found[0]) if len(found) == 1 else value
    if isinstance(value, str) and re.match(r"arn:|https?:", value):
        return re.split(r"[/:]", value)[-1]
    return value
