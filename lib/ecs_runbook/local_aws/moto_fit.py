"""
Where moto is bent to fit, apart from ECS and EventBridge: what the frame needs of IAM and STS.

moto has no registry for plug-ins, so functions are replaced. A test holds the signatures that are counted on.
"""

from __future__ import annotations

import importlib
import logging
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from ecs_runbook.local_aws.accounts import forget
from ecs_runbook.local_aws.identity import root_of
from ecs_runbook.local_aws.world import World, is_loopback

_LOG = logging.getLogger(__name__)
_SESSIONS = 1_000  # every firing of a rule opens one: the oldest go, lest a year of minutes fill the memory


def install(world: World) -> None:
    """Bend moto for *world*."""
    _regions_are_read_once()
    from moto.core.config import default_user_config

    # People attach AWS's own managed policies; moto needs 80 ms to load them.
    default_user_config["iam"]["load_aws_managed_policies"] = True
    # No container of Lambda or Batch is ever started: the local AWS runs nothing.
    default_user_config["lambda"]["use_docker"] = False
    default_user_config["batch"]["use_docker"] = False
    _sessions_are_found_by_key(world)
    _an_unknown_key_is_the_root()
    _messages_bear_the_clocks_time(world)
    _nothing_leaves_this_machine()


def _regions_are_read_once() -> None:
    from moto.core.base_backend import AccountSpecificBackend

    # For the names of EC2's regions moto makes four sessions, each of which reads EC2's whole model: half the start.
    boto3: Any = importlib.import_module("boto3")
    session, ordinary = boto3.Session(), boto3.Session
    AccountSpecificBackend.get_session = classmethod(lambda _: session)
    try:
        boto3.Session = lambda: session
        importlib.import_module("moto.ec2.models")
    finally:
        boto3.Session = ordinary


def _messages_bear_the_clocks_time(world: World) -> None:
    """Date what SNS delivers by the world's clock; SNS is imported later, when somebody needs it."""
    from moto.core import utils

    written = utils.iso_8601_datetime_with_milliseconds
    utils.iso_8601_datetime_with_milliseconds = lambda value=None: written(value or world.clock.now())


def _nothing_leaves_this_machine() -> None:
    """
    Send nothing to another machine, whoever asks for it.

    moto posts what SNS delivers to the address of a subscription; the local AWS speaks to nobody but this machine.
    """
    import requests
    from requests.adapters import HTTPAdapter

    send = HTTPAdapter.send

    def sent(self: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        if is_loopback(urlsplit(request.url).hostname or ""):
            return send(self, request, *args, **kwargs)
        _LOG.warning("%s is not this machine: the local AWS sends nothing there", request.url)
        unsent = requests.Response()
        unsent.status_code, unsent.request, unsent.url = 503, request, request.url
        return unsent

    HTTPAdapter.send = sent  # type: ignore[method-assign]


def _sessions_are_found_by_key(world: World) -> None:
    from moto.iam.models import iam_backends
    from moto.sts.models import STSBackend

    original = STSBackend.assume_role

    def assume_role(self: STSBackend, *args: Any, **kwargs: Any) -> Any:
        session = original(self, *args, **kwargs)
        now = world.clock.now()
        session.access_key.session = session
        session.access_key.create_date = now
        # Never before its time by the client's own clock, though the world's may stand still.
        lasts = timedelta(seconds=kwargs.get("duration") or 3600)
        session.expiration = max(session.expiration, now.replace(tzinfo=None) + lasts)
        keys = iam_backends[session.account_id][self.partition].access_keys
        while len(self.assumed_roles) > _SESSIONS:
            gone = self.assumed_roles.pop(0).access_key_id
            keys.pop(gone, None)
            forget(gone)
        return session

    STSBackend.assume_role = assume_role


def _an_unknown_key_is_the_root() -> None:
    from moto.sts.models import STSBackend

    original = STSBackend.get_caller_identity

    def get_caller_identity(self: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
        user_id, arn, account = original(self, access_key_id, region)
        if arn.endswith(":user/moto"):
            root = root_of(account, access_key_id, self.partition)
            return root.principal_id, root.arn, account
        return user_id, arn, account

    STSBackend.get_caller_identity = get_caller_identity
