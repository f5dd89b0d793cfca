"""
moto's answer to a call: by its Flask application, or straight by its handler where that is the only one there is.

Nearly all services have one handler, whatever the path; Flask around it takes a third of a call's time.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError
from moto.core.responses import BaseResponse
from werkzeug.test import run_wsgi_app

from ecs_runbook.local_aws import wire
from ecs_runbook.local_aws.refusals import refusal
from ecs_runbook.local_aws.world import Answer

_LOG = logging.getLogger(__name__)
_CONTENT_TYPE = "text/html; charset=utf-8"  # Flask's, where moto names none


def moto_answer(backend: Any, environ: dict[str, Any], asked: wire.Asked | None) -> Answer:
    """
    Return moto's answer; what it does not know, or fails at, is an answer too.

    Parameters
    ----------
    backend
        moto's Flask application of the service.
    asked
        What the request asks for, if that could be read.
    """
    try:
        handler = handler_of(backend) if asked is not None and "HTTP_CONTENT_ENCODING" not in environ else None
        return _by_handler(handler, asked) if handler is not None and asked is not None else _by_flask(backend, environ)
    except NotImplementedError as error:
        # 501 is not retried by AWS's SDKs, so that a client hears at once what moto lacks.
        return refusal(asked, 501, "NotImplemented", f"The local AWS does not know this operation: {error}")
    except Exception as error:  # noqa: BLE001
        _LOG.exception("moto failed")
        return refusal(asked, 500, "InternalFailure", f"The local AWS failed: {type(error).__name__}: {error}")


@functools.cache
def handler_of(backend: Any) -> Callable[..., Any] | None:
    """Return the one handler that a service of moto has for all its paths; None if it has several."""
    handlers = {view.callback for view in backend.view_functions.values() if hasattr(view, "callback")}
    if len(handlers) != 1 or len(handlers) != len({getattr(one, "__func__", None) for one in handlers}):
        return None
    handler: Callable[..., Any] = handlers.pop()
    return handler if getattr(handler, "__func__", None) is BaseResponse.dispatch.__func__ else None


def _by_handler(handler: Callable[..., Any], asked: wire.Asked) -> Answer:
    request = asked.request
    try:
        result = handler(request, request.raw_url, dict(request.headers))
    except ClientError as error:
        result = 400, {}, error.response["Error"]["Message"]
    status, headers, body = result if isinstance(result, tuple) and len(result) == 3 else (200, {}, result)
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    return Answer(int(status), _listed(headers), content)


def _listed(headers: Mapping[str, Any]) -> list[tuple[str, str]]:
    listed = [(str(name), str(value)) for name, value in headers.items()]
    typed = any(name.lower() == "content-type" for name, _ in listed)
    return listed if typed else [("Content-Type", _CONTENT_TYPE), *listed]


def _by_flask(backend: Any, environ: dict[str, Any]) -> Answer:
    chunks, status, headers = run_wsgi_app(backend, environ, buffered=True)
    return Answer(int(status.split(" ", 1)[0]), list(headers), b"".join(chunks))
