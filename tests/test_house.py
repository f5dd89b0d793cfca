"""The house itself: which way imports run, what a notebook looks like, and that what is written twice agrees."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

from ecs_runbook import parameters

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lib" / "ecs_runbook"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

FLOW = [
    "wanted",
    "terraform",
    "lint",
    "patch",
    "firing",
    "evidence",
    "moving",
    "inventory",
    "diagnosis",
    "verdicts",
    "checks",
    "past",
    "adopt",
    "rollback",
    "rehearsal",
    "reports",
]
COMMON = {"errors", "workspace", "progress", "parameters", "session", "shelf"}
MAY_START_THE_LOCAL_AWS = {"session", "cli", "demo"}


def imported_rooms(path):
    """Rooms of the package that a module imports, wherever in its text."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("ecs_runbook."):
                yield name.split(".")[1]


def modules_of(room):
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]


@pytest.mark.parametrize("room", FLOW)
def test_a_room_imports_only_rooms_to_its_left(room):
    allowed = {*FLOW[: FLOW.index(room) + 1], *COMMON}
    for module in modules_of(room):
        assert set(imported_rooms(module)) <= allowed, module


@pytest.mark.parametrize("room", sorted(COMMON))
def test_what_all_rooms_share_imports_none_of_them(room):
    for module in modules_of(room):
        extra = {"local_aws"} if room in MAY_START_THE_LOCAL_AWS else set()
        assert set(imported_rooms(module)) <= COMMON | extra, module


def test_nothing_but_the_session_the_command_line_and_the_demo_knows_the_local_aws():
    for module in PACKAGE.rglob("*.py"):
        room = module.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room not in MAY_START_THE_LOCAL_AWS | {"local_aws"}:
            assert "local_aws" not in set(imported_rooms(module)), module


def test_the_local_aws_borrows_nothing_but_the_grammar_of_schedules():
    for module in modules_of("local_aws"):
        assert set(imported_rooms(module)) <= {"local_aws", "wanted", "errors", "workspace"}, module


def test_importing_the_library_loads_nothing_heavy():
    heavy = {"boto3", "pandas", "matplotlib", "pydantic", "moto", "papermill", "nbconvert"}
    code = "import sys, ecs_runbook; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "ecs_runbook" in loaded
    assert heavy.isdisjoint(loaded)


def test_every_public_name_is_there():
    import ecs_runbook

    for name in ecs_runbook.__all__:
        assert callable(getattr(ecs_runbook, name)), name


def test_there_are_the_notebooks_of_the_main_job():
    tens = [path.stem.split("_")[0] for path in NOTEBOOKS]
    assert {"00", "10", "20", "30", "40", "90"} <= set(tens)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_tells_and_does_not_program(path):
    book = nbformat.read(path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    for cell in code:
        tree = ast.parse(cell.source)
        programs = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.Lambda)
        assert not any(isinstance(node, programs) for node in ast.walk(tree)), cell.source
        if "parameters" not in cell.metadata.get("tags", []):
            assert len(cell.source.splitlines()) <= 12, cell.source
    pairs = zip(book.cells[3:], book.cells[2:], strict=False)
    assert all(before.cell_type == "markdown" for cell, before in pairs if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_opens_with_its_question_and_its_parameters_and_closes_with_its_verdict(path):
    book = nbformat.read(path, as_version=4)
    head, parameters, imports = book.cells[:3]
    assert all(f"**{word}**" in head.source for word in ("Question", "Changes", "Takes", "Costs"))
    assert parameters.metadata.get("tags") == ["parameters"]
    for node in ast.parse(parameters.source).body:
        assert isinstance(node, ast.AnnAssign), ast.unparse(node)
        ast.literal_eval(node.value)
    described = [line for line in parameters.source.splitlines() if re.match(r"\w+: ", line)]
    assert all("  # " in line or line.rstrip().endswith(("[", "{")) for line in described)
    assert f'begin("{path.stem}")' in imports.source
    assert book.cells[-1].metadata.get("tags") == ["verdict"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebooks_own_parameters_are_such_as_it_takes(path):
    source = nbformat.read(path, as_version=4).cells[1].source
    names: dict[str, object] = {}
    exec(source, names)
    assert parameters.check(names, [source, "begin"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_that_changes_aws_says_so_first(path):
    book = nbformat.read(path, as_version=4)
    source = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    changing = re.search(
        r"\.apply\(|\.destroy\(|\bfire\(|\bregister_again\(|\bderegister|\broll_back\(|\brehearse\(", source
    )
    assert ("CHANGES" in book.cells[0].source) == bool(changing)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_bare(path):
    book = nbformat.read(path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_the_readme_lists_every_notebook():
    readme = (ROOT / "README.md").read_text()
    listed = re.findall(r"notebooks/(\w+)\.ipynb\)", readme)
    assert sorted(set(listed)) == [path.stem for path in NOTEBOOKS]


def test_the_first_notebook_lists_every_other():
    book = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    listed = re.findall(r"^\| \[(\w+)\]\(\1\.ipynb\)", "\n".join(cell.source for cell in book.cells), re.MULTILINE)
    assert listed == [path.stem for path in NOTEBOOKS if path.stem != "00_start_here"]


def test_conda_gets_the_same_as_pip():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    from ecs_runbook.terraform.binary import NEEDED

    assert f"python{project['requires-python']}" in conda
    assert f"terraform>={'.'.join(map(str, NEEDED))}" in conda
    (pip,) = (entry["pip"] for entry in conda if isinstance(entry, dict))
    (line,) = pip
    extras = re.fullmatch(r"--editable \.\[([a-z,]+)\]", line).group(1).split(",")
    assert set(extras) == set(project["optional-dependencies"])


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_a_lock_pins_hashes_and_names_no_registry(lock):
    text = lock.read_text()
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert all("==" in entry.splitlines()[0] and "--hash=sha256:" in entry for entry in requirements)
    assert not re.search(r"https?://|index-url|find-links", text)


def test_the_lock_has_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "base.lock").read_text(), re.MULTILINE))
    assert {re.match(r"[A-Za-z0-9-]+", one).group().lower() for one in asked} <= pinned
