"""Every rule of lint: its id, what it finds, what AWS does, and how sure that is. One list feeds all formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
Sure = Literal["verified", "seen in public issues", "inferred", "our own rule"]
RULE_COLUMNS = ["rule", "severity", "finds", "source"]


@dataclass(frozen=True)
class Rule:
    """
    One rule.

    Attributes
    ----------
    id
        Never changes: comments and other tools name it.
    severity
        What its findings are as a rule; a single one may be milder, and says why.
    finds
        What it finds, in one line.
    means
        What AWS does then.
    source
        Where that is known from.
    sure
        How sure that is.
    """

    id: str
    severity: Severity
    finds: str
    means: str
    source: str
    sure: Sure


_ALL = (
    Rule(
        "pinned-revision",
        "error",
        "the target names one revision of a task definition",
        "Every firing runs that revision, whatever is registered later. Once it is deregistered, ECS refuses: "
        "TaskDefinition is inactive.",
        "botocore ecs RunTask: without a revision, the latest ACTIVE one is used",
        "verified",
    ),
    Rule(
        "launch-type-public-ip",
        "error",
        "a public IP is asked for, and the launch type is not Fargate",
        "ECS refuses every firing: Assign public IP is not supported for this launch type.",
        "terraform-provider-aws#16078, amazon-ecs-cli#627",
        "seen in public issues",
    ),
    Rule(
        "launch-type-left-out",
        "warning",
        "neither a launch type nor a capacity provider strategy is given",
        "The cluster's default strategy decides; a cluster without one takes EC2, and if it has no instances ECS "
        "refuses: No Container Instances were found in your cluster.",
        "botocore events EcsParameters; provider's v4 upgrade guide: launch_type has no default any more",
        "seen in public issues",
    ),
    Rule(
        "launch-type-and-strategy",
        "error",
        "a launch type and a capacity provider strategy are both given",
        "The two exclude each other, and AWS refuses the target.",
        "botocore events EcsParameters, scheduler EcsParameters",
        "verified",
    ),
    Rule(
        "platform-version-on-ec2",
        "error",
        "a platform version is given, and the launch type is not Fargate",
        "ECS refuses every firing: The platform version must be null when specifying an EC2 launch type",
        "public issues that quote ECS",
        "seen in public issues",
    ),
    Rule(
        "no-network-configuration",
        "error",
        "the task has a network of its own (awsvpc), and the target names no subnets",
        "ECS refuses every firing: Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        "public issues that quote ECS",
        "seen in public issues",
    ),
    Rule(
        "definition-not-fargate",
        "error",
        "the target runs on Fargate, and the task definition cannot",
        "ECS refuses every firing: Task definition does not support launch_type FARGATE.",
        "public issues that quote ECS; botocore ecs RegisterTaskDefinition",
        "seen in public issues",
    ),
    Rule(
        "fargate-cpu-memory",
        "error",
        "Fargate has no task of this cpu and memory",
        "ECS refuses the task definition.",
        "AWS docs, ECS developer guide, task size",
        "verified",
    ),
    Rule(
        "override-container",
        "error",
        "the target's input overrides a container that the task definition does not have",
        "ECS refuses every firing: Override for container named … is not a container in the TaskDefinition",
        "public issues that quote ECS",
        "seen in public issues",
    ),
    Rule(
        "policy-bare-family",
        "error",
        "a policy allows ecs:RunTask on a family without a revision",
        "Since March 21, 2024 ECS resolves the revision before it asks IAM, so a resource without one matches nothing "
        "and the firing is refused with AccessDenied.",
        "botocore ecs RunTask",
        "verified",
    ),
    Rule(
        "policy-pinned-revision",
        "error",
        "a policy allows ecs:RunTask on one revision only",
        "As soon as the next revision is registered, a target that names the family is refused with AccessDenied.",
        "botocore ecs RunTask: IAM is asked about the latest revision",
        "verified",
    ),
    Rule(
        "run-task-missing",
        "error",
        "the target's role may not run the target's task definition at all",
        "ECS refuses every firing with AccessDenied.",
        "AWS docs, ECS developer guide, EventBridge IAM role",
        "verified",
    ),
    Rule(
        "start-execution-missing",
        "error",
        "the role of a rule or a schedule may not start the state machine that runs the task",
        "Nothing is started: AccessDenied on states:StartExecution, in the dead-letter queue if there is one.",
        "AWS docs, EventBridge Scheduler user guide, templated targets",
        "verified",
    ),
    Rule(
        "pass-role-missing",
        "error",
        "the target's role may not pass a role that the task definition names",
        "ECS refuses every firing with AccessDenied on iam:PassRole.",
        "AWS docs, ECS developer guide, EventBridge IAM role",
        "verified",
    ),
    Rule(
        "passed-to-service",
        "error",
        "iam:PassRole is allowed, but for another service than the tasks",
        "The roles are passed to ecs-tasks.amazonaws.com; a condition that names another service never holds, and the "
        "firing is refused with AccessDenied on iam:PassRole.",
        "AWS docs, AmazonEC2ContainerServiceEventsRole",
        "verified",
    ),
    Rule(
        "trust-wrong-service",
        "error",
        "a role does not trust the service that has to assume it",
        "A rule needs events.amazonaws.com, a schedule scheduler.amazonaws.com, a state machine "
        "states.amazonaws.com, a task ecs-tasks.amazonaws.com; "
        "without that nothing starts.",
        "AWS docs, ECS developer guide, EventBridge IAM role; EventBridge Scheduler user guide",
        "verified",
    ),
    Rule(
        "tag-resource-missing",
        "error",
        "the target tags its tasks, and its role may not",
        "ECS refuses the firing with AccessDenied on ecs:TagResource, where the account authorises tagging, as it "
        "does by default. Whether ECS managed tags alone need it is not verified.",
        "aws-cdk#28854, terraform-aws-eventbridge#130",
        "seen in public issues",
    ),
    Rule(
        "tag-resource-on-wrong-arn",
        "error",
        "ecs:TagResource is allowed, but not on tasks",
        "What is tagged by RunTask is the task, …:task/<cluster>/*; a task definition's ARN matches nothing.",
        "aws-cdk#28854: the refusal names …/task/<cluster>/*",
        "seen in public issues",
    ),
    Rule(
        "policy-too-wide",
        "warning",
        "ecs:RunTask or iam:PassRole is allowed on everything, without a condition",
        "Whoever can make a target with this role runs any task definition, or passes any role of the account.",
        "AWS docs, IAM best practices: least privilege",
        "verified",
    ),
    Rule(
        "no-active-revision-window",
        "warning",
        "a change of the task definition leaves the family without an ACTIVE revision for a moment",
        "Terraform destroys first, which deregisters, and creates then; a firing in between is refused: TaskDefinition "
        "not found.",
        "Terraform's order of replacement; provider docs of skip_destroy",
        "inferred",
    ),
    Rule(
        "two-vpcs",
        "error",
        "subnets and security groups of the target are in different VPCs",
        "ECS refuses every firing: Security group … does not appear to belong to the same VPC as the input subnets.",
        "public issues that quote ECS",
        "seen in public issues",
    ),
    Rule(
        "no-way-out",
        "warning",
        "the task has no way to its registry",
        "The task starts and stops with CannotPullContainerError or ResourceInitializationError, unless VPC endpoints "
        "that are not in sight lead there.",
        "aws-cdk#9233, aws-cdk#18642",
        "seen in public issues",
    ),
    Rule(
        "schedule-expression",
        "error",
        "the schedule expression is not one that AWS takes",
        "AWS refuses the rule, or it never fires as meant.",
        "AWS docs, EventBridge user guide, schedule expressions",
        "verified",
    ),
    Rule(
        "schedule-zone",
        "warning",
        "the schedule seems to be meant in a time zone other than UTC",
        "A rule counts in UTC; only EventBridge Scheduler has a time zone.",
        "AWS docs, EventBridge user guide, schedule expressions",
        "verified",
    ),
    Rule(
        "task-definition-no-arn",
        "error",
        "a rule or a schedule names a family where the provider takes an ARN alone",
        "Terraform's plan ends with an invalid ARN.",
        "hashicorp/aws 5.100: aws_cloudwatch_event_target and aws_scheduler_schedule, tried",
        "verified",
    ),
    Rule(
        "empty-arn",
        "error",
        "a target's task definition, role or cluster is an empty text",
        "Terraform's plan passes it. The apply of a schedule ends with: missing required field; a rule's target would "
        "have no role.",
        "hashicorp/aws 5.100: plan and apply of a schedule, tried; botocore events, scheduler: one character at least",
        "verified",
    ),
    Rule(
        "no-dead-letter-queue",
        "note",
        "what could not be fired is lost without a trace",
        "A refusal stands only in CloudTrail; a dead-letter queue has the message with the error.",
        "AWS docs, EventBridge user guide, dead-letter queues",
        "verified",
    ),
    Rule(
        "unreadable-file",
        "error",
        "a file could not be read",
        "What it says was not looked at; the other files were.",
        "this tool",
        "our own rule",
    ),
    Rule(
        "silence-without-reason",
        "warning",
        "a comment silences a rule and does not say why",
        "It silences nothing.",
        "this tool",
        "our own rule",
    ),
    Rule(
        "silence-unknown-rule",
        "warning",
        "a comment silences a rule that does not exist",
        "It silences nothing.",
        "this tool",
        "our own rule",
    ),
)

RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}
"""Every rule by its id, in the order of the list."""


def rules_text() -> str:
    """
    Return the list that ``ecs-runbook lint --rules`` prints.

    Examples
    --------
    >>> print(rules_text().splitlines()[0])
    pinned-revision            error    the target names one revision of a task definition
    """
    width = max(map(len, RULES))
    lines = []
    for rule in RULES.values():
        lines.append(f"{rule.id:<{width}}  {rule.severity:<7}  {rule.finds}")
        lines.append(f"{'':<{width}}           {rule.means}")
        lines.append(f"{'':<{width}}           source: {rule.source} ({rule.sure})")
    return "\n".join(lines)
