"""ECS's account settings. Expectations are from botocore's documentation and aws-behaviour.md §1.12."""

import pytest
from local_world import ACCOUNT, LocalWorld, allow, arn, refused

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
TAG = "tagResourceAuthorization"


@pytest.fixture(scope="module")
def world(server):
    return LocalWorld(server)


def listed(ecs, **asked):
    return {one["name"]: one["value"] for one in ecs.list_account_settings(**asked)["settings"]}


def test_tagging_is_authorized_in_a_new_account(world):
    (setting,) = world.ecs.list_account_settings(name=TAG, effectiveSettings=True)["settings"]
    assert (setting["value"], setting["principalArn"]) == ("on", ROOT)


def test_what_nobody_set_is_told_as_in_force_only(world):
    assert listed(world.ecs, name="awsvpcTrunking") == {}
    assert listed(world.ecs, name="awsvpcTrunking", effectiveSettings=True) == {"awsvpcTrunking": "disabled"}


def test_at_most_ten_come_at_once(world):
    first = world.ecs.list_account_settings(effectiveSettings=True)
    rest = world.ecs.list_account_settings(effectiveSettings=True, nextToken=first["nextToken"])
    assert len(first["settings"]) == 10
    assert "nextToken" not in rest
    names = [one["name"] for one in first["settings"] + rest["settings"]]
    assert TAG in names
    assert len(names) == len(set(names))


def test_an_unknown_setting_is_refused(world):
    with refused("InvalidParameterException", "There is no account setting taggingAuthorization."):
        world.ecs.put_account_setting_default(name="taggingAuthorization", value="off")


def test_a_roles_own_setting_goes_before_the_accounts(world):
    credentials, session = world.session(allow("ecs:*", "*"))
    ecs = world.client("ecs", credentials)
    ecs.put_account_setting(name="containerInsights", value="enabled")
    assert listed(ecs, name="containerInsights") == {"containerInsights": "enabled"}
    assert listed(world.ecs, name="containerInsights", effectiveSettings=True) == {"containerInsights": "disabled"}
    (own,) = ecs.list_account_settings(name="containerInsights", effectiveSettings=True)["settings"]
    assert own["principalArn"] == f"arn:aws:iam::{ACCOUNT}:role/{session.split('/')[1]}"
    ecs.delete_account_setting(name="containerInsights")
    assert listed(ecs, name="containerInsights", effectiveSettings=True) == {"containerInsights": "disabled"}


def test_where_tagging_needs_no_authorization_runtask_tags_without_it(world):
    definition = world.register()["taskDefinitionArn"]
    credentials, session = world.session(allow("ecs:RunTask", "*"))
    ecs, tags = world.client("ecs", credentials), [{"key": "team", "value": "night"}]
    message = (
        f"User: {session} is not authorized to perform: ecs:TagResource on resource: {arn('task/default/*')} "
        "because no identity-based policy allows the ecs:TagResource action"
    )
    with refused("AccessDeniedException", message):
        world.run(definition, ecs=ecs, tags=tags)
    world.ecs.put_account_setting_default(name=TAG, value="off")
    assert world.run(definition, ecs=ecs, tags=tags)["tasks"]
    world.ecs.put_account_setting_default(name=TAG, value="on")
