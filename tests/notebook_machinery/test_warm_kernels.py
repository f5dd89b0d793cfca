"""Warm kernels run notebooks as ordinary kernels do, only sooner, and leave nothing behind."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from ecs_runbook.demo.kernels import Warm, _manager, warm_kernels
from ecs_runbook.reports.page import quick_imports

with quick_imports():
    from nbclient.exceptions import DeadKernelError
    from papermill import PapermillExecutionError

PRELOAD = ("ipykernel.kernelapp", "colorsys", "no_such_module_anywhere")

warm_only = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels") / "kernels.log"


@pytest.fixture(scope="module")
def execute(log):
    with warm_kernels(preload=PRELOAD, log=log) as execute:
        yield execute


@pytest.fixture
def notebook(tmp_path):
    def written(*sources, name="some {name}.ipynb"):
        declaration = new_code_cell("word: str = ''", metadata={"tags": ["parameters"]})
        # a kernelspec of this name that belongs to another Python must not matter
        spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
        path = tmp_path / name
        nbformat.write(
            new_notebook(cells=[declaration, *map(new_code_cell, sources)], metadata={"kernelspec": spec}), path
        )
        return path

    return written


def text(path, cell=-1):
    return nbformat.read(path, as_version=4).cells[cell].outputs[0].text


def test_parameters_folder_environment_and_interpreter_are_its_own(execute, notebook, tmp_path):
    source = (
        "import os, sys; print([word, os.getcwd(), dict(os.environ).get('MINE'), 'HOME' in os.environ, sys.executable])"
    )
    out, elsewhere = tmp_path / "out {x}.ipynb", tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = {"MINE": "yes", "PATH": os.environ["PATH"], "JUPYTER_PLATFORM_DIRS": "1"}
    execute(notebook(source), out, parameters={"word": "${a} 'b'\n"}, cwd=elsewhere, env=env)
    assert (
        text(out) == f"{['${a} ' + chr(39) + 'b' + chr(39) + chr(10), str(elsewhere), 'yes', False, sys.executable]}\n"
    )


def test_the_folder_is_the_notebooks_own_if_none_is_named(execute, notebook, tmp_path):
    execute(notebook("import os; print(os.getcwd())"), tmp_path / "out.ipynb")
    assert text(tmp_path / "out.ipynb") == f"{tmp_path}\n"


@warm_only
def test_a_kernel_is_forked_with_what_was_imported(execute, notebook, tmp_path):
    source = "import os, sys; print(os.getppid(), 'colorsys' in sys.modules)"
    execute(notebook(source), tmp_path / "out.ipynb")
    assert text(tmp_path / "out.ipynb") == f"{execute._server._process.pid} True\n"


def test_kernels_share_neither_variables_nor_random_numbers(execute, notebook, tmp_path):
    path = notebook("import os, random; print(random.random(), 'left' in globals()); left = os.environ['LEFT'] = '1'")
    texts = []
    for number in range(2):
        execute(path, tmp_path / f"{number}.ipynb")
        texts.append(text(tmp_path / f"{number}.ipynb").split())
    assert texts[0][0] != texts[1][0]
    assert [words[1] for words in texts] == ["False", "False"]
    assert "LEFT" not in os.environ


def test_two_at_a_time_do_not_disturb_each_other(execute, notebook, tmp_path):
    here = Path.cwd()
    path = notebook("import os; print(os.getcwd(), os.environ['MINE'])")

    def run(name):
        (tmp_path / name).mkdir()
        execute(path, tmp_path / f"{name}.ipynb", cwd=tmp_path / name, env={**os.environ, "MINE": name})
        return text(tmp_path / f"{name}.ipynb")

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(run, ["a", "b"])) == [f"{tmp_path / 'a'} a\n", f"{tmp_path / 'b'} b\n"]
    assert Path.cwd() == here


def test_pictures_are_shown_in_the_notebook(execute, notebook, tmp_path):
    execute(notebook("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"), tmp_path / "out.ipynb")
    [output] = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs
    assert output.data["image/png"]


def test_a_cell_that_raises_is_raised_here_and_what_ran_is_written(execute, notebook, tmp_path):
    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError: division by zero"):
        execute(notebook("print('before')", "1 / 0"), tmp_path / "out.ipynb")
    assert "ZeroDivisionError" in (tmp_path / "out.ipynb").read_text()


def test_a_kernel_that_dies_is_told_with_its_last_words(execute, notebook, tmp_path):
    path = notebook(
        "import os, signal\nos.system('echo these are my last words >&2')\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    with pytest.raises(DeadKernelError) as caught:
        execute(path, tmp_path / "out.ipynb")
    assert "these are my last words" in "".join(caught.value.__notes__)


@asynccontextmanager
async def started(execute, folder):
    manager = _manager(execute._server, folder, None)(kernel_name="python3")
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        await manager.shutdown_kernel()
        client.stop_channels()


async def keep_busy(client):
    """Return once the kernel is in the middle of a cell that takes a minute."""
    busy = "import threading\nprint('begun', flush=True)\nthreading.Event().wait(60)"
    # else a kernel aborts, for a moment after an error, whatever else is asked: the next cell's fate would be a race
    client.execute(busy, stop_on_error=False)
    while (await client.get_iopub_msg(timeout=60))["content"].get("text") != "begun\n":
        pass


def test_a_busy_kernel_can_be_interrupted_and_goes_on(execute, tmp_path):
    async def interrupted():
        async with started(execute, tmp_path) as (manager, client):
            await keep_busy(client)
            await manager.interrupt_kernel()
            stopped = await client.get_shell_msg(timeout=60)
            client.execute("1")
            return stopped["content"]["ename"], (await client.get_shell_msg(timeout=60))["content"]["status"]

    assert asyncio.run(interrupted()) == ("KeyboardInterrupt", "ok")


def test_every_running_notebook_can_be_interrupted_at_once(execute, notebook, tmp_path):
    fifos = [tmp_path / name for name in ("left", "right")]
    for fifo in fifos:
        os.mkfifo(fifo)
    with ThreadPoolExecutor(2) as pool:
        waiting = f"open({str(tmp_path)!r} + '/' + side, 'w').close()\nimport threading; threading.Event().wait(60)"
        path = notebook(waiting)
        ran = [
            pool.submit(execute, path, tmp_path / f"{fifo.name}.ipynb", parameters={"side": fifo.name})
            for fifo in fifos
        ]
        for fifo in fifos:
            fifo.open().close()  # until the cell has begun
        execute.interrupt()
        assert [run.exception().ename for run in ran] == ["KeyboardInterrupt", "KeyboardInterrupt"]


def test_a_busy_kernel_is_ended_with_its_manager(execute, tmp_path):
    async def ended():
        async with started(execute, tmp_path) as (manager, client):
            await keep_busy(client)
            return manager.provisioner.pid

    assert not psutil.pid_exists(asyncio.run(ended()))


@warm_only
def test_nothing_is_left_behind(tmp_path):
    async def left_running(execute):
        manager = _manager(execute._server, tmp_path, None)(kernel_name="python3")
        await manager.start_kernel()
        return manager.provisioner.pid

    with warm_kernels(preload=("ipykernel.kernelapp",), log=tmp_path / "log") as execute:
        kernel, server = asyncio.run(left_running(execute)), execute._server._process.pid
        assert psutil.Process(kernel).ppid() == server
    assert not psutil.pid_exists(kernel)
    assert not psutil.pid_exists(server)


@warm_only
def test_where_the_server_has_died_an_ordinary_kernel_is_started(notebook, tmp_path):
    with warm_kernels(preload=("ipykernel.kernelapp",), log=tmp_path / "log") as execute:
        execute._server._process.kill()
        execute._server._process.wait()
        execute(notebook("import os; print(os.getppid())"), tmp_path / "out.ipynb")
    assert text(tmp_path / "out.ipynb") == f"{os.getpid()}\n"


def test_without_a_server_an_ordinary_kernel_is_started(notebook, tmp_path):
    Warm(None, None)(
        notebook("import os; print(os.getppid(), word)"), tmp_path / "out.ipynb", parameters={"word": "said"}
    )
    assert text(tmp_path / "out.ipynb") == f"{os.getpid()} said\n"
