"""The accounts and Regions that are looked at: found, entered, and asked through one gate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ecs_runbook.errors import AwsError, SessionError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.gate import Gate, gap_of
from ecs_runbook.inventory.model import Gap, Place
from ecs_runbook.session import Aws

ALL = "all"
ANSWER_SECONDS = 20.0
"""A call is given up after so long without an answer, and made once more."""
PLACES_AT_ONCE = 16
_KEYS = ("account", "role", "external_id")


@dataclass(frozen=True)
class Account:
    """An account to look at: its 12 digits, and the ARN of the role to assume there, if it is not one's own."""

    id: str
    role: str = ""
    external_id: str = ""


@dataclass(frozen=True)
class Fleet:
    """
    Accounts and Regions, each ready to be asked.

    Attributes
    ----------
    places
        Those that could be entered.
    gate
        Every call goes through it.
    gaps
        What could not be entered or listed, each with its place.
    asked
        Every place that was asked for, also those that could not be entered.
    """

    places: Sequence[Place]
    gate: Gate
    gaps: Sequence[Gap] = ()
    asked: Sequence[Place] = ()
    _entered: Mapping[Place, Aws] = field(default_factory=dict, repr=False)

    def at(self, place: Place) -> Aws:
        """Return the AWS of *place*; its calls are to be made by :meth:`ask`."""
        return self._entered[place]

    def ask(self, place: Place) -> Asking:
        """Return who makes the calls in *place*, through the gate."""
        return self.gate.ask(place)

    def leave(self, place: Place) -> None:
        """Nothing is asked in *place* for now: of many places, not all can keep their clients, 3 MB each."""
        if len(self.places) > PLACES_AT_ONCE:
            self._entered[place].forget_clients()


def fleet(
    aws: Aws,
    *,
    regions: str | Sequence[str] = (),
    accounts: Sequence[Mapping[str, str]] = (),
    organisation_role: str = "",
    gate: Gate | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> Fleet:
    """
    Enter the accounts and Regions that are to be looked at.

    Parameters
    ----------
    aws
        Who asks, from :func:`connect`.
    regions
        Names of Regions; ``"all"`` for those that are enabled in each account; its own Region if left out.
    accounts
        Each a mapping: ``account``, 12 digits; ``role``, name or ARN of the role to assume there, left out for the
        account that *aws* is in; ``external_id``, if the role asks for one.
    organisation_role
        Name of a role to assume in every active account of the organisation.
    gate
        Who makes, paces and counts the calls.
    answer_seconds
        How long to wait for the answer to one call.

    Returns
    -------
    Fleet
        An account that cannot be entered is a gap, and the others are looked at all the same. Where an organisation's
        accounts cannot be listed, those that were, and one's own, are.

    Raises
    ------
    SessionError
        If a Region, an account or a role is not what its name says.

    Notes
    -----
    Needs ``ec2:DescribeRegions`` for all Regions, ``sts:AssumeRole`` for other accounts, ``organizations:ListAccounts``
    for an organisation.
    """
    gate = gate or Gate(limited=aws.pace.published_rates)
    wanted = _regions(regions)
    if accounts and organisation_role:
        raise SessionError(
            "accounts and organisation_role are both given.",
            hint="Name the accounts, or the role that every account of the organisation has.",
        )
    if organisation_role.startswith("arn:"):
        raise SessionError(
            f"organisation_role = {organisation_role!r} is the ARN of a role in one account.",
            hint="Give its name alone: every account of the organisation has a role of that name.",
        )
    own = aws.elsewhere(answer_seconds=answer_seconds)
    gaps: list[Gap] = []
    if organisation_role:
        listed = _organisation(own, organisation_role, gate, gaps)
    else:
        listed = _accounts(accounts, own) or [Account(own.account)]
    return _entered(own, listed, wanted, gate, gaps)


def _entered(own: Aws, listed: Sequence[Account], wanted: Sequence[str], gate: Gate, gaps: list[Gap]) -> Fleet:
    entered: dict[Place, Aws] = {}
    asked: list[Place] = []
    named = [own.region] if not wanted else [region for region in wanted if region != ALL]
    for account, answer in gate.side_by_side(
        lambda one: _inside(own, one, wanted, gate), listed, workers=PLACES_AT_ONCE
    ):
        if isinstance(answer, AwsError):
            places = [Place(account.id, region) for region in named or [own.region]]
            asked += places
            gaps += [gap_of(answer, place=place, subject=f"account {account.id}") for place in places]
            continue
        there, gap = answer
        asked += there
        entered |= there
        gaps += [gap] if gap else []
    return Fleet(tuple(sorted(entered)), gate, tuple(gaps), tuple(sorted(set(asked))), entered)


def _inside(own: Aws, account: Account, wanted: Sequence[str], gate: Gate) -> tuple[dict[Place, Aws], Gap | None]:
    """Return the Regions of one account, and what could not be learnt about them."""
    here = Place(account.id, own.region)
    aws, gap = own, None
    if account.role:
        aws = own.elsewhere(role=account.role, external_id=account.external_id, ask=gate.ask(here))
    regions = [region for region in wanted if region != ALL] or ([] if wanted else [own.region])
    if ALL in wanted:
        try:
            regions = sorted({*regions, *_enabled(aws, gate.ask(here))})
        except AwsError as error:
            gap = gap_of(error, place=here, subject="all Regions")
            regions = regions or [own.region]
    return {Place(account.id, region): aws.elsewhere(region=region) for region in regions}, gap


def _enabled(aws: Aws, ask: Asking) -> list[str]:
    told = ask("ec2:DescribeRegions", aws.client("ec2").describe_regions)
    return [str(one["RegionName"]) for one in told.get("Regions", [])]


def _organisation(own: Aws, role: str, gate: Gate, gaps: list[Gap]) -> list[Account]:
    """Return the active accounts, and one's own where they cannot be listed."""
    here, list_accounts = Place(own.account, own.region), own.client("organizations").list_accounts
    active: set[str] = set()
    try:
        for page in gate.ask(here).pages("organizations:ListAccounts", list_accounts):
            active |= {
                str(one["Id"])
                for one in page.get("Accounts", [])
                if (one.get("State") or one.get("Status") or "ACTIVE") == "ACTIVE"
            }
    except AwsError as error:
        gaps.append(gap_of(error, place=here, subject="the accounts of the organisation"))
        active.add(own.account)
    # whoever asks is in one of them already
    return [Account(one, "" if one == own.account else _role(role, one, own)) for one in sorted(active)]


def _accounts(told: Sequence[Mapping[str, str]], own: Aws) -> list[Account]:
    found: dict[str, Account] = {}
    for number, one in enumerate(told):
        name = f"accounts[{number}]"
        if not isinstance(one, Mapping) or set(one) - set(_KEYS):
            raise SessionError(f"{name} = {one!r} is not known.", hint=f"It has {', '.join(_KEYS)}, and nothing else.")
        account, role = str(one.get("account", "")), str(one.get("role", "") or "")
        if not re.fullmatch(r"[0-9]{12}", account):
            raise SessionError(
                f"{name}: account = {one.get('account')!r} is not an account id.",
                hint='An account id has 12 digits, in quotes: "111122223333".',
            )
        if not role and account != own.account:
            raise SessionError(
                f"{name}: account {account} needs a role, since {own.account} is the account that asks.",
                hint="Add role, the name or ARN of a role to assume there.",
            )
        if account in found:
            raise SessionError(f"{name}: account {account} is named twice.", hint="Name it once.")
        arn = _role(role, account, own) if role else ""
        if arn and arn.split(":")[4] != account:
            raise SessionError(
                f"{name}: role = {role!r} is not of account {account}.", hint="Name a role of that account."
            )
        found[account] = Account(account, arn, str(one.get("external_id", "") or ""))
    return list(found.values())


def _role(role: str, account: str, own: Aws) -> str:
    if not re.fullmatch(r"arn:[\w-]+:iam::[0-9]{12}:role/[\w+=,.@/-]+|[\w+=,.@/-]+", role, re.ASCII):
        raise SessionError(f"role = {role!r} is not the name of a role.", hint="Give its name, or its ARN.")
    return role if role.startswith("arn:") else f"arn:{own.caller.split(':')[1]}:iam::{account}:role/{role}"


def _regions(regions: str | Iterable[str]) -> list[str]:
    listed = [regions] if isinstance(regions, str) else list(regions)
    wrong = [one for one in listed if one != ALL and not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d", str(one))]
    if wrong:
        raise SessionError(
            f"regions = {wrong[0]!r} is not the name of a Region.",
            hint="Write it as AWS does, for example eu-west-2, or all.",
        )
    return list(dict.fromkeys(one for one in listed if one))
