"""
The local AWS's own routes, which no AWS has: is it there, what time is it, how late is its trail.

They answer JSON, to this machine alone: no page of another site can reach them through a browser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ecs_runbook.local_aws.clock import moment, span
from ecs_runbook.local_aws.world import Answer, World

PREFIX = "/_local/"


def answer(world: World, method: str, path: str, body: bytes) -> Answer:
    """
    Answer one of the routes.

    ``GET health``, ``POST clock`` with one of ``{"to"}``, ``{"advance"}``, ``{"freeze": true}``, ``{"release": true}``,
    ``GET settings`` and ``POST settings`` with some of :mod:`~ecs_runbook.local_aws.settings`.
    """
    routes = {
        ("GET", "health"): _health,
        ("POST", "clock"): _clock,
        ("GET", "settings"): _settings,
        ("POST", "settings"): _settings,
    }
    route = routes.get((method, path.removeprefix(PREFIX).strip("/")))
    if route is None:
        return reply(404, {"error": f"{method} {path} is no route here; GET /_local/health is."})
    try:
        return reply(200, route(world, _object(body)))
    except (ValueError, OverflowError) as error:
        return reply(400, {"error": str(error)})


def reply(status: int, content: Mapping[str, Any]) -> Answer:
    """Return *content* as an answer in JSON."""
    return Answer(status, [("Content-Type", "application/json")], json.dumps(content).encode())


def _object(body: bytes) -> dict[str, Any]:
    content = json.loads(body or b"{}")
    if not isinstance(content, dict):
        message = "the body is not a JSON object."
        raise ValueError(message)  # noqa: TRY004  every fault of the body is answered alike
    return content


def _health(world: World, _: dict[str, Any]) -> dict[str, Any]:
    return {"life": world.life, "account": world.account, **_time(world)}


def _time(world: World) -> dict[str, Any]:
    return {"now": world.clock.now().isoformat(), "frozen": world.clock.frozen}


def _clock(world: World, wanted: dict[str, Any]) -> dict[str, Any]:
    unknown = set(wanted) - {"to", "advance", "freeze", "release"}
    if unknown or len(wanted) != 1:
        message = f"one of to, advance, freeze, release is wanted, not {', '.join(sorted(wanted)) or 'nothing'}."
        raise ValueError(message)
    actions = 0
    with world.lock:
        if "to" in wanted:
            actions = world.clock.advance_to(moment(str(wanted["to"])))
        elif "advance" in wanted:
            actions = world.clock.advance_to(world.clock.now() + span(wanted["advance"]))
        elif wanted.get("freeze"):
            world.clock.freeze()
        elif wanted.get("release"):
            world.clock.release()
        return {**_time(world), "actions": actions}


def _settings(world: World, wanted: dict[str, Any]) -> dict[str, Any]:
    world.settings.change(wanted, _is_operation)
    return world.settings.shown()


def _is_operation(name: str) -> bool:
    """Say whether botocore knows the operation, ``ecs:RunTask``."""
    from botocore.exceptions import UnknownServiceError
    from moto.core.utils import get_service_model

    service, _, operation = str(name).partition(":")
    try:
        return operation in get_service_model(service).operation_names
    except (UnknownServiceError, ValueError):
        return False
