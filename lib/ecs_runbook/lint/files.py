"""One file, read: HCL or JSON, by its name."""

from __future__ import annotations

import pickle
from pathlib import Path

from ecs_runbook.lint.grammar import Fault, tree_of
from ecs_runbook.lint.json_files import JsonFault, json_body
from ecs_runbook.lint.nodes import body_of, template
from ecs_runbook.lint.spans import LISTENS, Spans
from ecs_runbook.lint.spelling import spelled
from ecs_runbook.lint.syntax import RawFile

LARGEST_BYTES = 20_000_000
TOO_DEEP = "it is nested too deeply to be read"


def read_file(path: Path, name: str) -> RawFile:
    """
    Read one ``.tf``, ``.tfvars`` or ``.json`` file; what cannot be read is said in ``broken``.

    Parameters
    ----------
    path
        Where it is.
    name
        What it is called in what is told of it.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return RawFile(name, broken=(0, f"it is larger than {LARGEST_BYTES // 1_000_000} MB and was not read"))
        raw = path.read_bytes()
    except OSError as error:
        return RawFile(name, broken=(0, f"it cannot be read: {error.strerror or error}"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return RawFile(name, broken=(line, "it is not UTF-8, which Terraform reads only"))
    return read_text(text, name)


def read_text(text: str, name: str) -> RawFile:
    """
    Read the text of a file; its name's end says whether it is HCL or JSON.

    Examples
    --------
    >>> read_text("a = 1 # one", "main.tf").comments
    [(1, 'one')]
    >>> read_text("a = {", "main.tf").broken
    (1, 'the file ends where something must follow')
    """
    try:
        if name.endswith(".json"):
            body, comments = json_body(text, name, template)
            return RawFile(name, body, comments)
        spelling = spelled(text)
        return RawFile(name, body_of(tree_of(spelling).children[0], name), spelling.comments)
    except (Fault, JsonFault) as fault:
        return RawFile(name, broken=(fault.line, fault.because))
    except RecursionError:
        return RawFile(name, broken=(0, TOO_DEEP))


def read_with_spans(text: str, name: str) -> tuple[RawFile, Spans]:
    """
    Read the text of a file, and where each expression stands in it.

    Examples
    --------
    >>> text = "a = x[0] # one"
    >>> raw, spans = read_with_spans(text, "main.tf")
    >>> spans.get(raw.body.attributes["a"].value)
    Span(start=4, end=8)
    """
    spans = Spans()
    before = LISTENS.set(spans)
    try:
        return read_text(text, name), spans
    finally:
        LISTENS.reset(before)


def packed(path: Path, name: str) -> bytes:
    """Return what :func:`read_file` returns as bytes, for the way from one process to another."""
    told = read_file(path, name)
    try:
        return pickle.dumps(told, protocol=pickle.HIGHEST_PROTOCOL)
    except RecursionError:
        return pickle.dumps(RawFile(name, broken=(0, TOO_DEEP)))
