"""The blast radius: everything that runs a family, and what each way back would do to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import definition, short
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import gap_of
from ecs_runbook.inventory.model import Gap, Inventory, Place, Row

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_ecs import ECSClient

USER_COLUMNS = ["kind", "subject", "cluster", "names", "enabled", "runs_the_latest"]
_SERVICES_AT_ONCE = 10


def rows_of(family: str, place: Place, found: Inventory) -> list[Row]:
    """Return the targets of the inventory that run *family*, at whichever revision."""
    return [row for row in found.of(place) if row.request.family == family]


def users(family: str, fleet: Fleet, found: Inventory) -> tuple[pd.DataFrame, list[Gap]]:
    """
    Return all that runs *family* in one account and Region.

    Parameters
    ----------
    family
        Task definition family.
    fleet
        One place, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    found
        What is on a schedule there, from :func:`~ecs_runbook.inventory.listing.take_inventory`.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`USER_COLUMNS`: rules, event rules, schedules, state machines in between, and services.
        ``runs_the_latest`` says whether it follows the family's newest revision. A service never does: it keeps the
        revision that it was given, whatever is registered.
    list of Gap
        What could not be looked at.

    Notes
    -----
    Needs ``ecs:ListClusters``, ``ecs:ListServices`` (a call a cluster) and ``ecs:DescribeServices`` (ten a call).
    Source: botocore ecs UpdateService: a service's task definition is resolved to a revision when it is set (verified).
    """
    import pandas as pd

    place = fleet.places[0]
    told = [_of_row(row) for row in rows_of(family, place, found)]
    gaps = [gap for gap in found.gaps if gap.place in (None, place)]
    try:
        told += _services(family, fleet.at(place).client("ecs"), fleet.ask(place))
    except AwsError as error:
        gaps.append(gap_of(error, place=place, subject="services"))
    return pd.DataFrame(told, columns=USER_COLUMNS), gaps


def _of_row(row: Row) -> dict[str, Any]:
    return {
        "kind": f"{row.kind} through a state machine" if row.through else row.kind,
        "subject": row.subject,
        "cluster": short(row.request.cluster),
        "names": str(definition(row.request.definition)),
        "enabled": row.owner.enabled,
        "runs_the_latest": row.request.revision is None,
    }


def _services(family: str, ecs: ECSClient, ask: Asking) -> Iterator[dict[str, Any]]:
    for clusters in ask.pages("ecs:ListClusters", ecs.list_clusters):
        for cluster in clusters.get("clusterArns", []):
            arns = [
                arn
                for page in ask.pages("ecs:ListServices", ecs.list_services, cluster=cluster)
                for arn in page.get("serviceArns", [])
            ]
            for some in _tens(arns):
                answer = ask("ecs:DescribeServices", ecs.describe_services, cluster=cluster, services=some)
                for service in answer.get("services", []):
                    named = definition(str(service.get("taskDefinition", "")))
                    if named.family == family and service.get("status") != "INACTIVE":
                        yield {
                            "kind": "service",
                            "subject": str(service.get("serviceName", "")),
                            "cluster": short(cluster),
                            "names": str(named),
                            "enabled": int(service.get("desiredCount") or 0) > 0,
                            "runs_the_latest": False,
                        }


def _tens(arns: list[str]) -> Iterable[list[str]]:
    return (arns[first : first + _SERVICES_AT_ONCE] for first in range(0, len(arns), _SERVICES_AT_ONCE))
