"""The least calls that AWS's API allows for a check of a sown account, counted from what was sown."""

from collections import Counter
from math import ceil

from sown import BUSES, Account, Entry

LIST_PAGE = 100  # events ListRules, scheduler ListSchedules, ecs DescribeClusters (botocore)
ROLES_PAGE = 1000  # iam ListRoles (botocore)


def least_calls(account: Account, *, roles: int) -> Counter[str]:
    """
    Count the calls that tell of all definitions, when each is asked once.

    EventBridge tells of the targets of one rule a call, and Scheduler of one schedule; a task definition, and what a
    role may do, is told one a call. *roles*: how many the account has, since a list of them tells their trust.
    """
    entries = account.entries
    rules = [one for one in entries if one.kind != "schedule"]
    schedules = [one for one in entries if one.kind == "schedule"]
    other_rules = ceil(account.others / 2)
    on_bus = Counter(one.place for one in rules) + Counter({"default": other_rules})
    queues = {arn for one in entries if (arn := (one.target.get("DeadLetterConfig") or {}).get("Arn"))}
    there = {arn for arn in queues if ":gone-" not in arn}
    clusters = {one.cluster for one in entries}
    return Counter(
        {
            "events:ListEventBuses": 1,
            "events:ListRules": sum(max(1, ceil(on_bus[bus] / LIST_PAGE)) for bus in BUSES),
            "events:ListTargetsByRule": len(rules) + other_rules,
            "scheduler:ListSchedules": ceil((len(schedules) + account.others // 2) / LIST_PAGE),
            "scheduler:GetSchedule": len(schedules),
            "states:DescribeStateMachine": sum(one.through for one in entries),
            "states:ListExecutions": sum(one.through and one.again for one in entries),
            "ecs:DescribeTaskDefinition": len(_definitions(entries)),
            "ecs:DescribeClusters": ceil(len(clusters) / LIST_PAGE),
            "ecs:ListAccountSettings": 1,
            "scheduler:ListScheduleGroups": int({one.place for one in schedules} != {"default"}),
            "ec2:DescribeSubnets": 1,
            "ec2:DescribeSecurityGroups": 1,
            "ec2:DescribeRouteTables": 1,
            "ec2:DescribeVpcEndpoints": 1,
            "iam:ListRoles": ceil(roles / ROLES_PAGE),
            "iam:SimulatePrincipalPolicy": sum(map(_simulations, entries)),
            "sqs:GetQueueUrl": len(queues),
            "sqs:GetQueueAttributes": len(there),
        }
    )


def _definitions(entries: list[Entry]) -> set[str]:
    """The families, of which the latest revision is asked for, and the revisions that are fixed to another."""
    named = {one.definition for one in entries if one.fault != "pinned"}
    return named | {one.definition.rsplit(":", 1)[0] for one in entries if one.fault.startswith("pinned")}


def _simulations(entry: Entry) -> int:
    """
    One for each role on the way: the target's, which also sends a schedule's dead letters, and a state machine's.

    Nothing can be asked of a role that is not there, nor about a revision, or in a cluster, that is not; but of a state
    machine's role what else its states do.
    """
    runs = entry.fault not in {"no-active-revision", "no-such-family", "no-such-cluster"}
    sends = entry.kind == "schedule" and bool(entry.target.get("DeadLetterConfig"))
    there = entry.fault != "no-such-role"
    return there + 1 if entry.through else int(there and (runs or sends))
