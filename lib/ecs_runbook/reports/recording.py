"""
What the cells of this kernel showed, heard from inside the kernel.

Under plain papermill and in JupyterLab alike a notebook does not know where, or whether, its outputs are saved. But
every output leaves the kernel through one door, the session that signs its messages. The recording stands at that door,
so it hears what any thread prints or displays, exactly as the front end does. (ipykernel's own hooks hear one thread
each.)
"""

from __future__ import annotations

import base64
import contextlib
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Rewrite = Callable[[str, dict[str, Any]], dict[str, Any]]

_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")


@dataclass
class Executed:
    """A cell as it ran: its source, its execution count, and its outputs in the notebook format."""

    source: str
    count: int
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def error(self) -> dict[str, Any] | None:
        """The error that ended the cell, if one did."""
        return next((output for output in self.outputs if output["output_type"] == "error"), None)


class Recording:
    r"""
    The cells since a moment, in the order in which they ran.

    Parameters
    ----------
    earlier
        Cells that ran before; their outputs went unheard.
    rewrite
        From a message's kind and content to the content that leaves the kernel instead; None: all as it is.

    Examples
    --------
    >>> recording = Recording([])
    >>> recording.take("execute_input", "request-1", {"code": "print(1)", "execution_count": 7})
    >>> recording.take("stream", "request-1", {"name": "stdout", "text": "1"})
    >>> recording.take("stream", "request-1", {"name": "stdout", "text": "\n"})
    >>> recording.cells
    [Executed(source='print(1)', count=7, outputs=[{'output_type': 'stream', 'name': 'stdout', 'text': '1\n'}])]
    """

    def __init__(self, earlier: list[Executed], rewrite: Rewrite | None = None) -> None:
        self.cells = list(earlier)
        self.rewrite = rewrite
        self._by_request: dict[str, Executed] = {}
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._to_clear: set[str] = set()
        self._lock = threading.RLock()
        self._session: Any = None

    def start(self, shell: Any, source: str, count: int) -> None:
        """Listen from now on; the cell that is running has this *source* and *count*."""
        request = shell.get_parent().get("header", {}).get("msg_id", "")
        self.take("execute_input", request, {"code": source, "execution_count": count})
        self._session = shell.display_pub.session
        self._session.send = self._overheard(self._session.send)

    def stop(self) -> None:
        """Listen no more, after what was printed has been delivered."""
        self.settle()
        if self._session is not None:
            with contextlib.suppress(AttributeError):
                del self._session.send
            self._session = None

    def settle(self) -> None:
        """Wait until what was printed so far has been heard: printing is delivered by a thread of its own."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()

    def _overheard(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def overheard(stream: Any, what: Any, content: Any = None, *args: Any, **kwargs: Any) -> Any:
            if self.rewrite is not None and isinstance(what, dict):
                what = {**what, "content": self.rewrite(what["header"]["msg_type"], what["content"])}
            elif self.rewrite is not None and isinstance(content, dict):
                content = self.rewrite(what, content)
            message = send(stream, what, content, *args, **kwargs)
            with contextlib.suppress(Exception):  # a message that is not understood must not cost the kernel its voice
                parent = message["parent_header"].get("msg_id", "")
                self.take(message["header"]["msg_type"], parent, message["content"])
            return message

        return overheard

    def take(self, kind: str, request: str, content: dict[str, Any]) -> None:
        """Take one message of *kind* that answers *request*; what belongs to no recorded cell is passed over."""
        with self._lock:
            if kind == "execute_input":
                cell = Executed(content["code"], content["execution_count"])
                self._by_request[request] = cell
                self.cells.append(cell)
            elif kind == "update_display_data":
                self._update(content)
            elif request in self._by_request:
                self._show(kind, request, self._by_request[request].outputs, content)

    def _show(self, kind: str, request: str, outputs: list[dict[str, Any]], content: dict[str, Any]) -> None:
        if kind == "clear_output":
            self._to_clear.add(request)
            if not content.get("wait"):
                self._clear(request, outputs)
            return
        output = _output(kind, content)
        if output is None:
            return
        if request in self._to_clear:
            self._clear(request, outputs)
        if kind == "stream" and outputs and outputs[-1].get("name") == output["name"]:
            outputs[-1]["text"] = _OVERWRITTEN.sub("", outputs[-1]["text"] + output["text"])
            return
        outputs.append(output)
        if display := content.get("transient", {}).get("display_id"):
            self._displays.setdefault(display, []).append(output)

    def _clear(self, request: str, outputs: list[dict[str, Any]]) -> None:
        outputs.clear()
        self._to_clear.discard(request)

    def _update(self, content: dict[str, Any]) -> None:
        for output in self._displays.get(content.get("transient", {}).get("display_id", ""), []):
            output["data"], output["metadata"] = _shown(content["data"]), content["metadata"]


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    """Return *data* as the notebook format keeps it: a picture's bytes, which are only now on their way, as text."""
    return {
        kind: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for kind, value in data.items()
    }


def _output(kind: str, content: dict[str, Any]) -> dict[str, Any] | None:
    """Return a message as the notebook format keeps it, or None for one that it does not keep."""
    if kind == "stream":
        return {"output_type": kind, "name": content["name"], "text": _OVERWRITTEN.sub("", content["text"])}
    if kind == "display_data":
        return {"output_type": kind, "data": _shown(content["data"]), "metadata": content["metadata"]}
    if kind == "execute_result":
        shown = {"data": _shown(content["data"]), "metadata": content["metadata"]}
        return {"output_type": kind, "execution_count": content["execution_count"], **shown}
    if kind == "error":
        return {"output_type": kind, **{key: content[key] for key in ("ename", "evalue", "traceback")}}
    return None
