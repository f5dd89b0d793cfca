"""
The module task_events, applied with the real provider: what ECS forgets after an hour is read from the log group and
from the bucket, joins what CloudTrail tells, and lies in an archive in S3.
"""

import shutil
from datetime import timedelta

import pytest
from scheduled_world import DAILY, ScheduledWorld

from ecs_runbook import workspace
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.past.archive import Archive, athena_tables
from ecs_runbook.past.athena_query import Queries
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import LookupEvents, Together, Window
from ecs_runbook.past.stopped_tasks import StoppedTasks
from ecs_runbook.terraform import generate
from ecs_runbook.terraform.run import Terraform
from own_aws import home, server  # noqa: F401

ROOT = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "%s" }
  }
}

provider "aws" {
  region = "%s"
}

resource "aws_s3_bucket" "kept" {
  bucket = "kept-events"
}

module "logged" {
  source = "./task_events"
  name   = "logged"
}

module "stored" {
  source     = "./task_events"
  name       = "stored"
  bucket     = aws_s3_bucket.kept.id # which only the apply tells
  use_bucket = true
}

output "places" {
  value = [module.logged.place, module.stored.place]
}
"""


@pytest.fixture(scope="module")
def world(server, home):  # noqa: F811
    """Three hours after two rules ran: one ended well, one with exit code 3, and ECS has forgotten both."""
    made = ScheduledWorld(server)
    folder = home / "build" / "events"
    folder.mkdir(parents=True)
    shutil.copytree(workspace.modules() / "task_events", folder / "task_events")
    (folder / "main.tf").write_text(ROOT % (generate.NEEDED_PROVIDER, made.aws.region))
    made.places = Terraform(folder, aws=made.aws).apply().outputs["places"]
    made.simple("nightly", DAILY)
    made.define("dying", LOCAL_AWS_EXIT_CODE=3)
    made.rule("dying", DAILY, made.target("dying", made.events_role("dying-events", "dying")))
    made.go(0, 20)
    return made


def window(world):
    until = world.aws.now()
    return Window(until - timedelta(hours=24), until)


def test_both_places_keep_the_ends_that_ecs_has_forgotten_and_they_join_the_calls(world):
    assert world.places == ["log-group:/aws/events/logged", "s3://kept-events/task-events"]
    assert world.ecs.list_tasks(cluster="default", desiredStatus="STOPPED")["taskArns"] == []
    trail, span = LookupEvents(fleet(world.aws)), window(world)
    without = past_runs(trail, since=span.since, until=span.until)
    assert set(without["status"]) == {"ACCEPTED"}
    for place in world.places:
        both = Together([trail, StoppedTasks(place, world.aws)])
        found = past_runs(both, since=span.since, until=span.until).set_index("schedule")
        assert found.loc[["dying", "nightly"], "exit_code"].tolist() == [3, 0]
        assert set(found["source"]) == {"ECS + CloudTrail"}
        assert found["seconds"].min() > 0
        same = ["requested", "executed", "latest", "state", "task", "role"]
        assert found[same].sort_index().equals(without.set_index("schedule")[same].sort_index())


def test_they_are_kept_in_an_archive_in_s3_once_and_tell_the_same(world):
    span = window(world)
    source = Together([LookupEvents(fleet(world.aws)), *(StoppedTasks(place, world.aws) for place in world.places)])
    facts = source.facts(span).facts
    archive = Archive("s3://kept-events/archive", world.aws)
    kept = archive.keep(facts)
    assert (kept.new, kept.known) == (len(facts), 0)
    assert all(one.startswith("s3://kept-events/archive/account=") for one in kept.where)
    again = archive.keep(facts)
    assert (again.new, again.known) == (0, len(facts))
    assert archive.facts(span).facts.equals(facts)
    tables = [past_runs(one, since=span.since, until=span.until) for one in (source, archive)]
    assert tables[0].to_csv() == tables[1].to_csv()


def test_athena_reads_the_archive_by_the_statements_that_were_made_and_each_fact_once(world):
    facts, place = LookupEvents(fleet(world.aws)).facts(window(world)).facts, "s3://kept-events/read"
    (first, *_) = Archive(place, world.aws).keep(facts).where
    key = first.removeprefix("s3://kept-events/")
    other = f"{key.rpartition('-')[0]}-0123456789abcdef.parquet"  # as two writers at once can leave it
    world.client("s3").copy_object(Bucket="kept-events", Key=other, CopySource=f"kept-events/{key}")
    how = {"sleep": lambda _: None, "poll_seconds": 0, "patience_seconds": 60}
    queries = Queries(world.client("athena"), Asking(), output="s3://kept-events/results/", **how)

    def ask(sql):
        done = queries.run(sql)
        assert done.state == "SUCCEEDED", done.reason
        return [row for page in queries.rows(done.id) for row in page]

    tables = athena_tables(place, facts["account"].unique(), facts["region"].unique(), database="ops")
    for statement in ("CREATE DATABASE IF NOT EXISTS ops", *tables):
        assert queries.run(statement).state == "SUCCEEDED"
    columns = ["account", "region", "what", "event_id", "item", "executed", "role", "task"]
    asked = ", ".join(f'"{name}"' for name in columns)
    told = ask(f'SELECT {asked} FROM ops.ecs_facts_once WHERE "month" = \'2027-01\' ORDER BY "event_id"')
    wanted = facts[columns].astype(str).sort_values("event_id").to_dict("records")
    assert [{name: value or "" for name, value in row.items()} for row in told] == wanted
    (row,) = ask('SELECT count(*) AS rows_there, max("time") AS last_one FROM ops.ecs_facts')
    assert int(row["rows_there"]) > len(facts)
    assert row["last_one"].startswith(f"{facts['time'].max():%Y-%m-%d %H:%M:%S}")
