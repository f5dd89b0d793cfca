"""What the rooms of ECS, EventBridge and IAM count on in moto: one that changes it fails here, not as an HTTP 500."""

import inspect
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def signatures():
    """moto's own, from a process in which no room of ours has replaced anything."""
    script = """
import inspect
from moto.ecs.models import EC2ContainerServiceBackend as ecs
from moto.ecs.responses import EC2ContainerServiceResponse as answers
from moto.events.models import EventsBackend as events, Rule
from moto.sts.responses import TokenResponse as sts
for whole in (ecs, answers, events, Rule, sts):
    for name, function in inspect.getmembers(whole, inspect.isfunction):
        print(f"{whole.__name__}.{name}({', '.join(inspect.signature(function).parameters)})")
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(told.stdout.splitlines())


@pytest.mark.parametrize(
    "counted_on",
    [
        "EC2ContainerServiceBackend._get_cluster(self, name)",
        "EC2ContainerServiceBackend._get_last_task_definition_revision_id(self, family)",
        "EC2ContainerServiceBackend._get_service(self, cluster_str, service_str)",
        "EC2ContainerServiceBackend.delete_task_definitions(self, task_definitions)",
        "EC2ContainerServiceBackend.deregister_task_definition(self, task_definition_str)",
        "EC2ContainerServiceBackend.describe_task_definition(self, task_definition_str)",
        (
            "EC2ContainerServiceBackend.update_container_instance_resources"
            "(self, container_instance, task_resources, removing)"
        ),
        "EC2ContainerServiceResponse.describe_tasks(self)",
        "EC2ContainerServiceResponse.list_task_definitions(self)",
        "EC2ContainerServiceResponse.list_tasks(self)",
        "EC2ContainerServiceResponse.run_task(self)",
        "EC2ContainerServiceResponse.start_task(self)",
        "EC2ContainerServiceResponse.stop_task(self)",
        "EventsBackend.delete_rule(self, name, event_bus_arn)",
        "EventsBackend.disable_rule(self, name, event_bus_arn)",
        "EventsBackend.enable_rule(self, name, event_bus_arn)",
        "EventsBackend.put_events(self, events)",
        "Rule.send_to_targets(self, original_event, transform_input)",
        "TokenResponse.assume_role(self)",
    ],
)
def test_a_function_of_moto_that_is_replaced_is_as_it_was(signatures, counted_on):
    assert counted_on in signatures


def test_put_rule_takes_the_expression_by_name(signatures):
    put_rule = next(one for one in signatures if one.startswith("EventsBackend.put_rule("))
    assert "scheduled_expression" in put_rule
    from moto.events.responses import EventsHandler

    assert "scheduled_expression=scheduled_expression" in inspect.getsource(EventsHandler.put_rule)
