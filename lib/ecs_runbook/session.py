"""
The only maker of clients: which AWS is spoken to, and the proof that it is the one that was named.

``where="local"`` insists on this machine: the endpoint is a loopback address, and no credentials, profile, endpoint,
proxy or other AWS setting of the environment is read. ``where="aws"`` insists on an account id and compares it with
``sts:GetCallerIdentity`` before anything else.
"""

from __future__ import annotations

import hashlib
import html
import ipaddress
import os
import platform
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from ecs_runbook import workspace
from ecs_runbook.errors import AccountMismatch, AwsError, LocalAwsError, NotLoopback, SessionError
from ecs_runbook.local_aws import process

if TYPE_CHECKING:
    import boto3
    from botocore.credentials import RefreshableCredentials

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d")
_ROLE = re.compile(r"arn:[\w-]+:iam::(?P<account>[0-9]{12}):role/[\w+=,.@/-]+", re.ASCII)
_SESSION_NAME = "ecs-runbook"
# botocore's sessions are not made for several threads; their clients are.
_MAKING = threading.RLock()
_FOREIGN = "address-"

LOCAL_KEY = "local"
"""Access key id and secret of the local AWS: what no real account would take."""


@dataclass(frozen=True)
class Pace:
    """
    How fast this AWS may be asked, and how long it takes to notice a change.

    ``settle_seconds``: until a new rule is heeded. ``poll_seconds``: between two looks. ``lookups_per_second``:
    CloudTrail's LookupEvents for an account and Region. ``patience_seconds``: how long an outcome may take.
    ``published_rates``: whether AWS's published rates hold.
    """

    settle_seconds: float
    poll_seconds: float
    lookups_per_second: float
    patience_seconds: float
    published_rates: bool = True


LOCAL_PACE = Pace(
    settle_seconds=0, poll_seconds=0.1, lookups_per_second=1000, patience_seconds=60, published_rates=False
)
AWS_PACE = Pace(settle_seconds=30, poll_seconds=3, lookups_per_second=2, patience_seconds=900)
"""LookupEvents: 2 a second for an account and Region (AWS docs). A new rule "might not be immediately invoked"
(AWS docs); the 30 seconds are our choice."""


@dataclass(frozen=True)
class Aws:
    """
    One AWS: an account, a Region, and who is asking.

    Attributes
    ----------
    where
        ``local`` or ``aws``.
    account, region
        The account that answered, 12 digits, and the Region that is asked.
    caller
        ARN of the identity that asks.
    endpoint
        Where every call goes to, or None for AWS's own endpoints.
    profile
        The profile of the person's AWS configuration, or an empty text.
    life
        Names the life of the local AWS, whose state is in memory: a restarted one has another. Empty on AWS.
    pace
        How fast it may be asked.
    answer_seconds
        0: its clients try again by themselves, and wait for an answer as long as botocore does. Else each call is made
        once, and given up after so many seconds without an answer: for one who counts and repeats calls himself.
    """

    where: Literal["local", "aws"]
    account: str
    region: str
    caller: str
    endpoint: str | None
    profile: str
    life: str
    pace: Pace
    _session: boto3.Session = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    answer_seconds: float = 0

    def client(self, service: str) -> Any:
        """Return the boto3 client of *service*, made once; several threads may use it."""
        client = self._clients.get(service)
        if client is None:
            with _MAKING:
                client = self._clients.get(service) or _client(
                    self._session, service, self.region, self._own_endpoint, answer_seconds=self.answer_seconds
                )
                self._clients[service] = client
        return client

    def forget_clients(self) -> None:
        """Let go of the clients, which are large; the next that is asked for is made anew."""
        self._clients.clear()

    def elsewhere(
        self,
        *,
        region: str = "",
        role: str = "",
        external_id: str = "",
        answer_seconds: float | None = None,
        ask: Callable[..., Any] | None = None,
    ) -> Aws:
        """
        Return the same AWS in another Region, or in the account of a role that is assumed.

        Parameters
        ----------
        region
            The Region that is asked; this one's if left out.
        role
            ARN of a role to assume. The account in it is the one that must answer. Its session is renewed by itself.
        external_id
            What the role's trust policy asks for, if it does.
        answer_seconds
            As the attribute; this one's if left out.
        ask
            Who makes and counts the calls, ``ask("sts:AssumeRole", call, **parameters)``.

        Raises
        ------
        AwsError
            If the role may not be assumed.
        AccountMismatch
            If another account answers than the one in the role's ARN.
        SessionError
            If *region* or *role* is not what its name says.

        Notes
        -----
        ``where="local"`` stays on this machine. Needs ``sts:AssumeRole`` for *role*, and ``sts:GetCallerIdentity``,
        which every identity may call. Source: AWS docs, a role assumed by a role has a session of at most an hour.
        """
        region = _known_region(region) if region else self.region
        seconds = self.answer_seconds if answer_seconds is None else answer_seconds
        there = replace(self, region=region, answer_seconds=seconds, _clients={})
        if not role:
            return there
        account = _account_of(role)
        ask = ask or _ask
        parameters = {"RoleArn": role, "RoleSessionName": _SESSION_NAME}
        parameters |= {"ExternalId": external_id} if external_id else {}
        sts = there.client("sts")

        def renewed() -> dict[str, str]:
            told = ask("sts:AssumeRole", sts.assume_role, **parameters)["Credentials"]
            return {
                "access_key": told["AccessKeyId"],
                "secret_key": told["SecretAccessKey"],
                "token": told["SessionToken"],
                "expiry_time": told["Expiration"].isoformat(),
            }

        from botocore.credentials import RefreshableCredentials

        credentials = RefreshableCredentials.create_from_metadata(renewed(), renewed, "assume-role")
        there = replace(there, _session=_session_with(credentials, self), _clients={})
        identity = ask("sts:GetCallerIdentity", there.client("sts").get_caller_identity)
        if identity["Account"] != account:
            raise AccountMismatch(
                f"role = {role!r} is of account {account}, but {identity['Account']} answered, as {identity['Arn']}.",
                hint="Nothing was asked of it. Name a role of the account that you mean.",
            )
        return replace(there, account=account, caller=identity["Arn"], _clients=there._clients)

    @property
    def _own_endpoint(self) -> str | None:
        return self.endpoint if self.where == "local" else None  # on AWS the person's own configuration decides

    def clients(self, *services: str) -> dict[str, Any]:
        """Return the clients of *services* by name, to be handed on as arguments: ``runs(…, **aws.clients("ecs"))``."""
        return {service: self.client(service) for service in services}

    def now(self) -> datetime:
        """Return the time by this AWS's clock: the local AWS's own can be moved."""
        if self.endpoint and self.life and not self.life.startswith(_FOREIGN):
            return datetime.fromisoformat(process.health(_server_at(self.endpoint))["now"])
        return datetime.now(UTC)

    def advance(self, *, to: datetime) -> None:
        """
        Move the local AWS's clock forward to the moment *to*; whatever falls due on the way happens.

        Parameters
        ----------
        to
            Aware. The clock never goes back.

        Raises
        ------
        SessionError
            If this is not the local AWS: nobody moves AWS's clock.
        LocalAwsError
            If *to* has passed already, or the local AWS does not answer.
        """
        if self.where != "local" or not self.endpoint or not self.life or self.life.startswith(_FOREIGN):
            raise SessionError(
                f"The clock of {self._place} cannot be moved.",
                hint="Only this project's local AWS has one that can: where = 'local', without another endpoint.",
            )
        process.clock(_server_at(self.endpoint), to=to)

    def __str__(self) -> str:
        return f"{self._place} · account {self.account} · {self.region} · as {self.caller}"

    @property
    def _place(self) -> str:
        name = "the local AWS" if self.where == "local" else "AWS"
        return f"{name} at {self.endpoint}" if self.endpoint else name

    def _repr_html_(self) -> str:
        facts = {"where": self._place, "account": self.account, "Region": self.region, "you are": self.caller}
        left = 'style="text-align:left"'
        rows = (f"<tr><th {left}>{key}</th><td {left}>{html.escape(value)}</td></tr>" for key, value in facts.items())
        return f"<table>{''.join(rows)}</table>"


def connect(
    where: str = "local", *, account: str = "", region: str = "us-east-1", profile: str = "", endpoint: str = ""
) -> Aws:
    """
    Open the AWS that was named, and prove that it is the one that answers.

    Parameters
    ----------
    where
        ``local``: the local AWS of this folder, started if it does not run. ``aws``: a real account.
    account
        12 digits. Needed for ``aws``; compared with the account that answers before anything else is asked.
    region
        The Region that is asked.
    profile
        For ``aws``: a profile of the person's AWS configuration; empty for the environment's own credentials.
    endpoint
        For ``local``: the address of a local AWS that runs already, on this machine.

    Raises
    ------
    AccountMismatch
        If another account answers.
    NotLoopback
        If a local endpoint is not on this machine.
    SessionError
        If the parameters do not fit together, or there are no credentials.

    Notes
    -----
    ``aws`` needs ``sts:GetCallerIdentity``, which every identity may call.
    """
    _known_region(region)
    if account and not re.fullmatch(r"[0-9]{12}", account):
        raise SessionError(
            f"account = {account!r} is not an account id.",
            hint="An account id has 12 digits, for example 111122223333.",
        )
    if where == "local":
        return _connect_local(account, region, profile, endpoint)
    if where == "aws":
        return _connect_aws(account, region, profile, endpoint)
    raise SessionError(
        f"where = {where!r} is not known.", hint="Take 'local' for the local AWS, or 'aws' for a real account."
    )


def _known_region(region: str) -> str:
    if not _REGION.fullmatch(region):
        raise SessionError(
            f"region = {region!r} is not the name of a Region.", hint="Write it as AWS does, for example eu-west-2."
        )
    return region


def _account_of(role: str) -> str:
    found = _ROLE.fullmatch(role)
    if not found:
        raise SessionError(
            f"role = {role!r} is not the ARN of a role.",
            hint="Write it as IAM does, for example arn:aws:iam::111122223333:role/audit.",
        )
    return found["account"]


def _connect_local(account: str, region: str, profile: str, endpoint: str) -> Aws:
    if profile:
        raise SessionError(
            f"profile = {profile!r} is for where = 'aws'; the local AWS takes none.",
            hint="Leave it empty, or set where = 'aws'.",
        )
    url = require_loopback(endpoint) if endpoint else _own_local_aws()
    from botocore.exceptions import BotoCoreError

    session = _isolated_session()
    try:
        with translated("sts:GetCallerIdentity"):
            identity = _client(session, "sts", region, url).get_caller_identity()
    except BotoCoreError as error:
        hint = "Start one with `ecs-runbook local start`, or leave endpoint empty: then this folder's own is started."
        raise LocalAwsError(f"No local AWS answers at {url}: {error}", hint=hint) from error
    if account and account != identity["Account"]:
        raise AccountMismatch(
            f"account = {account!r} was named, but where = 'local' is the local AWS, account {identity['Account']}.",
            hint="Set where = 'aws' for a real account, or leave the account empty.",
        )
    return Aws("local", identity["Account"], region, identity["Arn"], url, "", _life(url), LOCAL_PACE, session)


def _connect_aws(account: str, region: str, profile: str, endpoint: str) -> Aws:
    if not account:
        raise SessionError(
            "where = 'aws' needs account, the 12 digits of the account that you mean.",
            hint="Add account = '111122223333'.",
        )
    if endpoint:
        raise SessionError(
            f"endpoint = {endpoint!r} is for where = 'local'.",
            hint="Leave it empty; a real account is asked at AWS's own endpoints.",
        )
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session(profile_name=profile or None, region_name=region)
        sts = _client(session, "sts", region, None, patient=False)
        with translated("sts:GetCallerIdentity"):
            identity = sts.get_caller_identity()
    except BotoCoreError as error:
        hint = "Sign in (aws sso login, or set AWS_PROFILE or the profile parameter), then run the notebook again."
        raise SessionError(f"account {account} could not be asked who you are: {error}.", hint=hint) from error
    if identity["Account"] != account:
        raise AccountMismatch(
            f"account = {account!r} was named, but {identity['Account']} answered, as {identity['Arn']}.",
            hint="Nothing was changed. Name the account that you mean, or sign in to it.",
        )
    configured = sts.meta.endpoint_url
    elsewhere = configured if not re.search(r"\.amazonaws\.com(\.cn)?$", urlsplit(configured).hostname or "") else None
    return Aws("aws", account, region, identity["Arn"], elsewhere, profile, "", AWS_PACE, session)


def require_loopback(endpoint: str) -> str:
    """
    Return *endpoint* if it is on this machine.

    Raises
    ------
    NotLoopback
        If it is not a plain http address of the loopback range, or of the name ``localhost``.

    Examples
    --------
    >>> require_loopback("http://localhost:5000/")
    'http://127.0.0.1:5000'
    """
    try:
        parts = urlsplit(endpoint)
        plain = (
            parts.scheme == "http"
            and not parts.username
            and not parts.query
            and not parts.fragment
            and parts.path in ("", "/")
        )
        on_this_machine = plain and parts.port and _is_loopback(parts.hostname or "")
    except ValueError:
        on_this_machine = False
    if not on_this_machine:
        raise NotLoopback(
            f"endpoint = {endpoint!r} is not on this machine.",
            hint="where = 'local' takes http://127.0.0.1:<port> alone.",
        )
    # a name could be made to mean another machine
    return endpoint.rstrip("/").replace("//localhost:", "//127.0.0.1:")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _own_local_aws() -> str:
    folder = workspace.local()
    server = process.status(folder) or process.start(folder)
    return server.url


def _life(url: str) -> str:
    try:
        return str(process.health(_server_at(url))["life"])
    except LocalAwsError:
        # another emulator on loopback: its life cannot be asked, so its address stands for it
        return _FOREIGN + hashlib.sha256(url.encode()).hexdigest()[:12]


def _server_at(url: str) -> process.Server:
    return process.Server(url, urlsplit(url).port or 80, pid=0, life="", folder=workspace.root())


def _ask(operation: str, call: Callable[..., Any], **parameters: Any) -> Any:
    with translated(operation):
        return call(**parameters)


def _session_with(credentials: RefreshableCredentials, before: Aws) -> boto3.Session:
    """Return a session like that of *before*, with other credentials."""
    import boto3
    import botocore.session

    with _MAKING:
        if before.where == "local":
            made: boto3.Session = _isolated_session()
            core = made._session
        else:
            core = botocore.session.Session(profile=before.profile or None)
            made = boto3.Session(botocore_session=core, region_name=before.region)
        # what AWS's services look like is the same for all, and large
        core.register_component("data_loader", before._session._session.get_component("data_loader"))
        core._credentials = credentials  # type: ignore[attr-defined]
    return made


def _isolated_session() -> boto3.Session:
    """Return a session that reads nothing of the environment and no AWS configuration file."""
    import boto3
    import botocore.session
    from botocore import configprovider

    known = configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    deaf = {name: (None, None, default, convert) for name, (_, _, default, convert) in known}
    deaf["config_file"] = deaf["credentials_file"] = (None, None, os.devnull, None)
    session = botocore.session.Session(session_vars=deaf)
    session.set_credentials(LOCAL_KEY, LOCAL_KEY)
    return boto3.Session(botocore_session=session)


def _client(
    session: boto3.Session,
    service: str,
    region: str,
    endpoint: str | None,
    *,
    patient: bool = True,
    answer_seconds: float = 0,
) -> Any:
    from botocore.config import Config

    once: dict[str, Any] = {
        "connect_timeout": min(answer_seconds, 5),
        "read_timeout": answer_seconds,
        "retries": {"mode": "standard", "total_max_attempts": 1},
    }
    again: dict[str, Any] = {
        "connect_timeout": 10 if patient else 5,
        "retries": {"mode": "standard", "max_attempts": 5 if patient else 2},
    }
    config = Config(
        # botocore composes its own anew, twice for each call: a twelfth of a call's time
        user_agent=_user_agent(session),
        user_agent_extra="ecs-runbook",
        max_pool_connections=32,
        **(once if answer_seconds else again),
        # a proxy of the environment must not see, nor lead away, what is meant for this machine
        proxies={} if endpoint else None,
        s3={"addressing_style": "path"} if endpoint else None,
    )
    return session.client(service, region_name=region, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]


def _user_agent(session: boto3.Session) -> str:
    """Return who asks, ``Boto3/1.43.40 Python/3.11.7``, with the application's id if the person has set one."""
    core = session._session
    name = f"{core.user_agent_name}/{core.user_agent_version} Python/{platform.python_version()}"
    application = core.get_config_variable("user_agent_appid")
    return f"{name} app/{application}" if application else name


@contextmanager
def translated(operation: str, *, hint: str = "") -> Iterator[None]:
    """
    Turn botocore's ClientError into :class:`AwsError`, with AWS's own code and words.

    Parameters
    ----------
    operation
        The call as IAM names it, ``ecs:RunTask``.
    hint
        The next thing to do.
    """
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        raise AwsError(
            operation, answer.get("Code", "Unknown"), answer.get("Message", str(error)), hint=hint
        ) from error
