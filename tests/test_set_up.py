"""The set-up builds once, says what is wrong in one sentence, and leaves nothing half-done."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))
import set_up  # noqa: E402


@pytest.fixture
def place(monkeypatch, tmp_path):
    """A checkout of its own, in which nothing is run: what would be is noted."""
    for name, where in {
        "ROOT": tmp_path,
        "VENV": tmp_path / ".venv",
        "MARK": tmp_path / ".venv" / "built-from",
    }.items():
        monkeypatch.setattr(set_up, name, where)
    for name in ("BASE", "TERRAFORM"):
        lock = tmp_path / f"{name.lower()}.lock"
        lock.write_text(f"{name}==1\n")
        monkeypatch.setattr(set_up, name, lock)
    monkeypatch.setattr(set_up, "has_terraform", lambda: True)
    ran = []

    def run(command, failure, *, progress=""):
        ran.append([str(part) for part in command])
        python = set_up.python()
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    monkeypatch.setattr(set_up, "run", run)
    return tmp_path, ran


def test_what_is_built_is_reused_while_the_lock_is_unchanged(place):
    folder, ran = place
    set_up.set_up()
    first = len(ran)
    set_up.set_up()
    assert first > 0
    assert len(ran) == first
    (folder / "base.lock").write_text("BASE==2\n")
    set_up.set_up()
    assert len(ran) == 2 * first


def test_an_environment_that_was_moved_here_is_built_anew(place, monkeypatch):
    folder, ran = place
    set_up.set_up()
    first = len(ran)
    moved = folder.with_name("moved")
    (folder / ".venv").rename(moved)
    monkeypatch.setattr(set_up, "ROOT", moved)
    monkeypatch.setattr(set_up, "VENV", moved)
    monkeypatch.setattr(set_up, "MARK", moved / "built-from")
    set_up.set_up()
    assert len(ran) == 2 * first


def test_an_environment_whose_python_is_gone_is_built_anew(place):
    _, ran = place
    set_up.set_up()
    first = len(ran)
    set_up.python().unlink()
    set_up.python().symlink_to("no-longer-there")
    set_up.set_up()
    assert len(ran) == 2 * first


def test_every_requirement_is_checked_by_its_hash(place):
    _, ran = place
    set_up.set_up()
    installs = [command for command in ran if "--requirement" in command]
    assert installs
    assert all("--require-hashes" in command for command in installs)


def test_terraform_is_brought_in_only_where_there_is_none(place, monkeypatch):
    folder, ran = place
    set_up.set_up()
    assert not any(str(folder / "terraform.lock") in command for command in ran)
    monkeypatch.setattr(set_up, "has_terraform", lambda: False)
    set_up.set_up()
    assert any(str(folder / "terraform.lock") in command for command in ran)


def test_terraform_that_comes_to_path_later_builds_nothing_anew(place, monkeypatch):
    _, ran = place
    with monkeypatch.context() as patch:
        patch.setattr(set_up, "has_terraform", lambda: False)
        set_up.set_up()
    before = len(ran)
    set_up.set_up()
    assert len(ran) == before


def test_an_interrupted_build_is_built_again_and_what_worked_is_kept(place, monkeypatch):
    folder, _ = place
    set_up.set_up()
    (folder / ".venv" / "works").write_text("")
    (folder / "base.lock").write_text("BASE==2\n")

    def interrupted(*_arguments, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(set_up, "pip", interrupted)
        assert set_up.main() == "set-up: interrupted; the next `make` starts it afresh."
    assert (folder / ".venv" / "works").is_file()
    assert set_up.main() == 0
    assert not (folder / ".venv" / "works").exists()
    assert "base.lock" in set_up.MARK.read_text()


def test_an_old_python_is_told_which_one_is_needed(place, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert "Python 3.11 or newer is needed, this is 3.9" in set_up.main()


def test_a_folder_that_may_not_be_written_is_said(place, monkeypatch):
    monkeypatch.setattr(set_up.os, "access", lambda _path, _mode: False)
    said = set_up.main()
    assert "cannot be written to" in said
    assert "write access" in said


def test_a_failing_command_is_told_with_its_own_words():
    words = "print('WARNING: NewConnectionError, again'); print('ERROR: no matching distribution for moto')"
    command = [sys.executable, "-c", f"{words}; raise SystemExit(1)"]
    with pytest.raises(set_up.SetUpFailed, match=r"base.lock could not be installed: ERROR: no matching distribution"):
        set_up.run(command, "base.lock could not be installed")


def test_the_set_up_needs_nothing_but_the_standard_library():
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT / 'lib')!r}); import set_up",
    ]
    subprocess.run(command, check=True)
