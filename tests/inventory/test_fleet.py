"""Which accounts and Regions are looked at, how they are entered, and what is said of those that cannot be."""

import pytest
from paper_aws import ACCOUNT, REGION, Paper, PaperAws, refused

from ecs_runbook.errors import SessionError
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.model import Place

OTHER = "444455556666"
THIRD = "777788889999"


@pytest.fixture
def paper():
    return Paper()


def test_by_itself_it_is_the_account_and_region_that_were_connected_to_and_nothing_is_asked(paper):
    places = fleet(PaperAws(paper))
    assert places.places == places.asked == (Place(ACCOUNT, REGION),)
    assert (places.gaps, paper.calls) == ((), {})


def test_regions_that_are_named_are_not_asked_for(paper):
    places = fleet(PaperAws(paper), regions=["us-east-1", "eu-west-1", "us-east-1"])
    assert [place.region for place in places.places] == ["eu-west-1", "us-east-1"]
    assert places.at(Place(ACCOUNT, "us-east-1")).region == "us-east-1"
    assert paper.calls == {}


@pytest.mark.parametrize("regions", ["all", ["all"], ["all", "eu-west-1"]])
def test_all_regions_are_those_that_are_enabled_in_each_account(paper, regions):
    paper.regions = ["us-east-1", "eu-west-1"]
    accounts = [{"account": ACCOUNT}, {"account": OTHER, "role": "audit"}]
    places = fleet(PaperAws(paper), regions=regions, accounts=accounts)
    assert len(places.places) == 4
    assert paper.calls == {"ec2:DescribeRegions": 2, "sts:AssumeRole": 1} == places.gate.counts


def test_regions_that_may_not_be_listed_are_a_gap_and_ones_own_is_looked_at(paper):
    paper.fail("ec2:DescribeRegions", refused("UnauthorizedOperation", "You are not authorized."))
    places = fleet(PaperAws(paper), regions="all")
    assert places.places == (Place(ACCOUNT, REGION),)
    (gap,) = places.gaps
    assert (str(gap), gap.subject) == ("the caller needs ec2:DescribeRegions", "all Regions")


def test_a_role_is_assumed_once_for_all_regions_of_an_account_with_its_external_id(paper):
    accounts = [{"account": OTHER, "role": "path/audit", "external_id": "secret"}]
    places = fleet(PaperAws(paper), regions=["us-east-1", "eu-west-1"], accounts=accounts)
    assert [place.account for place in places.places] == [OTHER, OTHER]
    (asked,) = [parameters for _, name, parameters in paper.asked if name == "sts:AssumeRole"]
    assert asked == {"RoleArn": f"arn:aws:iam::{OTHER}:role/path/audit", "ExternalId": "secret"}


def test_the_accounts_of_an_organisation_are_those_that_are_active_and_ones_own_needs_no_role(paper):
    paper.accounts = [f"{number:012}" for number in range(1, 31)] + [ACCOUNT]
    suspended = {"Accounts": [{"Id": THIRD, "Status": "SUSPENDED"}, {"Id": OTHER, "State": "ACTIVE"}]}
    places = fleet(PaperAws(paper), organisation_role="audit")
    assert len(places.places) == 31
    assert (paper.calls["organizations:ListAccounts"], paper.calls["sts:AssumeRole"]) == (2, 30)

    paper.fail("organizations:ListAccounts", suspended)
    assert [place.account for place in fleet(PaperAws(paper), organisation_role="audit").places] == [OTHER]


def test_an_account_that_cannot_be_entered_is_a_gap_in_each_region_and_the_others_are_entered(paper):
    words = f"User: u is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{OTHER}:role/audit"
    paper.fail(
        "sts:AssumeRole",
        refused("AccessDenied", words, status=403),
        when=lambda place, _: place[0] == OTHER,
        always=True,
    )
    accounts = [{"account": OTHER, "role": "audit"}, {"account": THIRD, "role": "audit"}]
    places = fleet(PaperAws(paper), regions=["us-east-1", "eu-west-1"], accounts=accounts)
    assert {place.account for place in places.places} == {THIRD}
    assert len(places.asked) == 4
    assert [(gap.place, gap.operation, gap.denied) for gap in places.gaps] == [
        (Place(OTHER, "us-east-1"), "sts:AssumeRole", True),
        (Place(OTHER, "eu-west-1"), "sts:AssumeRole", True),
    ]
    assert words in places.gaps[0].because


def test_an_organisation_that_may_not_be_listed_is_a_gap_and_ones_own_account_is_looked_at(paper):
    paper.fail("organizations:ListAccounts", refused("AccessDeniedException", "no"), always=True)
    places = fleet(PaperAws(paper), organisation_role="audit")
    assert places.places == (Place(ACCOUNT, REGION),)
    (gap,) = places.gaps
    assert (str(gap), gap.subject) == (
        "the caller needs organizations:ListAccounts",
        "the accounts of the organisation",
    )


def test_an_organisation_whose_list_breaks_off_is_a_gap_and_what_was_listed_is_looked_at(paper):
    first = {"Accounts": [{"Id": OTHER, "Status": "ACTIVE"}], "NextToken": "again"}
    paper.fail("organizations:ListAccounts", first, always=True)
    places = fleet(PaperAws(paper), organisation_role="audit")
    assert {place.account for place in places.places} == {OTHER, ACCOUNT}
    assert "RepeatedPageToken" in places.gaps[0].because


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"regions": ["Frankfurt"]}, "regions = 'Frankfurt' is not the name of a Region."),
        ({"regions": "eu-west-2, us-east-1"}, "regions = 'eu-west-2, us-east-1' is not the name of a Region."),
        ({"accounts": [{"account": 444455556666}]}, "accounts[0]: account 444455556666 needs a role"),
        ({"accounts": [{"account": "4444"}]}, "accounts[0]: account = '4444' is not an account id."),
        ({"accounts": [{"acount": OTHER}]}, "accounts[0] = {'acount': '444455556666'} is not known."),
        ({"accounts": [OTHER]}, "accounts[0] = '444455556666' is not known."),
        ({"accounts": [{"account": OTHER}]}, f"needs a role, since {ACCOUNT} is the account that asks"),
        (
            {"accounts": [{"account": OTHER, "role": f"arn:aws:iam::{THIRD}:role/audit"}]},
            f"role = 'arn:aws:iam::{THIRD}:role/audit' is not of account {OTHER}",
        ),
        ({"accounts": [{"account": OTHER, "role": "a b"}]}, "role = 'a b' is not the name of a role."),
        (
            {"accounts": [{"account": ACCOUNT}, {"account": ACCOUNT}]},
            "accounts[1]: account 111122223333 is named twice.",
        ),
        ({"accounts": [{"account": ACCOUNT}], "organisation_role": "audit"}, "are both given"),
        ({"organisation_role": "arn:aws:iam::444455556666:role/audit"}, "organisation_role"),
    ],
)
def test_what_is_not_what_its_name_says_is_refused_before_anything_is_asked(paper, wanted, words):
    with pytest.raises(SessionError) as told:
        fleet(PaperAws(paper), **wanted)
    assert words in told.value.message
    assert told.value.hint
    assert paper.calls == {}


def test_another_partition_is_kept(paper):
    fleet(PaperAws(paper, partition="aws-cn"), accounts=[{"account": OTHER, "role": "audit"}])
    (asked,) = [parameters for _, name, parameters in paper.asked if name == "sts:AssumeRole"]
    assert asked["RoleArn"] == f"arn:aws-cn:iam::{OTHER}:role/audit"


def test_the_local_aws_has_no_rates_and_aws_has(paper):
    from ecs_runbook.session import LOCAL_PACE

    aws = PaperAws(paper)
    assert fleet(aws).gate.limited
    aws.pace = LOCAL_PACE
    assert not fleet(aws).gate.limited


def test_of_many_places_not_all_keep_their_clients(paper, monkeypatch):
    left = []
    monkeypatch.setattr(PaperAws, "forget_clients", lambda self: left.append(self.region))
    few = fleet(PaperAws(paper), regions=["us-east-1", "eu-west-1"])
    few.leave(few.places[0])
    assert left == []
    many = fleet(
        PaperAws(paper),
        regions=[f"eu-west-{number}" for number in range(10)] + [f"us-east-{number}" for number in range(10)],
    )
    many.leave(many.places[0])
    assert left == ["eu-west-0"]
