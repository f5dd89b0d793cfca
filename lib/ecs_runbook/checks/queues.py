"""What becomes of a run that could not start: whether it is tried again, kept, and what was kept already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.permissions import EVENTS, deed, source_of
from ecs_runbook.checks.policies import Context, conditions_that_fail, denies, lets
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.checks.saying import Check, Scene, listed, ng, ok, skip, skip_at
from ecs_runbook.diagnosis.explain import Explanation, explain
from ecs_runbook.diagnosis.sighting import sightings
from ecs_runbook.evidence.dead_letters import Letter
from ecs_runbook.inventory.model import Absent, Gap, Place, Queue, Row, Told

_EXPLAINED = 3


def _queue(arn: str, scene: Scene) -> Told[Queue]:
    return scene.facts.queues.get(arn, Gap("sqs:GetQueueAttributes", f"{_name(arn)} was not asked for"))


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def has_queue(row: Row, _scene: Scene) -> Iterator[Finding]:
    """``no-dead-letter-queue``: nothing keeps what could not be started."""
    check = "no-dead-letter-queue"
    if row.dead_letters:
        yield ok(check, row, _name(row.dead_letters))
    else:
        yield ng(check, row, "it has no dead-letter queue", f"Give {row.owner.name} a dead-letter queue.")


def retries(row: Row, _scene: Scene) -> Iterator[Finding]:
    """``no-retry-policy``: none of its own, so that AWS's default holds; or one that never tries again."""
    check, policy = "no-retry-policy", row.retry
    if policy is None:
        because = "it has no retry policy of its own: AWS tries 185 times within 24 hours"
        yield ng(check, row, because, f"Say how often, and for how long, {row.owner.name} is to be tried again.")
        return
    attempts, age = policy.get("MaximumRetryAttempts"), policy.get("MaximumEventAgeInSeconds")
    if attempts == 0:
        because = "it is never tried again: a moment's throttling loses the run"
        yield ng(check, row, because, f"Let {row.owner.name} be tried again at least a few times.")
    else:
        often = f"{attempts} times" if attempts is not None else "185 times"
        long = timedelta(seconds=int(age)) if age is not None else timedelta(days=1)
        yield ok(check, row, f"it is tried again, {often} at most within {long // timedelta(minutes=1)} minutes")


def writable(row: Row, scene: Scene) -> Iterator[Finding]:
    """``dead-letter-queue-not-writable``: the queue is gone, or nobody may put a message into it."""
    check, arn = "dead-letter-queue-not-writable", row.dead_letters
    if not arn:
        return
    queue, name = _queue(arn, scene), _name(arn)
    if wrong := _wrong_queue(row):
        yield ng(check, row, wrong, f"Give {row.owner.name} a standard queue in {row.place.region}.")
    elif isinstance(queue, Absent):
        yield ng(check, row, f"there is no queue {name}", f"Make {arn}, or let {row.owner.name} name another.")
    elif row.kind == "schedule":
        yield from _by_role(row, queue, scene)
    elif isinstance(queue, Gap):
        yield skip(check, row, queue)
    else:
        yield _by_policy(row, queue)


def _wrong_queue(row: Row) -> str:
    """Return why the queue cannot take dead letters at all, as its ARN tells."""
    region, name = row.dead_letters.split(":")[3:4], _name(row.dead_letters)
    if name.endswith(".fifo"):
        return f"{name} is a FIFO queue; dead letters go into a standard one"
    if region and region[0] != row.place.region:
        return f"{name} is in {region[0]}; dead letters go into a queue of {row.place.region}"
    return ""


def _by_policy(row: Row, queue: Queue) -> Finding:
    """Judge a rule's queue: its own policy has to let EventBridge in, for this rule."""
    check, name, context = "dead-letter-queue-not-writable", _name(queue.arn), source_of(row, EVENTS)
    answer = lets(queue.policy, EVENTS, "sqs:SendMessage", resource=queue.arn, context=context)
    if answer == "yes":
        return ok(check, row, f"the policy of {name} lets {EVENTS} send for this rule")
    if answer == "unknown":
        return ok(check, row, f"the policy of {name} lets {EVENTS} send; whether its conditions hold is not known")
    if denies(queue.policy, EVENTS, "sqs:SendMessage", resource=queue.arn, context=context):
        return _denied(row, queue.arn, f"{EVENTS} for this rule")
    failing = conditions_that_fail(queue.policy, EVENTS, "sqs:SendMessage", context=context)
    why = f"only if {listed(failing)}" if failing else "no statement of its policy does"
    because = f"{name} does not let {EVENTS} send for this rule: {why}"
    mend = f"Let {queue.arn} take sqs:SendMessage from {EVENTS} where aws:SourceArn is {row.owner.arn}."
    return ng(check, row, because, mend)


def _denied(row: Row, queue: str, sender: str) -> Finding:
    because = f"the policy of {_name(queue)} has a Deny that keeps {sender} from sending, whatever else allows it"
    mend = f"Narrow that Deny in the policy of {queue}: no Allow helps against it."
    return ng("dead-letter-queue-not-writable", row, because, mend)


def _by_role(row: Row, queue: Told[Queue], scene: Scene) -> Iterator[Finding]:
    """Judge a schedule's queue: its role, or the queue's policy by its name, has to let it send, and none deny it."""
    check, found = "dead-letter-queue-not-writable", deed(row, "sqs:SendMessage", scene)
    if found is None:
        return
    asked, answer = found
    role, name = asked.role.rpartition("/")[2], _name(asked.resource)
    if isinstance(queue, Queue) and _denied_to(queue, asked.role):
        yield _denied(row, queue.arn, role)
        return
    if answer == "allowed":
        yield ok(check, row, f"{role} may send to {name}")
        return
    if isinstance(queue, Queue) and _named_by(queue, asked.role):
        yield ok(check, row, f"the policy of {name} lets {role} send")
    elif isinstance(answer, Gap):
        yield skip(check, row, answer)
    elif isinstance(queue, Gap):
        yield skip(check, row, queue)
    elif answer == "denied":
        mend = f"Allow {asked.role} sqs:SendMessage on {asked.resource}."
        yield ng(check, row, f"{role} may not send to {name}", mend)
    elif answer == "not asked":
        yield skip(check, row, "IAM was not asked for that")


def _named_by(queue: Queue, role: str) -> bool:
    return lets(queue.policy, "", "sqs:SendMessage", resource=queue.arn, arn=role) != "no"


def _denied_to(queue: Queue, role: str) -> bool:
    """Say whether the queue's policy surely denies it to a session of *role*."""
    context: Context = {
        "aws:principalarn": [role],
        "aws:principalaccount": [role.split(":")[4]],
        "aws:principalisawsservice": ["false"],
        "aws:securetransport": ["true"],
    }
    return denies(queue.policy, "", "sqs:SendMessage", resource=queue.arn, context=context, arn=role)


# -------- what waits in it


def waiting(row: Row, scene: Scene) -> Iterator[Finding]:
    """``dead-letters-waiting``: runs of this row that could not be started, explained."""
    check, arn = "dead-letters-waiting", row.dead_letters
    queue = _queue(arn, scene) if arn else None
    if not isinstance(queue, Queue):
        return  # of a queue that could not be read, one finding tells for all its rows
    letters = [letter for letter in queue.letters if _is_of(letter, row)]
    if letters:
        yield _explained(row, letters, scene)
    elif not _unread(queue):
        yield ok(check, row, f"no message of it waits in {_name(arn)}")


def _unread(queue: Queue) -> bool:
    return bool(queue.unread) and queue.waiting > len(queue.letters)


def _is_of(letter: Letter, row: Row) -> bool:
    if letter.sender != row.owner.arn:
        return False
    several = len(row.owner.targets) > 1
    return not several or not letter.target or letter.target in (row.target.cluster, row.through)


def _explained(row: Row, letters: Sequence[Letter], scene: Scene) -> Finding:
    last = letters[-1]
    told = explanation(row, last)
    count = "1 message waits" if len(letters) == 1 else f"{len(letters)} messages wait"
    because = f"{count} in {_name(row.dead_letters)}, the last of {_when(last, scene)}: {_words(told, last)}"
    others = {_words(explanation(row, one), one) for one in letters[-_EXPLAINED:-1]} - {_words(told, last)}
    because += f"; before that: {'; '.join(sorted(others))}" if others else ""
    remedy = told.remedy if told is not None and told.known else ""
    return ng("dead-letters-waiting", row, because, remedy)


def explanation(row: Row, letter: Letter) -> Explanation | None:
    """Return what *letter* means, in *row*'s own values; None if it tells of no failure to run a task."""
    seen = sightings(letter.raw)
    if not seen:
        return None
    owner = {"schedule": row.owner.name} if row.kind == "schedule" else {"rule": row.owner.name}
    return explain(seen[0], **owner, target=row.target.raw, region=row.place.region, account=row.place.account)


def _words(told: Explanation | None, letter: Letter) -> str:
    said = told.said if told is not None else ": ".join(part for part in (letter.code, letter.message) if part)
    title = told.title if told is not None and told.known else "a cause that the catalogue does not know"
    return f"{title} ({said or 'without a word'})"


def _when(letter: Letter, scene: Scene) -> str:
    if letter.time is None:
        return "an unknown time"
    return f"{letter.time.astimezone(scene.zone):%Y-%m-%d %H:%M} {scene.zone_name}"


def of_place(place: Place, rows: Sequence[Row], scene: Scene) -> Iterator[Finding]:
    """
    Judge what waits in the queues of one place and is no single row's: unread, or of a sender that is not known.

    Yields
    ------
    Finding
        ``dead-letters-waiting``, whose subject is the queue.
    """
    by_queue: Mapping[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.dead_letters:
            by_queue[row.dead_letters].append(row)
    for arn, own in sorted(by_queue.items()):
        queue = _queue(arn, scene)
        subject = f"queue {_name(arn)}"
        if isinstance(queue, Gap):
            yield skip_at("dead-letters-waiting", place, subject, queue)
        elif isinstance(queue, Queue):
            yield from _of_queue(place, subject, queue, own)


def _of_queue(place: Place, subject: str, queue: Queue, rows: Sequence[Row]) -> Iterator[Finding]:
    strangers = [one for one in queue.letters if not any(_is_of(one, row) for row in rows)]
    if _unread(queue):
        because = f"about {queue.waiting} messages wait, and {len(queue.letters)} were read: {queue.unread}"
        yield _at(place, subject, because)
    if strangers:
        senders = list(dict.fromkeys(one.sender.rpartition("/")[2] or "an unknown sender" for one in strangers))
        count = "1 message" if len(strangers) == 1 else f"{len(strangers)} messages"
        because = f"{count} of {listed(senders)}, which are not among what was checked"
        yield _at(place, subject, because, note=True)


def _at(place: Place, subject: str, because: str, *, note: bool = False) -> Finding:
    kind = KINDS["dead-letters-waiting"]
    severity: Any = "note" if note else kind.severity
    return Finding(kind.id, place, subject, "NG", because, kind.mend, severity, kind.notebook)


CHECKS: Mapping[str, Check] = {
    "no-dead-letter-queue": has_queue,
    "no-retry-policy": retries,
    "dead-letter-queue-not-writable": writable,
    "dead-letters-waiting": waiting,
}
