"""Whether roles may do what rows need of them, asked of IAM's own simulator; nothing is run, and no policy is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import short
from ecs_runbook.inventory.gate import Gate, gap_of
from ecs_runbook.inventory.model import Absent, Against, Answer, Deed, Gap, Permit, PermitKey, Told

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

SIMULATE = "iam:SimulatePrincipalPolicy"
RUN_TASK, PASS_ROLE, TAG_RESOURCE = "ecs:RunTask", "iam:PassRole", "ecs:TagResource"
NO_SUCH = "q7xj-no-such"
"""
Begins the names of a family and of a role that do not exist: a policy that allows them is wider than the task. It looks
like no name that people give, since a policy for ``ecs-*`` is narrower than one for all.
"""
NO_ROLE = frozenset({"NoSuchEntity", "NoSuchEntityException"})
_TASKS = "ecs-tasks.amazonaws.com"
_KEYS_AT_ONCE = 100
_APART = "different authorization information"
_MOST_ITEMS = 1000
_ORGANIZATIONS = "OrganizationsDecisionDetail"

_Wish = tuple[str, str]
"""An action, and a resource."""


@dataclass(frozen=True)
class _Question:
    """What is asked about one role at once; of RunTask in one cluster, which is ``""`` if it is not about that."""

    role: str
    cluster: str
    wishes: tuple[_Wish, ...]


@dataclass(frozen=True)
class _Said:
    """What IAM decided, the condition keys that it missed for that, and what is against it."""

    answer: Answer = "not asked"
    missing: tuple[str, ...] = ()
    against: Against | None = None


_Answers = dict[_Wish, _Said]
_NOTHING = _Said()


class Simulator:
    """
    IAM's simulator.

    Notes
    -----
    IAM refuses to simulate some actions in one call, since they "require different authorization information" (seen for
    others; whether it takes these together is not verified). So all are asked at once, and one by one from the first
    such refusal on.
    """

    def __init__(self) -> None:
        self._together = True

    def ask(
        self,
        passed: Mapping[PermitKey, Sequence[str]],
        deeds: Iterable[Deed],
        *,
        iam: IAMClient,
        ask: Asking,
        gate: Gate,
        run: bool = True,
        wide: bool = True,
        counted: Callable[[Iterable[_Question]], Iterable[_Question]] = iter,
        looked: Callable[[], None] = lambda: None,
    ) -> tuple[dict[PermitKey, Told[Permit]], dict[Deed, Told[Answer]]]:
        """
        Return what the simulator says of requests and of other deeds.

        Parameters
        ----------
        passed
            The ARNs of the roles that each request passes on.
        deeds
            What else roles must be able to do.
        run, wide
            Whether it is asked if the role may run the task, and if it may run any other.
        counted, looked
            Who counts what is to be asked, and what was.

        Notes
        -----
        Needs ``iam:SimulatePrincipalPolicy``: one call for a role in each cluster that it runs tasks in, with all
        revisions and deeds; one for a role that only has deeds.
        """
        wanted = sorted(set(deeds))
        within = _clusters(passed, wanted)
        questions = _questions(passed, wanted, within, run=run, wide=wide)
        answers: dict[tuple[str, str], _Answers] = defaultdict(dict)
        lost: dict[tuple[str, str], Absent | Gap] = {}

        def asked(question: _Question) -> _Answers:
            try:
                return self._asked(question, iam, ask)
            finally:
                looked()

        for question, said in gate.each(SIMULATE, asked, counted(questions)):
            of = (question.role, question.cluster)
            if not isinstance(said, AwsError):
                answers[of] |= said
            else:
                lost[of] = Absent(said.words) if said.code in NO_ROLE else gap_of(said)
        of_deeds: dict[Deed, Told[Answer]] = {}
        for deed in wanted:
            of = (deed.role, within[deed])
            of_deeds[deed] = lost.get(of) or answers[of].get((deed.action, deed.resource), _NOTHING).answer
        permits: dict[PermitKey, Told[Permit]] = {
            key: lost.get((key.role, key.cluster)) or _permit(key, roles, answers[key.role, key.cluster])
            for key, roles in passed.items()
        }
        return permits, of_deeds

    def _asked(self, question: _Question, iam: IAMClient, ask: Asking) -> _Answers:
        by_action: dict[str, list[str]] = defaultdict(list)
        for action, resource in question.wishes:
            by_action[action].append(resource)
        if self._together:
            try:
                return _simulate(question, list(by_action), [one for _, one in question.wishes], iam, ask)
            except AwsError as error:
                if _APART not in error.words:
                    raise
                self._together = False
        answers: _Answers = {}
        for action, resources in by_action.items():
            answers |= _simulate(question, [action], resources, iam, ask)
        return answers


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


def _clusters(passed: Iterable[PermitKey], deeds: Sequence[Deed]) -> dict[Deed, str]:
    """
    Return the cluster with which a role is asked about each deed; ``""`` if it does nothing in any.

    What is done in no cluster is asked about with the first of the role's, which spares a call.
    """
    named = {(key.role, key.cluster) for key in passed} | {(one.role, one.cluster) for one in deeds if one.cluster}
    first = dict(sorted(named, reverse=True))
    return {deed: deed.cluster or first.get(deed.role, "") for deed in deeds}


def _questions(
    passed: Mapping[PermitKey, Sequence[str]],
    deeds: Sequence[Deed],
    within: Mapping[Deed, str],
    *,
    run: bool,
    wide: bool,
) -> list[_Question]:
    keys: dict[tuple[str, str], list[PermitKey]] = defaultdict(list)
    for key in sorted(passed):
        keys[key.role, key.cluster].append(key)
    extra: dict[tuple[str, str], list[_Wish]] = defaultdict(list)
    for deed in deeds:
        extra[deed.role, within[deed]].append((deed.action, deed.resource))
    found = []
    for of in sorted({*keys, *extra}):
        some = keys.get(of, [])
        for first in range(0, max(len(some), 1), _KEYS_AT_ONCE):
            keys_of_one = some[first : first + _KEYS_AT_ONCE]
            wishes = _of_task(keys_of_one, passed) if run else []
            wishes += _of_any(keys_of_one[0]) if wide and some and not first else []
            wishes += extra[of] if not first else []
            found += [_Question(*of, tuple(dict.fromkeys(wishes)))] if wishes else []
    return found


def _of_task(keys: Sequence[PermitKey], passed: Mapping[PermitKey, Sequence[str]]) -> list[_Wish]:
    wishes = [(RUN_TASK, key.definition) for key in keys]
    wishes += [(PASS_ROLE, role) for key in keys for role in passed[key]]
    return wishes + [(TAG_RESOURCE, tasks_of(key.cluster)) for key in keys if key.tags]


def _of_any(key: PermitKey) -> list[_Wish]:
    return [(RUN_TASK, any_family(key.definition)), (PASS_ROLE, any_role(key.role))]


def _simulate(
    question: _Question, actions: Sequence[str], resources: Sequence[str], iam: IAMClient, ask: Asking
) -> _Answers:
    context = {
        "ecs:cluster": question.cluster,
        "iam:PassedToService": _TASKS,
        "ecs:CreateAction": "RunTask",
        "aws:RequestedRegion": question.cluster.split(":")[3] if question.cluster else "",
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
            if value
        ],
        MaxItems=_MOST_ITEMS,
    )
    return read_answers(one for page in pages for one in page.get("EvaluationResults", []))


def read_answers(results: Iterable[Mapping[str, Any]]) -> _Answers:
    """
    Return the decisions by action and resource, whether each stands by itself or under its action.

    Examples
    --------
    >>> said = read_answers([{"EvalActionName": "ecs:RunTask", "EvalResourceName": "a", "EvalDecision": "implicitDeny",
    ...     "ResourceSpecificResults": [{"EvalResourceName": "b", "EvalResourceDecision": "allowed"}]}])
    >>> said["ecs:RunTask", "a"].answer, said["ecs:RunTask", "b"].answer
    ('denied', 'allowed')
    """
    found: _Answers = {}
    for one in results:
        action = str(one.get("EvalActionName", ""))
        if one.get("EvalResourceName"):
            found[action, str(one["EvalResourceName"])] = _said(one.get("EvalDecision"), one)
        for each in one.get("ResourceSpecificResults") or ():
            told = {_ORGANIZATIONS: one.get(_ORGANIZATIONS), **each}
            found[action, str(each.get("EvalResourceName", ""))] = _said(each.get("EvalResourceDecision"), told)
    return found


def _said(decision: object, told: Mapping[str, Any]) -> _Said:
    missing = tuple(told.get("MissingContextValues") or ())
    return _Said("allowed", missing) if decision == "allowed" else _Said("denied", missing, _against(decision, told))


def _against(decision: object, told: Mapping[str, Any]) -> Against | None:
    """
    Return what is against it besides that nothing allows it.

    Source: botocore iam EvaluationResult (verified). A Deny may stand in the boundary, or in an organization's policy.
    """
    if (told.get(_ORGANIZATIONS) or {}).get("AllowedByOrganizations") is False:
        return "organization"
    if (told.get("PermissionsBoundaryDecisionDetail") or {}).get("AllowedByPermissionsBoundary") is False:
        return "boundary"
    return "deny" if decision == "explicitDeny" else None


def _permit(key: PermitKey, roles: Sequence[str], answers: _Answers) -> Permit:
    run = answers.get((RUN_TASK, key.definition), _NOTHING)
    passed = {role: answers.get((PASS_ROLE, role), _NOTHING) for role in roles}
    tag = answers.get((TAG_RESOURCE, tasks_of(key.cluster)), _NOTHING) if key.tags else _NOTHING
    every = [(RUN_TASK, run), (TAG_RESOURCE, tag), *((PASS_ROLE, said) for said in passed.values())]
    return Permit(
        run_task=run.answer,
        pass_role={role: said.answer for role, said in passed.items()},
        tag_resource=tag.answer,
        any_family=answers.get((RUN_TASK, any_family(key.definition)), _NOTHING).answer,
        any_role=answers.get((PASS_ROLE, any_role(key.role)), _NOTHING).answer,
        against={action: said.against for action, said in every if said.against},
        missing_context=tuple(sorted({name for said in (run, tag, *passed.values()) for name in said.missing})),
    )
