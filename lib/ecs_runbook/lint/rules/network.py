"""Rules on the network of a target, as far as its VPC is made or read in the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from ecs_runbook.lint.addresses import is_data, module_of, speaks_of, type_of
from ecs_runbook.lint.findings import Said, found
from ecs_runbook.lint.model import Block, Reference, Value
from ecs_runbook.lint.values import as_list, boolean, field_of, inner, shown
from ecs_runbook.lint.view import Target, View

_MADE = ("aws_vpc", "aws_default_vpc")
_EVERYWHERE = ("0.0.0.0/0", "::/0")
Way = Literal["internet gateway", "other", "none", "unknown"]


def vpcs(view: View) -> Iterator[Said]:
    """``two-vpcs``: subnets and security groups that cannot meet."""
    for target in view.targets:
        network = target.network
        if not isinstance(network, Mapping):
            continue
        subnets = [(one, _vpc_of(view, one)) for one in _named(view, network, "subnets", "aws_subnet")]
        groups = [
            (one, _vpc_of(view, one))
            for one in _named(view, network, "security_groups", "aws_security_group", "aws_default_security_group")
        ]
        yield from _meet(target, subnets, groups)


def _meet(
    target: Target, subnets: Sequence[tuple[Block, Value]], groups: Sequence[tuple[Block, Value]]
) -> Iterator[Said]:
    for at, (subnet, vpc) in enumerate(subnets):
        for other, second in [*groups, *subnets[at + 1 :]]:
            if not _differ(vpc, second):
                continue
            module = module_of(other.address)
            is_group = other.type != "aws_subnet"
            where = shown(second, module) if second is not None else "the default VPC, since it has no vpc_id"
            yield found(
                "two-vpcs",
                other if is_group else target.block,
                ("vpc_id",) if is_group else target.at("network_configuration", 0, "subnets"),
                f"{other.address} is in {where}, and {subnet.address}, beside it in {target.block.address}, "
                f"is in {shown(vpc, module_of(subnet.address))}",
                "Take subnets and security groups of one VPC.",
                diff=f"- vpc_id = {shown(second, module)}\n+ vpc_id = {shown(vpc, module)}"
                if is_group and second
                else "",
            )
            return


def _named(view: View, network: Mapping[str, Value], name: str, *types: str) -> list[Block]:
    blocks: list[Block] = []
    for value in as_list(network.get(name)):
        if isinstance(value, Reference):
            blocks += [one for one in view.find(value.address) if one.type in types]
        elif isinstance(value, str):
            kinds = [kind for one in types for kind in (one, f"data.{one}")]
            blocks += [one for one in view.of(*kinds) if one.values.get("id") == value]
    return blocks


def _vpc_of(view: View, block: Block) -> Value:
    """Return the VPC of a subnet or group: None where a group names none, its id where that is known."""
    value = block.values.get("vpc_id")
    if isinstance(value, Reference):
        ids = {one.values.get("id") for one in view.find(value.address)}
        known = ids.pop() if len(ids) == 1 else None
        return known if isinstance(known, str) else value
    return value


def _differ(one: Value, other: Value) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one != other
    if isinstance(one, Reference) and isinstance(other, Reference):
        said = {speaks_of(one.address, other.address), speaks_of(other.address, one.address)}
        return said == {False} and _is_made(one) and _is_made(other)
    if not isinstance(one, Reference) or other is not None:
        return False
    return _is_made(one) and type_of(one.address) != "aws_default_vpc"


def _is_made(vpc: Reference) -> bool:
    return type_of(vpc.address) in _MADE and not is_data(vpc.address) and vpc.attribute == "id"


def ways_out(view: View) -> Iterator[Said]:
    """``no-way-out``: a subnet whose routes do not lead a task without a public IP anywhere."""
    for target in view.targets:
        network = target.network
        if not isinstance(network, Mapping):
            continue
        public = boolean(field_of(network, "assign_public_ip"))
        for subnet in _named(view, network, "subnets", "aws_subnet"):
            way = _way(view, subnet)
            if _has_endpoints(view, subnet) or way in ("other", "unknown") or public is None:
                continue
            if way == "internet gateway" and public:
                continue
            if way == "internet gateway":
                because = (
                    f"{subnet.address} leads to an internet gateway, which lets nobody through without a public IP, "
                    "and assign_public_ip is not true"
                )
                mend = "Set assign_public_ip = true, or take a subnet that leads to a NAT gateway."
                diff = "+ assign_public_ip = true"
            else:
                because = f"{subnet.address} has a route table without a way out of the VPC"
                mend, diff = "Take a subnet that leads to a NAT gateway, or make VPC endpoints.", ""
            where = target.at("network_configuration", 0, "assign_public_ip")
            yield found("no-way-out", target.block, where, because, mend, diff=diff)
            break


def _way(view: View, subnet: Block) -> Way:
    tables = _tables(view, subnet)
    if not tables:
        return "unknown"
    ways = {_leads(view, table) for table in tables}
    return ways.pop() if len(ways) == 1 else "unknown"


def _tables(view: View, subnet: Block) -> list[Block]:
    tables: list[Block] = []
    for link in view.of("aws_route_table_association"):
        if _is(link.values.get("subnet_id"), subnet):
            tables += [
                one
                for one in view.of("aws_route_table", "data.aws_route_table")
                if _is(link.values.get("route_table_id"), one)
            ]
    for table in view.of("data.aws_route_table"):
        if _is(table.values.get("subnet_id"), subnet):
            tables.append(table)
    return tables


def _is(value: Value, block: Block) -> bool:
    if isinstance(value, Reference):
        return speaks_of(value.address, block.address) is True and value.attribute in ("id", "arn", "route_table_id")
    return isinstance(value, str) and value == block.values.get("id")


def _leads(view: View, table: Block) -> Way:
    """Return where a route table's default route leads."""
    if table.mode == "data" and "routes" not in table.values:
        return "unknown"
    name = "routes" if table.mode == "data" else "route"
    routes = [*inner(table.values, name)]
    routes += [one.values for one in view.of("aws_route") if _is(one.values.get("route_table_id"), table)]
    doubtful = any(not isinstance(one.values.get("route_table_id"), (str, Reference)) for one in view.of("aws_route"))
    ways: list[Way] = []
    for route in routes:
        if not isinstance(route, Mapping):
            return "unknown"
        to = field_of(route, "cidr_block") or field_of(route, "destination_cidr_block")
        to = to or field_of(route, "ipv6_cidr_block") or field_of(route, "destination_ipv6_cidr_block")
        if to is not None and not isinstance(to, str):
            return "unknown"
        if to in _EVERYWHERE or to is None:
            ways.append(_by(field_of(route, "gateway_id")))
    if doubtful or "unknown" in ways:
        return "unknown"
    if "other" in ways:
        return "other"
    return "internet gateway" if ways else "none"


def _by(gateway: Value) -> Way:
    if gateway is None:
        return "other"
    if isinstance(gateway, str):
        return "internet gateway" if gateway.startswith("igw-") else "other"
    if isinstance(gateway, Reference):
        return "internet gateway" if type_of(gateway.address) == "aws_internet_gateway" else "other"
    return "unknown"


def _has_endpoints(view: View, subnet: Block) -> bool:
    """Return whether there are endpoints here that may lead to a registry: then that is taken to be thought of."""
    vpc = subnet.values.get("vpc_id")
    return any(one.values.get("vpc_id") == vpc or not isinstance(vpc, str) for one in view.of("aws_vpc_endpoint"))
