"""
Say what should run on a schedule in ECS; build it; fire it; show what ran, and why it did not.

The rooms, in the order of the flow; a room imports only from rooms above it, and from ``errors``, ``workspace``,
``progress``, ``parameters``, ``session`` and ``shelf``::

    wanted      what should run, and when
    terraform   write it, read it, run it
    lint        the mistakes that can be seen before anything runs
    patch       those that stand in somebody's own files, mended by the smallest edits
    firing      run it now, through EventBridge itself
    evidence    which revision ran, from ECS and CloudTrail
    moving      a rule's job on its way to EventBridge Scheduler
    inventory   everything on a schedule that ends in ECS, and what AWS says of all that it names
    diagnosis   why something did not run, and the mend
    verdicts    OK, NG or SKIP, each with because
    checks      what 60_check judges of each
    past        what ran long ago, from log files, Athena, an archive: the same table of each
    adopt       what is there already, taken into Terraform as it is
    rollback    back from a bad revision
    rehearsal   each classic mistake, made on purpose
    reports     the picture, the receipt, the page

``local_aws`` is the AWS that is there before anyone has an account; only ``session`` and the command line start it.
``demo`` runs the notebooks one after another, as `make demo` does.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Terraform": "terraform.run",
    "adopt_in_terraform": "adopt.adopt",
    "adoption_receipt": "adopt.adopt",
    "archiving": "reports.archiving",
    "asked": "checks.asked",
    "attempts": "reports.attempts",
    "begin": "reports.run",
    "both": "lint.check",
    "causes_picture": "reports.causes",
    "check": "checks.check",
    "check_plan": "lint.check",
    "check_receipt": "reports.check_files",
    "choose_mistakes": "rehearsal.mistakes",
    "compared": "rollback.situation",
    "connect": "session",
    "deregister": "firing.revision",
    "details": "reports.details",
    "earlier_checks": "reports.history",
    "existing": "adopt.existing",
    "explain": "diagnosis.explain",
    "explain_all": "diagnosis.explain",
    "failures": "diagnosis.failures",
    "failures_by_week": "reports.long_time",
    "failures_that_last": "reports.long_time",
    "find_terraform": "terraform.folders",
    "fire": "firing.drill",
    "fire_twice": "firing.twice",
    "fleet": "inventory.fleet",
    "gate": "checks.gate",
    "heat_map": "reports.heat_map",
    "history": "past.questions",
    "in_short": "reports.long_tables",
    "installed": "verdicts.installed",
    "judge_adoption": "adopt.verdict",
    "judge_applied": "verdicts.steps",
    "judge_checked": "checks.outcome",
    "judge_failures": "verdicts.failures",
    "judge_fired": "verdicts.steps",
    "judge_gate": "checks.gate",
    "judge_gone": "verdicts.steps",
    "judge_history": "past.verdict",
    "judge_installed": "verdicts.installed",
    "judge_lint": "verdicts.lint",
    "judge_move": "verdicts.moving",
    "judge_plan": "verdicts.steps",
    "judge_registered": "verdicts.steps",
    "judge_rehearsed": "rehearsal.verdict",
    "judge_rolled_back": "rollback.verdict",
    "judge_runs": "verdicts.runs",
    "judge_schedule": "verdicts.steps",
    "judge_twice": "verdicts.steps",
    "judged": "verdicts.verdict",
    "kept_in": "adopt.kept",
    "last_revisions": "rollback.family",
    "lint_terraform": "lint.check",
    "long_table": "reports.long_tables",
    "look_back": "past.asked",
    "move_to_scheduler": "moving.move",
    "never_ran": "reports.long_time",
    "next_runs": "wanted.schedule",
    "open_source": "past.opening",
    "past_runs": "past.runs",
    "prove": "rollback.proof",
    "publication": "reports.publish",
    "read_content": "rollback.content",
    "read_plan": "adopt.planned",
    "register_again": "firing.revision",
    "rehearse": "rehearsal.rehearse",
    "revisions": "evidence.revisions",
    "revisions_over_time": "reports.long_time",
    "roll_back": "rollback.go",
    "runs": "evidence.runs",
    "same_runs": "moving.comparing",
    "save_check": "reports.check_files",
    "save_history": "reports.long_tables",
    "scheduled_rule": "moving.rule",
    "side_by_side": "reports.kinds",
    "sightings": "diagnosis.sighting",
    "situation": "rollback.situation",
    "spec": "wanted.spec",
    "still_known": "past.still_known",
    "summary": "reports.summary",
    "take_inventory": "inventory.listing",
    "target_list": "reports.target_list",
    "the_problem": "reports.problem",
    "timeline": "reports.timeline",
    "to_adopt": "adopt.choosing",
    "upcoming_runs": "wanted.kinds",
    "users": "rollback.users",
    "waits_for_first_run": "reports.long_time",
    "what_is_left": "evidence.remains",
    "what_they_name": "adopt.around",
    "who_rewrites": "adopt.rewriters",
    "write_adoption": "adopt.adopt",
    "write_move": "moving.files",
    "write_terraform": "terraform.folders",
}
"""What notebooks import from here, and its module: loaded when asked for, so that importing is cheap."""

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
