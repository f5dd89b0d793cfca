"""Whether a role may run a task, asked of IAM's own simulator; nothing is run, and no policy is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import short
from ecs_runbook.inventory.gate import Gate, gap_of
from ecs_runbook.inventory.model import Absent, Answer, Definition, Permit, PermitKey, Told

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

RUN_TASK, PASS_ROLE, TAG_RESOURCE = "ecs:RunTask", "iam:PassRole", "ecs:TagResource"
NO_SUCH = "q7xj-no-such"
"""
Begins the names of a family and of a role that do not exist: a policy that allows them is wider than the task. It looks
like no name that people give, since a policy for ``ecs-*`` is narrower than one for all.
"""
NO_ROLE = frozenset({"NoSuchEntity", "NoSuchEntityException"})
_TASKS = "ecs-tasks.amazonaws.com"
_REVISIONS_AT_ONCE = 100
_APART = "different authorization information"
_MOST_ITEMS = 1000


@dataclass(frozen=True)
class _Question:
    """What is asked about one role in one cluster at once."""

    role: str
    cluster: str
    keys: tuple[PermitKey, ...]
    passed: Mapping[PermitKey, tuple[str, ...]] = field(hash=False, compare=False, default_factory=dict)

    @property
    def wanted(self) -> dict[str, list[str]]:
        """The resources to ask about, by action."""
        of = self.keys[0].definition
        families = sorted({key.definition for key in self.keys})
        roles = sorted({role for key in self.keys for role in self.passed.get(key, ())})
        wanted = {
            RUN_TASK: [*families, any_family(of)],
            PASS_ROLE: [*roles, any_role(self.role)],
        }
        if any(key.tags for key in self.keys):
            wanted[TAG_RESOURCE] = [tasks_of(self.cluster)]
        return wanted


class Simulator:
    """
    IAM's simulator.

    Notes
    -----
    IAM refuses to simulate some actions in one call, since they "require different authorization information" (seen for
    others; which of these three it takes together is not verified). So all are asked at once, and one by one from the
    first such refusal on.
    """

    def __init__(self) -> None:
        self._together = True

    def permits(
        self, wanted: Mapping[PermitKey, Definition], *, iam: IAMClient, ask: Asking, gate: Gate
    ) -> dict[PermitKey, Told[Permit]]:
        """
        Return what the simulator says of each key.

        Parameters
        ----------
        wanted
            The revision that would run, by key.

        Notes
        -----
        Needs ``iam:SimulatePrincipalPolicy``: one call for all revisions that a role runs in a cluster.
        """
        found: dict[PermitKey, Told[Permit]] = {}
        for question, answer in gate.each(
            "iam:SimulatePrincipalPolicy", lambda one: self._asked(one, iam, ask), _questions(wanted)
        ):
            if isinstance(answer, AwsError):
                gone = Absent(answer.words) if answer.code in NO_ROLE else gap_of(answer)
                found |= dict.fromkeys(question.keys, gone)
            else:
                found |= {key: _permit(key, question, answer) for key in question.keys}
        return found

    def _asked(self, question: _Question, iam: IAMClient, ask: Asking) -> _Answers:
        wanted = question.wanted
        if self._together:
            try:
                return _simulate(question, list(wanted), [one for some in wanted.values() for one in some], iam, ask)
            except AwsError as error:
                if _APART not in error.words:
                    raise
                self._together = False
        answers: _Answers = {}
        for action, resources in wanted.items():
            answers |= _simulate(question, [action], resources, iam, ask)
        return answers


_Answers = dict[tuple[str, str], tuple[Answer, tuple[str, ...]]]
"""By action and resource: the decision, and the condition keys that were missing."""


def any_family(arn: str) -> str:
    """
    Return the ARN of a revision of a family that does not exist, in the account and Region of another.

    Examples
    --------
    >>> any_family("arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:3")
    'arn:aws:ecs:eu-west-2:111122223333:task-definition/q7xj-no-such-family:1'
    """
    return f"{arn.partition('/')[0]}/{NO_SUCH}-family:1"


def any_role(arn: str) -> str:
    """Return the ARN of a role that does not exist, in the account of another."""
    return f"{':'.join(arn.split(':')[:5])}:role/{NO_SUCH}-role"


def tasks_of(cluster: str) -> str:
    """
    Return what AWS names when it refuses ecs:TagResource for tasks of *cluster*.

    Examples
    --------
    >>> tasks_of("arn:aws:ecs:eu-west-2:111122223333:cluster/batch")
    'arn:aws:ecs:eu-west-2:111122223333:task/batch/*'
    """
    return f"{':'.join(cluster.split(':')[:5])}:task/{short(cluster)}/*"


def _questions(wanted: Mapping[PermitKey, Definition]) -> list[_Question]:
    groups: dict[tuple[str, str], list[PermitKey]] = defaultdict(list)
    for key in sorted(wanted):
        groups[key.role, key.cluster].append(key)
    passed = {key: passed_by(definition) for key, definition in wanted.items()}
    return [
        _Question(role, cluster, tuple(keys[first : first + _REVISIONS_AT_ONCE]), passed)
        for (role, cluster), keys in groups.items()
        for first in range(0, len(keys), _REVISIONS_AT_ONCE)
    ]


def passed_by(definition: Definition) -> tuple[str, ...]:
    """Return the roles that RunTask passes on: the task's own and the execution role, each once."""
    return tuple(dict.fromkeys(role for role in (definition.task_role, definition.execution_role) if role))


def _simulate(
    question: _Question, actions: Sequence[str], resources: Sequence[str], iam: IAMClient, ask: Asking
) -> _Answers:
    region = question.cluster.split(":")[3]
    context = {
        "ecs:cluster": question.cluster,
        "iam:PassedToService": _TASKS,
        "ecs:CreateAction": "RunTask",
        "aws:RequestedRegion": region,
    }
    pages = ask.pages(
        "iam:SimulatePrincipalPolicy",
        iam.simulate_principal_policy,
        PolicySourceArn=question.role,
        ActionNames=list(actions),
        ResourceArns=list(dict.fromkeys(resources)),
        ContextEntries=[
            {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for name, value in context.items()
        ],
        MaxItems=_MOST_ITEMS,
    )
    return read_answers(one for page in pages for one in page.get("EvaluationResults", []))


def read_answers(results: Iterable[Mapping[str, Any]]) -> _Answers:
    """
    Return the decisions by action and resource, whether each stands by itself or under its action.

    Examples
    --------
    >>> read_answers([{"EvalActionName": "ecs:RunTask", "EvalResourceName": "a", "EvalDecision": "implicitDeny",
    ...     "ResourceSpecificResults": [{"EvalResourceName": "b", "EvalResourceDecision": "allowed"}]}])
    {('ecs:RunTask', 'a'): ('denied', ()), ('ecs:RunTask', 'b'): ('allowed', ())}
    """
    found: _Answers = {}
    for one in results:
        action, missing = str(one.get("EvalActionName", "")), tuple(one.get("MissingContextValues") or ())
        if one.get("EvalResourceName"):
            found[action, str(one["EvalResourceName"])] = (_decision(one.get("EvalDecision")), missing)
        for each in one.get("ResourceSpecificResults") or ():
            lacks = tuple(each.get("MissingContextValues") or ())
            found[action, str(each.get("EvalResourceName", ""))] = (_decision(each.get("EvalResourceDecision")), lacks)
    return found


def _decision(told: object) -> Answer:
    return "allowed" if told == "allowed" else "denied"


def _permit(key: PermitKey, question: _Question, answers: _Answers) -> Permit:
    roles = question.passed.get(key, ())
    nothing: tuple[Answer, tuple[str, ...]] = ("not asked", ())
    run = answers.get((RUN_TASK, key.definition), nothing)
    passed = {role: answers.get((PASS_ROLE, role), nothing) for role in roles}
    tag = answers.get((TAG_RESOURCE, tasks_of(key.cluster)), nothing) if key.tags else nothing
    missing = {name for _, names in (run, tag, *passed.values()) for name in names}
    return Permit(
        run_task=run[0],
        pass_role={role: answer for role, (answer, _) in passed.items()},
        tag_resource=tag[0],
        any_family=answers.get((RUN_TASK, any_family(key.definition)), nothing)[0],
        any_role=answers.get((PASS_ROLE, any_role(key.role)), nothing)[0],
        missing_context=tuple(sorted(missing)),
    )
