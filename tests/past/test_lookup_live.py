"""CloudTrail's own history of an account with every kind of fault, against what one schedule's own evidence says."""

import pytest
from sown import sow

from ecs_runbook.evidence.owners import all_rules
from ecs_runbook.evidence.runs import runs
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.local_aws import process
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import LookupEvents
from own_aws import aws, home, server  # noqa: F401

SAME = ["time", "requested", "executed", "task", "role"]


@pytest.fixture(scope="module")
def since(server, aws):  # noqa: F811
    process.clock(server, freeze=True)
    begun = aws.now()
    sow(aws.client, account=aws.account, region=aws.region, rules=40, schedules=0, seed=7, share=0.5, due=aws.now())
    process.clock(server, advance="52m")
    return begun


def test_lookups_of_all_tell_of_each_rule_what_its_own_evidence_tells(aws, since):  # noqa: F811
    events, places = aws.client("events"), fleet(aws)
    known = all_rules(events=events, ask=Asking())
    place = (aws.account, aws.region)
    found = past_runs(LookupEvents(places), since=since, until=aws.now(), known={place: known})
    clients = {name: aws.client(name) for name in ("ecs", "events", "cloudtrail")}
    seen = 0
    for rule in known:
        own = runs(rule.name, since=since, until=aws.now(), **clients)
        own = own[own["source"].str.contains("CloudTrail")].assign(time=own["time"].dt.floor("s"))
        mine = found[found["schedule"] == rule.name]
        assert mine[SAME].values.tolist() == own[SAME].values.tolist(), rule.name
        refused = mine[mine["status"].isin(["REFUSED", "FAILED TO START"])]
        assert list(refused["error"]) == list(own.loc[own["source"] == "CloudTrail", "error"])
        sure = mine[mine["state"] != "UNKNOWN"].set_index("run")
        assert (sure["state"] == own.set_index("run")["state"].reindex(sure.index)).all()
        seen += len(mine)
    assert seen >= 10
    assert set(found["status"]) >= {"ACCEPTED", "REFUSED"}


def test_a_table_says_who_was_asked_and_how_often(aws, since):  # noqa: F811
    (asked,) = past_runs(LookupEvents(fleet(aws)), since=since, until=aws.now()).attrs["asked"]
    assert asked["source"] == f"LookupEvents in {aws.account}/{aws.region}"
    assert asked["answered"]
    assert asked["calls"] >= 3
