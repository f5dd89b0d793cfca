"""What a check is asked is held against what there is before anything is asked of AWS."""

from datetime import UTC, datetime, timedelta

import pytest

from ecs_runbook.checks.asked import asked
from ecs_runbook.errors import SpecError

NOW = datetime(2026, 11, 24, 7, tzinfo=UTC)
SETTINGS = """\
[checks.no-retry-policy]
off = true
because = "agreed <in> June"

[checks.no-dead-letter-queue]
severity = "error"
because = "a letter was lost"
"""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hours": 0.0}, "hours = 0.0: write more than 0 and at most 2160: CloudTrail keeps 90 days"),
        ({"hours": float("nan")}, "hours = nan: write more than 0"),
        ({"hours": 3000.0}, "hours = 3000.0: write more than 0"),
        ({"timezone": "Europe/Lodnon"}, "did you mean Europe/London"),
        ({"fail_on": "warnings"}, "fail_on = 'warnings': write error, warning or note"),
        ({"checks": "nowhere.toml"}, "nowhere.toml' cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_with_the_mend(given, words, tmp_path, monkeypatch):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    with pytest.raises(SpecError) as refused:
        asked(now=NOW, **given)
    assert words in str(refused.value)


def test_a_settings_file_is_found_where_the_notebooks_lie_and_what_it_changes_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    (tmp_path / "checks.toml").write_text(SETTINGS)
    question = asked(now=NOW, hours=2.5, checks="checks.toml", fail_on="error")
    assert (question.since, question.until, question.fail_on) == (NOW - timedelta(hours=2.5), NOW, "error")
    assert str(question).splitlines() == [
        "runs are looked at: Tue 24 Nov 2026 04:30 UTC to Tue 24 Nov 2026 07:00 UTC",
        "NG is: an error",
        "no-retry-policy is off: because agreed <in> June",
        "no-dead-letter-queue is: error, because a letter was lost",
    ]
    assert "because agreed &lt;in&gt; June" in question._repr_html_()
