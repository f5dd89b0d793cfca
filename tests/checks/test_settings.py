"""The settings file: a check off or of another severity, each with a reason; what cannot be is refused at once."""

import pytest

from ecs_runbook.checks.settings import Settings, read_settings
from ecs_runbook.errors import SpecError

FINE = """
[checks.no-dead-letter-queue]
severity = "warning"
because = "we agreed on it"

[checks.policy-too-wide]
off = true
because = "shared roles; OPS-12"
"""


def test_a_file_turns_one_check_off_and_makes_another_graver(tmp_path):
    path = tmp_path / "checks.toml"
    path.write_text(FINE)
    settings = read_settings(path)
    assert settings.off == {"policy-too-wide": "shared roles; OPS-12"}
    assert settings.severities == {"no-dead-letter-queue": "warning"}
    assert settings.reasons == {"no-dead-letter-queue": "we agreed on it"}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"checks": {"pined-revision": {"off": True, "because": "x"}}}, "did you mean pinned-revision?"),
        ({"checks": {"xyz": {"off": True, "because": "x"}}}, "there is no such check; there are inventory"),
        ({"checks": {"pinned-revision": {"off": True}}}, "checks.pinned-revision.because = None: say why"),
        ({"checks": {"pinned-revision": {"off": True, "because": "  "}}}, "say why, in words"),
        ({"checks": {"pinned-revision": {"because": "x"}}}, "say off = true, or a severity"),
        ({"checks": {"pinned-revision": {"severity": "fatal", "because": "x"}}}, "write error, warning, note"),
        ({"checks": {"pinned-revision": {"off": "yes", "because": "x"}}}, "checks.pinned-revision.off = 'yes'"),
        (
            {"checks": {"pinned-revision": {"of": True, "because": "x"}}},
            "checks.pinned-revision.of = True: there are off",
        ),
        ({"checks": {"pinned-revision": True}}, "write a table with off or severity, and because"),
        ({"checks": ["pinned-revision"]}, "write [checks.<id>] tables"),
        ({"check": {}}, "the file has [checks.<id>] tables"),
        ({"checks": {"inventory": {"off": True, "because": "x"}}}, "what could not be listed is always told"),
    ],
)
def test_what_cannot_be_is_refused_and_named(told, words):
    with pytest.raises(SpecError) as refused:
        Settings.of(told, "checks.toml")
    assert str(refused.value).startswith("checks.toml cannot be used:")
    assert words in str(refused.value)


def test_every_fault_is_named_at_once():
    told = {"checks": {"a": {"off": True, "because": "x"}, "pinned-revision": {"severity": "fatal"}}}
    with pytest.raises(SpecError) as refused:
        Settings.of(told)
    assert len(refused.value.faults) == 3


def test_a_file_that_is_not_there_and_one_that_is_no_toml_are_named(tmp_path):
    with pytest.raises(SpecError, match=r"none\.toml' cannot be read: No such file"):
        read_settings(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[checks\n")
    with pytest.raises(SpecError, match=r"bad\.toml is not TOML"):
        read_settings(tmp_path / "bad.toml")
