"""
The local AWS's frame: one WSGI application around moto's, through which every call of every service goes.

A call is read (who, what, with what), answered by moto or by one of the rooms beside this one, and handed to the
listeners, of
which the trail is one. Calls that the local AWS makes itself, as EventBridge does, go the same way: :func:`call`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ecs_runbook.local_aws import admin
from ecs_runbook.local_aws.world import ACCOUNT, Answer, Call, World, current_call, is_loopback, world

if TYPE_CHECKING:
    from ecs_runbook.local_aws.identity import Caller
    from ecs_runbook.local_aws.wire import Asked, Scope

__all__ = ["ACCOUNT", "Answer", "Application", "Call", "World", "call", "create", "current_call", "world"]

_LOG = logging.getLogger(__name__)
# One call at a time. The rest is moto's affair; SQS would hold the lock as it polls.
_SEE_THE_CLOCK = frozenset({"cloudtrail", "ec2", "ecs", "events", "firehose", "logs", "scheduler", "stepfunctions"})
_SEE_EACH_OTHER = frozenset({"athena", "glue", "iam", "s3", "sts"})
_ONE_AT_A_TIME = _SEE_THE_CLOCK | _SEE_EACH_OTHER
_FURNISHED = frozenset({"ecs", "ec2"})
_FIRST_REGION = "us-east-1"  # where most begin: furnished while the first client is still being imported
_ROOMS = (
    "moto_fit",
    "moto_speed",
    "accounts",
    "trail",
    "furniture",
    "permissions",
    "simulation",
    "account_settings",
    "tagging",
    "clusters",
    "run_task",
    "task_life",
    "delivery",
    "rules",
    "schedules",
    "machines",
)
_LATE_ROOMS = {
    "athena": "athena",
    "firehose": "firehose",
}  # by the service whose first call they are installed for: they import much
_INVOKED_BY, _ACCOUNT = "ecs_runbook.invoked_by", "ecs_runbook.account"

_PHRASES = {one.value: one.phrase for one in HTTPStatus}
_APP: list[Application] = []


def create() -> Application:
    """Return this process's application, made at the first call; :meth:`Application.warm_up` makes it ready."""
    if not _APP:
        _APP.append(Application(world()))
    return _APP[0]


def call(
    service: str,
    operation: str,
    params: Mapping[str, Any],
    *,
    region: str,
    access_key: str,
    secret_key: str = "",
    session_token: str = "",
    user_agent: str,
    source_ip: str,
    invoked_by: str = "",
    account: str = "",
) -> tuple[int, dict[str, Any]]:
    """
    Make a call through the whole server, from inside it: judged by IAM and recorded by the trail as any other.

    Parameters
    ----------
    service, operation
        botocore's names, ``ecs`` and ``RunTask``.
    params
        In the API's casing.
    secret_key
        Not needed: the local AWS checks no signatures.
    invoked_by
        The service that makes the call in a role's name, ``events.amazonaws.com``.
    account
        For which account, if nobody's key says so.

    Returns
    -------
    tuple[int, dict]
        HTTP's status, and the operation's output; of a refusal ``{"Error": {"Code", "Message"}}``.
    """
    del secret_key
    from ecs_runbook.local_aws import wire

    environ = wire.request_for(
        service,
        operation,
        params,
        region=region,
        access_key=access_key,
        session_token=session_token,
        user_agent=user_agent,
        source_ip=source_ip,
    )
    answer = create().answer({**environ, _INVOKED_BY: invoked_by, _ACCOUNT: account})
    return answer.status, wire.answered(service, operation, answer)


class Application:
    """The WSGI application: the admin routes, then moto with the rooms around it."""

    def __init__(self, the_world: World) -> None:
        self.world = the_world
        self._ready = threading.Event()
        self._fault = ""
        self._moto: Any = None
        self._furnished: set[tuple[str, str]] = set()
        self._late = dict(_LATE_ROOMS)
        self._gate: Any = None

    def warm_up(self) -> None:
        """
        Import moto and install the rooms: what the first call waits for.

        Raises
        ------
        Exception
            Whatever a room raises; every later call is answered with it.
        """
        try:
            from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

            self._moto = DomainDispatcherApplication(create_backend_app)
            for room in _ROOMS:
                importlib.import_module(f"ecs_runbook.local_aws.{room}").install(self.world)
            self._gate = importlib.import_module("ecs_runbook.local_aws.gate").Gate(self.world)
        except Exception as error:
            self._fault = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._ready.set()
        self._furnish("ecs", self.world.account, _FIRST_REGION)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        answer = self._routed(environ)
        start_response(f"{answer.status} {_PHRASES.get(answer.status, 'Unknown')}", answer.headers)
        return [answer.body]

    def _routed(self, environ: dict[str, Any]) -> Answer:
        path = environ.get("PATH_INFO", "/")
        if (refused := _foreign(environ)) is not None:
            return refused
        if path.startswith(admin.PREFIX):
            body = _body(environ)
            return admin.answer(self.world, environ["REQUEST_METHOD"], path, body)
        # moto's own reset would leave a world without furniture, behind the trail's back
        if path.startswith("/moto-api"):
            return admin.reply(404, {"error": "moto's own routes are closed; GET /_local/health is open."})
        try:
            return self.answer(environ)
        except ConnectionError:  # that was set, and not to be answered
            raise
        except Exception as error:  # noqa: BLE001
            from ecs_runbook.local_aws.refusals import refusal

            _LOG.exception("a request could not be answered")
            return refusal(None, 500, "InternalFailure", f"The local AWS failed: {type(error).__name__}: {error}")

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Answer one call of AWS."""
        self._ready.wait()
        if self._fault:
            return admin.reply(
                500, {"__type": "InternalFailure", "message": f"The local AWS did not start: {self._fault}"}
            )
        from ecs_runbook.local_aws import wire
        from ecs_runbook.local_aws.moto_answer import moto_answer

        self.world.clock.catch_up()
        backend = self._moto.get_application(environ)
        service = wire.botocore_name(backend.service)
        self._install_late(service)
        scope = wire.scope_of(environ)
        asked = wire.asked(service, environ)
        made = self._call(service, scope, asked, environ)
        fault = self._gate.fault(made, environ.get("ecs_runbook.connection"))
        with self.world.lock if service in _ONE_AT_A_TIME else contextlib.nullcontext():
            self._furnish(service, made.caller.account, made.region)
            made.time = self.world.clock.now()
            reset = current_call.set(made)
            try:
                answer: Answer = self._gate.passed(made, asked, fault, lambda: moto_answer(backend, environ, asked))
            finally:
                current_call.reset(reset)
            if asked is not None:
                self._tell(made, asked, answer)
        return answer

    def _install_late(self, service: str) -> None:
        if service in self._late:
            with self.world.lock:
                if (room := self._late.get(service)) is not None:
                    importlib.import_module(f"ecs_runbook.local_aws.{room}").install(self.world)
                    del self._late[service]

    def _call(self, service: str, scope: Scope, asked: Asked | None, environ: Mapping[str, Any]) -> Call:
        return Call(
            service=service,
            operation=asked.model.name if asked else "",
            region=scope.region,
            caller=_caller(scope.access_key, environ.get(_ACCOUNT) or self.world.account, environ.get(_INVOKED_BY, "")),
            params=(asked.params if asked else None) or {},
            source_ip=environ.get("REMOTE_ADDR", ""),
            user_agent=environ.get("HTTP_USER_AGENT", ""),
            invoked_by=environ.get(_INVOKED_BY, ""),
            time=self.world.clock.now(),
            params_known=asked is not None and asked.params is not None,
        )

    def _furnish(self, service: str, account: str, region: str) -> None:
        if service in _FURNISHED and (account, region) not in self._furnished:
            with self.world.lock:
                if (account, region) not in self._furnished:
                    self._furnished.add((account, region))
                    for furnish in self.world.furnishers:
                        furnish(account, region)

    def _tell(self, made: Call, asked: Asked, answer: Answer) -> None:
        for listener in self.world.listeners:
            try:
                listener(made, asked, answer)
            except Exception:  # noqa: BLE001
                _LOG.exception("%s:%s was answered, but could not be recorded", made.service, made.operation)


def _caller(access_key: str, first: str, invoked_by: str) -> Caller:
    from ecs_runbook.local_aws.accounts import account_of
    from ecs_runbook.local_aws.identity import caller_of, service_of

    # A service that calls in nobody's name, as EventBridge does for AssumeRole, signs with no key of the account.
    if invoked_by and not access_key:
        return service_of(invoked_by, first)
    return caller_of(access_key, account_of(access_key, first))


def _foreign(environ: Mapping[str, Any]) -> Answer | None:
    """Refuse what another site's page sends through a browser: by its Origin, or by a name it gave this machine."""
    host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
    origin = environ.get("HTTP_ORIGIN", "")
    if not is_loopback(host) or (origin and not is_loopback(urlsplit(origin).hostname or "")):
        message = f"The local AWS answers this machine alone, not {origin or host}."
        return admin.reply(403, {"__type": "AccessDenied", "message": message})
    return None


def _body(environ: dict[str, Any]) -> bytes:
    """Read the body, and leave it for the next reader."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)
