"""
A misspelt or ill-typed parameter fails in the first second.

papermill accepts a name that the notebook does not have with no more than a warning, and the default then says OK. It
also guesses types: ``-p account 123456789012`` arrives as a number, without its leading zeros. The notebook itself can
see both, because papermill hands parameters over as a cell of its own: the cells that ran between the notebook's
parameters and the cell that checks are what was passed in.

One kindness: a parameter named ``account`` takes a number and fills it up to twelve digits, since everyone writes
``-p account 012345678901``.
"""

from __future__ import annotations

import ast
import difflib
import math
import reprlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from ecs_runbook.errors import ParameterError

ACCOUNT = "account"
_ACCOUNT_DIGITS = 12
_INJECTED = "# Parameters"
# papermill's own, from --inject-paths: they say where the notebook lies and ask nothing of it
_PAPERMILLS_OWN = frozenset({"PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH"})


def check(namespace: MutableMapping[str, Any], cells: Sequence[str]) -> dict[str, Any]:
    r"""
    Return the notebook's parameters as they stand, after holding them against what the notebook declares.

    Parameters
    ----------
    namespace
        The notebook's variables. ``account`` is rewritten as text if papermill turned it into a number.
    cells
        Sources of the cells that were executed, oldest first; the last one is the cell that calls this. The latest
        cell made of annotated literals (``where: str = "local"``) is the declaration, so a second *Run All* in the
        same kernel, or one after an edit, is judged by what was run last.

    Returns
    -------
    dict
        Value by name, in the order of the declaration; empty where no cell declares any.

    Raises
    ------
    ParameterError
        If a name was passed that is not declared, or a value does not fit its annotation. Every fault is named at once.

    Examples
    --------
    >>> names = {"where": "local", "rule": "nightly"}
    >>> check(names, ['where: str = "local"  # local or aws', "begin()"])
    {'where': 'local'}
    >>> check(names, ['where: str = "local"', '# Parameters\nwher = "aws"', "begin()"])
    Traceback (most recent call last):
        ...
    ecs_runbook.errors.ParameterError: There is no parameter "wher"; did you mean "where"? The parameters are: where.
    """
    earlier = list(cells[:-1])
    at = declaration(cells)
    if at is None:
        return {}
    annotations = declared(earlier[at])
    faults = [
        _unknown(name, annotations)
        for source in earlier[at + 1 :]
        for name in injected(source)
        if name not in annotations
    ]
    values: dict[str, Any] = {}
    for name, annotation in annotations.items():
        values[name] = _account(name, annotation, namespace.get(name))
        faults += [f"{name} = {_short(values[name])}: {fault}" for fault in _faults(name, values[name], annotation)]
    if faults:
        raise ParameterError(
            " ".join(_sentence(fault) for fault in faults), hint=f"The parameters are: {', '.join(annotations)}."
        )
    namespace.update({name: values[name] for name in values if name in namespace})
    return values


def declaration(cells: Sequence[str]) -> int | None:
    """Return the index of the latest cell before the last one that declares parameters, or None."""
    return next((index for index in reversed(range(len(cells) - 1)) if declared(cells[index])), None)


def declared(source: str) -> dict[str, str]:
    r"""
    Return the annotation by name of a cell made of annotated literals and nothing else; empty for any other cell.

    Examples
    --------
    >>> declared('where: str = "local"  # local or aws\nminutes: int = 5')
    {'where': 'str', 'minutes': 'int'}
    >>> declared('where: str = "local"\nprint(where)')
    {}
    """
    found: dict[str, str] = {}
    for statement in _statements(source):
        if not (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and _is_literal(statement.value)
        ):
            return {}
        found[statement.target.id] = ast.unparse(statement.annotation)
    return found


def injected(source: str) -> Iterator[str]:
    """Yield the names that a cell of papermill's assigns; none for any other cell."""
    if not source.lstrip().startswith(_INJECTED):
        return
    for statement in _statements(source):
        if isinstance(statement, ast.Assign):
            yield from (
                target.id
                for target in statement.targets
                if isinstance(target, ast.Name) and target.id not in _PAPERMILLS_OWN
            )


def _statements(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError):  # a cell with a magic, or with a null byte, declares nothing
        return []


def _is_literal(value: ast.expr | None) -> bool:
    try:
        ast.literal_eval(value or ast.Name("nothing"))
    except (ValueError, TypeError):
        return False
    return True


def _unknown(name: str, annotations: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name.lower(), annotations, n=1)
    return f'There is no parameter "{name}"' + (f'; did you mean "{near[0]}"?' if near else ".")


def _sentence(fault: str) -> str:
    return fault if fault.endswith((".", "?")) else f"{fault}."


def _account(name: str, annotation: str, value: Any) -> Any:
    """Return an account's number as the text that AWS means, with the zeros that papermill dropped."""
    if name == ACCOUNT and annotation == "str" and type(value) is int and 0 <= value < 10**_ACCOUNT_DIGITS:
        return f"{value:0{_ACCOUNT_DIGITS}d}"
    return value


def _faults(name: str, value: Any, annotation: str) -> list[str]:
    choices = [part.strip() for part in annotation.split("|")]
    if value is None and "None" in choices:
        return []
    judges = [choice for choice in choices if choice != "None"]
    if len(judges) != 1 or judges[0] not in _JUDGES:
        known = ", ".join(_JUDGES)
        return [f"its annotation {annotation} cannot be checked; one of {known}, or one of them with | None, can"]
    fault = _JUDGES[judges[0]](name, value)
    return [fault] if fault else []


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return ""
    return (
        f"wanted text, got {_kind(value)}; with papermill, pass it with -r to keep it text: -r {name} {_plain(value)}"
    )


def _whole(name: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return ""
    return f"wanted a whole number, got {_kind(value)}; with papermill: -p {name} 5"


def _number(name: str, value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return ""
    return f"wanted a number, got {_kind(value)}; with papermill: -p {name} 0.5"


def _yes_or_no(name: str, value: Any) -> str:
    return (
        "" if isinstance(value, bool) else f"wanted True or False, got {_kind(value)}; with papermill: -p {name} True"
    )


def _list(name: str, value: Any) -> str:
    return (
        ""
        if isinstance(value, list)
        else f'wanted a list, got {_kind(value)}; with papermill, pass it with -y: -y "{name}: [a, b]"'
    )


def _mapping(name: str, value: Any) -> str:
    return (
        ""
        if isinstance(value, dict)
        else f'wanted a mapping, got {_kind(value)}; with papermill, pass it with -y: -y "{name}: {{key: value}}"'
    )


def _list_of_texts(name: str, value: Any) -> str:
    return _list(name, value) or _texts(value, dict(enumerate(value)) if isinstance(value, list) else {})


def _mapping_of_texts(name: str, value: Any) -> str:
    return _mapping(name, value) or _texts(value, value) or _texts(value, {key: key for key in value})


def _texts(_: Any, items: Mapping[Any, Any]) -> str:
    """Name the first item that is not text, which YAML makes of 5, true or 2026-11-24 without being asked."""
    for where, item in items.items():
        if not isinstance(item, str):
            return f"wanted text in every place, got {_kind(item)} at {where!r}; in YAML, put it in quotes: '{item}'"
    return ""


def _short(value: Any) -> str:
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = 60
    return shortener.repr(value)


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    kinds = {
        bool: "True or False",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return kinds.get(type(value), f"a {type(value).__name__}")


def _plain(value: Any) -> str:
    text = str(value)
    return text if text and not any(sign in text for sign in " '\"$\\") else f"'{text}'"


_JUDGES: dict[str, Callable[[str, Any], str]] = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "bool": _yes_or_no,
    "list": _list,
    "list[str]": _list_of_texts,
    "dict": _mapping,
    "dict[str, str]": _mapping_of_texts,
}
