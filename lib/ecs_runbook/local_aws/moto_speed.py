"""
What moto finds anew for every call, found once: together more than half of a call's time.

Measured with cProfile; each line says what it spares. None changes an answer.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ecs_runbook.local_aws.world import World


def install(world: World) -> None:
    """Spare moto what it has found before."""
    del world
    _which_services_there_are()
    _which_methods_there_are()
    _where_members_stand()
    _which_role_has_a_name()
    _request_ids()


def _which_services_there_are() -> None:
    """Spare a look into moto's own folder, and two hundred patterns against a host name, twice a call."""
    from moto import backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    names = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: names
    by_host = functools.lru_cache(maxsize=1024)(DomainDispatcherApplication.get_backend_for_host)
    DomainDispatcherApplication.get_backend_for_host = lambda self, host: by_host(self, host)


def _which_methods_there_are() -> None:
    """Spare a look at every attribute of a class."""
    from moto.core import responses

    responses.method_names_from_class = functools.cache(responses.method_names_from_class)


def _where_members_stand() -> None:
    """Spare, for each member of an answer, the names under which it may stand in an object, and what changes it."""
    import xmltodict  # type: ignore[import-untyped]
    from moto.core.serialize import DEFAULT_ALIAS_PROVIDERS, XFormedAttributePicker
    from moto.core.utils import MISSING, get_value

    keys_of = XFormedAttributePicker.get_possible_keys
    known: dict[tuple[type, str, Any], tuple[str, ...]] = {}

    def keys(self: XFormedAttributePicker, context: Any) -> Iterable[str]:
        if self.alias_providers is not DEFAULT_ALIAS_PROVIDERS:
            return keys_of(self, context)  # type: ignore[no-any-return]  # moto is untyped
        asked = (type(context.obj), context.key, context.shape)
        if asked not in known:
            known[asked] = tuple(keys_of(self, context))
        return known[asked]

    def picked(self: XFormedAttributePicker, context: Any) -> Any:
        value = context.obj.get(context.key, MISSING) if type(context.obj) is dict else MISSING
        if value is MISSING:
            found = (get_value(context.obj, key, MISSING) for key in keys(self, context))
            value = next((one for one in found if one is not MISSING), None)
        if not self.response_transformers:
            return value
        change = _change(self.response_transformers, f"{context.key_path}.{context.key}")
        return change(value) if change else value

    XFormedAttributePicker.get_possible_keys = keys
    XFormedAttributePicker.__call__ = picked
    xmltodict._validate_name = functools.lru_cache(maxsize=8192)(xmltodict._validate_name)


_CHANGES: dict[tuple[int, str], tuple[Mapping[str, Any], Callable[[Any], Any] | None]] = {}


def _change(by_path: Mapping[str, Callable[[Any], Any]], path: str) -> Callable[[Any], Any] | None:
    asked = (id(by_path), path)
    if asked not in _CHANGES:  # the mapping is kept, so that its id stays its own
        _CHANGES[asked] = by_path, next((change for end, change in by_path.items() if path.endswith(end)), None)
    return _CHANGES[asked][1]


def _which_role_has_a_name() -> None:
    """Spare a walk through all roles, three times a call."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import IAMBackend, Role

    found = IAMBackend.get_role

    def get_role(self: IAMBackend, role_name: str) -> Role:
        by_name = self.__dict__.setdefault("_roles_by_name", {})
        role = by_name.get(role_name)
        if role is None or self.roles.get(role.id) is not role or role.name != role_name:
            role = by_name[role_name] = found(self, role_name)
        return role

    def get_role_by_arn(self: IAMBackend, arn: str) -> Role:
        role = get_role(self, arn.rsplit("/", 1)[-1])
        if role.arn != arn:
            raise NotFoundException(f"Role {arn} not found")
        return role

    IAMBackend.get_role, IAMBackend.get_role_by_arn = get_role, get_role_by_arn


def _request_ids() -> None:
    """Draw one number for a request's id, as AWS does, and not fifty-two."""
    from moto.core import responses

    def gen_amzn_requestid_long(headers: dict[str, Any] | None = None) -> str:
        request_id = str(uuid.uuid4())
        if headers is not None:
            headers["x-amzn-requestid"] = request_id
        return request_id

    responses.gen_amzn_requestid_long = gen_amzn_requestid_long
