"""What a target asks for, held against revision and cluster: every mistake is found, every right shape passes."""

from dataclasses import replace

import pytest
from one_row import (
    CLUSTER,
    DEFINITION,
    ECS,
    FAMILY,
    MACHINE,
    NETWORK,
    REQUEST,
    a_rule,
    a_schedule,
    facts,
    told,
)

from ecs_runbook.inventory.model import Absent, Cluster, Gap, Network

PINNED = f"{FAMILY}:7"
OLDER = replace(DEFINITION, arn=f"{FAMILY}:5", revision=5)
GONE = Absent("ECS says: Unable to describe task definition.")
DENIED = Gap("ecs:DescribeTaskDefinition", "AccessDeniedException: no", denied=True)
NO_CLUSTERS = Gap("ecs:DescribeClusters", "AccessDeniedException: no", denied=True)
NEEDS_DEFINITIONS = "the caller needs ecs:DescribeTaskDefinition"
NEEDS_CLUSTERS = "the caller needs ecs:DescribeClusters"

FARGATE_CLUSTER = Cluster(CLUSTER, "ACTIVE", ("FARGATE", "FARGATE_SPOT"), (), 0)
EC2_CLUSTER = Cluster(CLUSTER, "ACTIVE", (), (), 3)
BRIDGE = replace(DEFINITION, compatibilities=("EC2",), network_mode="bridge", cpu="", memory="")
ON_EC2 = replace(REQUEST, launch_type="EC2", network=None)
PUBLIC = replace(NETWORK, public_ip=True)


def about(check, *, request=REQUEST, cluster=FARGATE_CLUSTER, latest=DEFINITION, pinned=None, row=None):
    """What one check says: status, severity and words; None if it does not apply."""
    row = row or a_rule(request=request)
    scene = facts(row, clusters={CLUSTER: cluster}, latest={"nightly": latest}, pinned=pinned or {}, permits={})
    found = told(row, scene).get(check)
    return found and (found.status, found.severity, found.because)


# -------- which revision


@pytest.mark.parametrize(
    ("own", "latest", "said"),
    [
        (OLDER, DEFINITION, ("NG", "error", "it names nightly:5 and stays there, while 7 is the latest: 2 behind")),
        (
            DEFINITION,
            DEFINITION,
            (
                "NG",
                "warning",
                "it names nightly:7, which is the latest now; the next one that is registered will not run",
            ),
        ),
        (
            replace(OLDER, status="INACTIVE"),
            DEFINITION,
            ("NG", "error", "it names nightly:5, which is INACTIVE: ECS refuses every firing"),
        ),
        (GONE, DEFINITION, ("NG", "error", f"it names nightly:5, and there is no such revision: {GONE.because}")),
        (DENIED, DEFINITION, ("SKIP", "error", NEEDS_DEFINITIONS)),
        (OLDER, DENIED, ("SKIP", "error", NEEDS_DEFINITIONS)),
    ],
    ids=["behind", "current", "inactive", "deleted", "not told", "latest not told"],
)
def test_a_revision_that_is_named(own, latest, said):
    name = PINNED if own is DEFINITION else f"{FAMILY}:5"
    request = replace(REQUEST, definition=name)
    assert about("pinned-revision", request=request, latest=latest, pinned={name: own}) == said
    assert about("no-active-revision", request=request, latest=latest, pinned={name: own}) is None


@pytest.mark.parametrize(
    ("row", "where"),
    [
        (a_rule(), "target run of rule nightly"),
        (a_schedule(), "schedule nightly of group default"),
        (a_rule(through=MACHINE), "the state machine just-run"),
    ],
)
def test_the_mend_of_a_pinned_revision_names_what_is_to_be_changed_and_to_what(row, where):
    row = replace(row, request=replace(REQUEST, definition=PINNED))
    mend = told(row, facts(row, pinned={PINNED: DEFINITION}))["pinned-revision"].mend
    assert mend == f"Let {where} name {FAMILY}, and its role run {FAMILY}:*."


def test_a_family_alone_is_right_and_one_without_an_active_revision_is_not():
    assert about("pinned-revision") == ("OK", "error", "it names nightly without a revision")
    assert about("no-active-revision") == ("OK", "error", "a firing now would run nightly:7")
    status, severity, because = about("no-active-revision", latest=GONE)
    assert (status, severity) == ("NG", "error")
    assert because.startswith("nightly has no ACTIVE revision: ECS says")
    assert about("no-active-revision", latest=DENIED) == ("SKIP", "error", NEEDS_DEFINITIONS)


def test_what_depends_on_a_revision_that_is_not_there_says_nothing_more():
    row = a_rule(request=replace(REQUEST, overrides=("main",)))
    found = told(row, facts(row, latest={"nightly": GONE}))
    assert {check for check, finding in found.items() if finding.status != "OK"} == {"no-active-revision"}


# -------- where it runs


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (FARGATE_CLUSTER, ("OK", "error", "cluster batch is ACTIVE")),
        (Absent("MISSING"), ("NG", "error", "there is no cluster batch: MISSING")),
        (replace(FARGATE_CLUSTER, status="INACTIVE"), ("NG", "error", "cluster batch is INACTIVE")),
        (NO_CLUSTERS, ("SKIP", "error", NEEDS_CLUSTERS)),
    ],
)
def test_the_cluster(cluster, said):
    assert about("cluster-missing", cluster=cluster) == said


def with_public_ip(launch_type="", strategy=()):
    return replace(REQUEST, launch_type=launch_type, strategy=strategy, network=PUBLIC)


BY_DEFAULT_SPOT = replace(FARGATE_CLUSTER, default_strategy=("FARGATE_SPOT",))
OWN = replace(FARGATE_CLUSTER, providers=("big-ones",), default_strategy=("big-ones",))


@pytest.mark.parametrize(
    ("request_", "cluster", "status"),
    [
        (with_public_ip("FARGATE"), FARGATE_CLUSTER, "OK"),
        (with_public_ip("FARGATE"), NO_CLUSTERS, "OK"),
        (with_public_ip(strategy=("FARGATE_SPOT", "FARGATE")), FARGATE_CLUSTER, "OK"),
        (with_public_ip(), BY_DEFAULT_SPOT, "OK"),
        (with_public_ip("EC2"), EC2_CLUSTER, "NG"),
        (with_public_ip("EXTERNAL"), EC2_CLUSTER, "NG"),
        (with_public_ip(), FARGATE_CLUSTER, "NG"),
        (with_public_ip(), OWN, "NG"),
        (with_public_ip(strategy=("big-ones",)), OWN, "NG"),
        (with_public_ip(), NO_CLUSTERS, "SKIP"),
        (with_public_ip(), Absent("MISSING"), None),
        (replace(REQUEST, launch_type="EC2"), EC2_CLUSTER, None),
        (ON_EC2, EC2_CLUSTER, None),
    ],
)
def test_a_public_ip_is_for_fargate_alone(request_, cluster, status):
    said = about("launch-type-public-ip", request=request_, cluster=cluster)
    assert (said and said[0]) == status


def test_a_public_ip_where_the_launch_type_was_left_out_says_why_that_is_ec2():
    _, _, because = about("launch-type-public-ip", request=with_public_ip())
    assert because == (
        "it asks for a public IP, and it names no launch type, and the cluster has no default strategy, so that it is "
        "EC2: that is for Fargate alone"
    )


def test_instances_that_ecs_manages_are_not_taken_for_ec2():
    managed = replace(DEFINITION, compatibilities=("EC2", "FARGATE", "MANAGED_INSTANCES"))
    assert about("launch-type-public-ip", request=with_public_ip(), cluster=OWN, latest=managed) is None


@pytest.mark.parametrize(
    ("request_", "cluster", "status"),
    [
        (REQUEST, FARGATE_CLUSTER, None),
        (replace(REQUEST, launch_type="", strategy=("FARGATE",)), FARGATE_CLUSTER, None),
        (replace(REQUEST, launch_type=""), BY_DEFAULT_SPOT, None),
        (replace(REQUEST, launch_type=""), OWN, None),  # scales from nothing
        (ON_EC2, EC2_CLUSTER, "OK"),
        (replace(ON_EC2, launch_type=""), EC2_CLUSTER, "OK"),
        (replace(ON_EC2, launch_type="EXTERNAL"), EC2_CLUSTER, "OK"),
        (ON_EC2, FARGATE_CLUSTER, "NG"),
        (replace(REQUEST, launch_type=""), FARGATE_CLUSTER, "NG"),
        (ON_EC2, NO_CLUSTERS, "SKIP"),
        (ON_EC2, Absent("MISSING"), None),
    ],
)
def test_a_task_for_ec2_needs_an_instance(request_, cluster, status):
    said = about("no-container-instances", request=request_, cluster=cluster, latest=BRIDGE)
    assert (said and said[:2]) == (status and (status, "warning"))


EXTERNAL = replace(BRIDGE, compatibilities=("EXTERNAL", "EC2"))
FARGATE_ONLY = replace(DEFINITION, compatibilities=("FARGATE",))


@pytest.mark.parametrize(
    ("request_", "cluster", "latest", "status"),
    [
        (REQUEST, FARGATE_CLUSTER, DEFINITION, "OK"),
        (ON_EC2, EC2_CLUSTER, BRIDGE, "OK"),
        (ON_EC2, EC2_CLUSTER, DEFINITION, "OK"),
        (replace(ON_EC2, launch_type="EXTERNAL"), EC2_CLUSTER, EXTERNAL, "OK"),
        (replace(ON_EC2, launch_type=""), OWN, BRIDGE, "OK"),
        (replace(REQUEST, launch_type=""), BY_DEFAULT_SPOT, DEFINITION, "OK"),
        (REQUEST, FARGATE_CLUSTER, BRIDGE, "NG"),
        (replace(REQUEST, launch_type="", strategy=("FARGATE",)), FARGATE_CLUSTER, BRIDGE, "NG"),
        (replace(ON_EC2, launch_type="EXTERNAL"), EC2_CLUSTER, DEFINITION, "NG"),
        (ON_EC2, EC2_CLUSTER, FARGATE_ONLY, "NG"),
        (replace(ON_EC2, launch_type=""), OWN, FARGATE_ONLY, "NG"),
        (REQUEST, FARGATE_CLUSTER, DENIED, "SKIP"),
        (replace(REQUEST, launch_type=""), NO_CLUSTERS, DEFINITION, "SKIP"),
        (REQUEST, FARGATE_CLUSTER, GONE, None),
        (REQUEST, FARGATE_CLUSTER, replace(DEFINITION, compatibilities=()), None),
    ],
)
def test_the_revision_can_run_where_the_target_says(request_, cluster, latest, status):
    said = about("definition-compatibility", request=request_, cluster=cluster, latest=latest)
    assert (said and said[0]) == status


def test_a_revision_that_is_not_for_fargate_says_what_it_is_for():
    _, _, because = about("definition-compatibility", latest=BRIDGE)
    assert because == "nightly:7 is fit for EC2, and its launch type is FARGATE"


@pytest.mark.parametrize(
    ("strategy", "cluster", "status"),
    [
        (("FARGATE", "FARGATE_SPOT"), FARGATE_CLUSTER, "OK"),
        (("big-ones",), OWN, "OK"),
        ((f"{ECS}:capacity-provider/big-ones",), OWN, "OK"),
        (("small-ones",), OWN, "NG"),
        (("FARGATE",), EC2_CLUSTER, "NG"),
        (("FARGATE",), NO_CLUSTERS, "SKIP"),
        (("FARGATE",), Absent("MISSING"), None),
        ((), FARGATE_CLUSTER, None),
    ],
)
def test_the_cluster_has_the_capacity_providers_of_the_target(strategy, cluster, status):
    said = about("capacity-provider", request=replace(REQUEST, launch_type="", strategy=strategy), cluster=cluster)
    assert (said and said[0]) == status


def test_a_launch_type_and_a_strategy_exclude_each_other():
    said = about("launch-type-and-strategy", request=replace(REQUEST, strategy=("FARGATE_SPOT",)))
    assert said == ("NG", "error", "it gives launch type FARGATE and capacity providers FARGATE_SPOT")
    assert about("launch-type-and-strategy") is None


@pytest.mark.parametrize(
    ("request_", "cluster", "status"),
    [
        (replace(REQUEST, platform_version="1.4.0"), FARGATE_CLUSTER, "OK"),
        (replace(REQUEST, platform_version="LATEST", launch_type=""), BY_DEFAULT_SPOT, "OK"),
        (replace(ON_EC2, platform_version="LATEST"), EC2_CLUSTER, "NG"),
        (replace(REQUEST, platform_version="1.4.0", launch_type=""), FARGATE_CLUSTER, "NG"),
        (replace(REQUEST, platform_version="1.4.0", launch_type=""), NO_CLUSTERS, "SKIP"),
        (REQUEST, FARGATE_CLUSTER, None),
    ],
)
def test_a_platform_version_is_for_fargate_alone(request_, cluster, status):
    said = about("platform-version-on-ec2", request=request_, cluster=cluster)
    assert (said and said[0]) == status


@pytest.mark.parametrize(
    ("network", "latest", "check", "status"),
    [
        (NETWORK, DEFINITION, "no-network-configuration", "OK"),
        (None, DEFINITION, "no-network-configuration", "NG"),
        (Network(), DEFINITION, "no-network-configuration", "NG"),
        (None, DENIED, "no-network-configuration", "SKIP"),
        (NETWORK, DENIED, "network-not-awsvpc", "SKIP"),
        (NETWORK, BRIDGE, "network-not-awsvpc", "NG"),
        (NETWORK, replace(BRIDGE, network_mode=""), "network-not-awsvpc", "NG"),
        (None, BRIDGE, "network-not-awsvpc", None),
        (None, BRIDGE, "no-network-configuration", None),
    ],
)
def test_the_network_and_the_revisions_mode_fit(network, latest, check, status):
    request = replace(ON_EC2, network=network)
    said = about(check, request=request, cluster=EC2_CLUSTER, latest=latest)
    assert (said and said[0]) == status


# -------- what it overrides


@pytest.mark.parametrize(
    ("names", "latest", "said"),
    [
        (("main",), DEFINITION, ("OK", "error", "nightly:7 has main")),
        (("main", "sidecar"), DEFINITION, ("OK", "error", "nightly:7 has main, sidecar")),
        (("app",), DEFINITION, ("NG", "error", "its input overrides app, and nightly:7 has main, sidecar")),
        (("main", "app"), DEFINITION, ("NG", "error", "its input overrides app, and nightly:7 has main, sidecar")),
        (("main",), DENIED, ("SKIP", "error", NEEDS_DEFINITIONS)),
        ((), DEFINITION, None),
    ],
)
def test_the_containers_that_the_input_overrides(names, latest, said):
    assert about("override-container", request=replace(REQUEST, overrides=names), latest=latest) == said


def test_an_input_that_is_no_override_is_a_warning():
    said = about("input-not-overrides", request=replace(REQUEST, input_fault="its input is not JSON: line 1"))
    assert said == ("NG", "warning", "its input is not JSON: line 1")
    assert about("input-not-overrides") is None
