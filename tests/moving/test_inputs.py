"""
What a schedule hands to the task. Expectations are from AWS docs: EventBridge, "Transforming Amazon EventBridge target
input" and the event of a scheduled rule; EventBridge Scheduler, "Adding context attributes".
"""

import json

import pytest

from ecs_runbook.moving.inputs import handed

RULE = "arn:aws:events:eu-west-2:111122223333:rule/nightly"


def environment(*values):
    """A template whose environment has these values, as they are."""
    inside = ", ".join(f'{{"name": "V{number}", "value": {value}}}' for number, value in enumerate(values))
    return f'{{"containerOverrides": [{{"name": "main", "environment": [{inside}]}}]}}'


def transformed(template, **paths):
    return handed({"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}, RULE)


def values_of(found):
    return [one["value"] for one in json.loads(found.text)["containerOverrides"][0]["environment"]]


def test_a_constant_stays_as_it_is_to_the_byte():
    text = '{ "cpu" : "256",\n "containerOverrides":[ ] }'
    assert handed({"Input": text}, RULE) == handed({"Input": text, "Id": "x"}, RULE)
    assert (handed({"Input": text}, RULE).text, handed({"Input": text}, RULE).fate) == (text, "same")
    assert handed({}, RULE).text == ""


def test_what_is_the_same_each_time_stands_there():
    found = transformed(
        environment("<zone>", '"<kind> of <account>"', '"<which>"', "<source>"),
        zone="$.region",
        kind="$.detail-type",
        account="$.account",
        which="$.resources[0]",
        source="$.source",
    )
    assert values_of(found) == ["eu-west-2", "Scheduled Event of 111122223333", RULE, "aws.events"]
    assert found.fate == "changed"


def test_its_time_and_id_are_schedulers():
    found = transformed(environment("<at>", '"id <id>"', '"<aws.events.event.ingestion-time>"'), at="$.time", id="$.id")
    time, number, arrived = values_of(found)
    assert (time, number, arrived) == (
        "<aws.scheduler.scheduled-time>",
        "id <aws.scheduler.execution-id>",
        "<aws.scheduler.scheduled-time>",
    )
    assert "its time is Scheduler's scheduled time" in found.because
    assert "its id is that of Scheduler's execution" in found.because


def test_the_rules_own_name_and_arn_stay():
    found = transformed(environment('"<aws.events.rule-name>"', "<aws.events.rule-arn>"))
    assert values_of(found) == ["nightly", RULE]


def test_a_template_without_the_event_is_a_constant():
    assert transformed('{"cpu": "256"}').fate == "same"


@pytest.mark.parametrize(
    ("template", "paths", "why"),
    [
        ('{"x": <aws.events.event.json>}', {}, "<aws.events.event.json>"),
        ('{"x": <all>}', {"all": "$"}, "$ (<all>)"),
        ('{"x": <odd>}', {"odd": "$['detail-type']"}, "$['detail-type'] (<odd>)"),
        ('{"x": <gone>}', {}, "<gone>"),
        ('"only <at>"', {"at": "$.time"}, "no JSON object"),
        ('{"x": <at>', {"at": "$.time"}, "gives no JSON"),
    ],
)
def test_what_no_schedule_can_say_is_left_out_and_named(template, paths, why):
    found = transformed(template, **paths)
    assert (found.text, found.fate) == ("", "left out")
    assert why in found.because


@pytest.mark.parametrize(
    ("path", "fate"), [("$.detail", "same"), ("$", "changed"), ("$.resources", "left out"), ("$.time", "left out")]
)
def test_a_path_into_a_scheduled_event_finds_little(path, fate):
    found = handed({"InputPath": path}, RULE)
    assert (found.text, found.fate) == ("", fate)


def test_a_constant_that_scheduler_would_fill_in_is_told():
    found = handed({"Input": '{"group": "<aws.scheduler.schedule-arn>"}'}, RULE)
    assert (found.fate, found.because[:22]) == ("changed", "Scheduler puts values ")
