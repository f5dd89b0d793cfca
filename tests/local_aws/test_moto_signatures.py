"""
What the frame counts on in moto.

moto promises none of it. When a newer moto changes one, this fails here and not as an HTTP 500 in somebody's Terraform.
"""

import inspect
from importlib.metadata import version

import pytest
from moto import backends
from moto.athena.responses import AthenaResponse
from moto.cloudtrail.models import CloudTrailBackend, Trail, TrailStatus
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core import config, utils
from moto.core.base_backend import AccountSpecificBackend
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.responses import ActionResult, BaseResponse
from moto.core.routing import ServiceOperationRouter, get_service_router
from moto.core.utils import get_service_model
from moto.ec2.models import EC2Backend, security_groups, subnets, vpcs
from moto.ecs.models import EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.firehose.models import FirehoseBackend
from moto.firehose.responses import FirehoseResponse
from moto.glue.models import FakeTable, GlueBackend
from moto.iam.models import AccessKey, IAMBackend
from moto.iam.responses import IamResponse
from moto.logs.models import LogGroup, LogStream
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
from moto.s3.models import S3Backend
from moto.stepfunctions.models import StateMachine, StepFunctionBackend
from moto.stepfunctions.responses import StepFunctionResponse
from moto.sts.models import AssumedRole, STSBackend


def test_it_is_the_moto_that_was_tried():
    assert version("moto") == "5.2.5"


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (
            STSBackend.assume_role,
            "self, region_name, role_session_name, role_arn, policy, duration, external_id",
        ),
        (STSBackend.get_caller_identity, "self, access_key_id, region"),
        (STSBackend._create_access_key, "self, role"),
        (
            ResourceGroupsTaggingAPIBackend._get_resources_generator,
            "self, tag_filters, resource_type_filters, resource_arn_list",
        ),
        (Trail.check_bucket_exists, "self"),
        (Trail.description, "self, include_region"),
        (
            Trail.update,
            """self, s3_bucket_name, s3_key_prefix, sns_topic_name, include_global_service_events,
            is_multi_region_trail, enable_log_file_validation, is_organization_trail, cw_log_group_arn, cw_role_arn,
            kms_key_id""",
        ),
        (TrailStatus.start_logging, "self"),
        (TrailStatus.stop_logging, "self"),
        (TrailStatus.description, "self"),
        (CloudTrailBackend.delete_trail, "self, name"),
        (CloudTrailBackend.describe_trails, "self, include_shadow_trails"),
        (AthenaResponse.start_query_execution, "self"),
        (AthenaResponse.get_query_execution, "self"),
        (AthenaResponse.get_query_results, "self"),
        (AthenaResponse.stop_query_execution, "self"),
        (GlueBackend.create_database, "self, database_name, database_input, tags"),
        (GlueBackend.create_table, "self, database_name, table_name, table_input, open_table_format_input"),
        (GlueBackend.update_table, "self, database_name, table_name, table_input"),
        (GlueBackend.delete_table, "self, database_name, table_name"),
        (FakeTable.as_dict, "self, version"),
        (FirehoseBackend.put_s3_records, "self, delivery_stream_name, version_id, s3_destination, records"),
        (FirehoseResponse.put_record, "self"),
        (FirehoseResponse.put_record_batch, "self"),
        (LogGroup.create_log_stream, "self, log_stream_name"),
        (LogStream.put_log_events, "self, log_events"),
        (S3Backend.get_bucket, "self, bucket_name"),
        (BaseResponse.call_action, "self"),
        (BaseResponse.get_current_account, "self"),
        (ActionResult.__init__, "self, result"),
        (DomainDispatcherApplication.__init__, "self, create_app"),
        (DomainDispatcherApplication.get_application, "self, environ"),
        (create_backend_app, "service"),
        (AccountSpecificBackend.get_session, ""),
        (backends.list_of_moto_modules, ""),
        (get_service_router, "service_name"),
        (get_service_model, "service_name"),
        (ServiceOperationRouter.match, "self, request"),
        (determine_request_protocol, "service_model, content_type"),
        (vpcs.random_vpc_id, ""),
        (subnets.random_subnet_id, ""),
        (security_groups.random_security_group_id, ""),
        (
            EC2Backend.create_vpc,
            """self, cidr_block, instance_tenancy, amazon_provided_ipv6_cidr_block,
            ipv6_cidr_block_network_border_group,
            tags, is_default""",
        ),
        (
            EC2Backend.create_subnet,
            "self, vpc_id, cidr_block, ipv6_cidr_block, availability_zone, availability_zone_id, ipv6_native, tags",
        ),
        (EC2Backend.create_security_group, "self, name, description, vpc_id, tags, force, is_default"),
        (EC2Backend.create_internet_gateway, "self, tags"),
        (EC2Backend.attach_internet_gateway, "self, internet_gateway_id, vpc_id"),
        (EC2Backend.associate_route_table, "self, route_table_id, gateway_id, subnet_id"),
        (
            EC2ContainerServiceBackend.create_cluster,
            """self, cluster_name, tags, cluster_settings, configuration, capacity_providers,
            default_capacity_provider_strategy, service_connect_defaults""",
        ),
        (
            StepFunctionBackend.create_state_machine,
            """self, name, definition, roleArn, tags, publish, loggingConfiguration, tracingConfiguration,
            encryptionConfiguration, version_description, sm_type""",
        ),
        (
            StepFunctionBackend.update_state_machine,
            """self, arn, definition, role_arn, logging_configuration, tracing_configuration, encryption_configuration,
            publish, version_description""",
        ),
        (StepFunctionBackend.delete_state_machine, "self, arn"),
        (StepFunctionBackend.describe_state_machine, "self, arn"),
        (StepFunctionBackend._validate_name, "self, name"),
        (StepFunctionBackend._validate_execution_arn, "self, execution_arn"),
        (utils.iso_8601_datetime_with_milliseconds, "value"),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_a_function_takes_what_it_took(function, parameters):
    assert ", ".join(inspect.signature(function).parameters) == " ".join(parameters.split())


def test_cloudtrail_still_lacks_lookup_events():
    assert not hasattr(CloudTrailResponse, "lookup_events")


def test_athena_still_lacks_many_executions_at_once():
    assert not hasattr(AthenaResponse, "batch_get_query_execution")


def test_iam_still_lacks_the_simulator_and_ecs_the_account_settings_default():
    assert not hasattr(IamResponse, "simulate_principal_policy")
    assert not hasattr(EC2ContainerServiceResponse, "put_account_setting_default")


def test_step_functions_still_lacks_versions_and_the_check_of_a_definition():
    assert not hasattr(StepFunctionResponse, "list_state_machine_versions")
    assert not hasattr(StepFunctionResponse, "validate_state_machine_definition")
    started = inspect.signature(StateMachine).parameters
    assert {"executions", "versions", "aliases", "type"} <= set(vars(StateMachine(*["x"] * len(started))))


def test_iam_keeps_keys_and_users_by_name():
    iam = IAMBackend("aws", account_id="123456789012")
    assert (iam.access_keys, iam.users) == ({}, {})
    key = iam.create_temp_access_key()
    assert isinstance(key, AccessKey)
    assert iam.access_keys == {key.access_key_id: key}
    assert key.create_date
    assert key.user_name is None


def test_an_assumed_role_shows_its_key_and_its_name():
    assert {"access_key", "role_arn", "role_session_name"} <= set(inspect.signature(AssumedRole).parameters)
    assert {"user_id", "arn"} <= set(dir(AssumedRole))


def test_the_settings_that_are_set_are_still_read():
    assert {"iam", "lambda", "batch"} <= set(config.default_user_config)
    assert "load_aws_managed_policies" in config.default_user_config["iam"]
    assert "use_docker" in config.default_user_config["lambda"]


def test_the_protocols_are_those_that_are_known():
    assert set(PROTOCOL_PARSERS) == {"ec2", "json", "query", "rest-json", "rest-xml"}
