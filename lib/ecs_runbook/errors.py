"""
What can go wrong, and what to do next.

Every error of this library is a :class:`RunbookError` and carries a ``hint``: the next thing to do::

    RunbookError
    ├── WorkspaceError         a folder that must be written cannot be
    ├── ParameterError         a notebook got a parameter that it does not have, or of the wrong type
    ├── SpecError              what should run is not well said; carries every fault
    │   └── ScheduleError      a schedule expression that AWS would refuse
    ├── SessionError           the AWS that was named is not the AWS that answered
    │   ├── AccountMismatch    another account than the one that was named
    │   └── NotLoopback        a local endpoint that is not on this machine
    ├── AwsError               AWS refused a call; carries AWS's own code and words
    ├── LocalAwsError          the local AWS could not be started, stopped or asked
    ├── TerraformError         Terraform refused; carries resource, summary and detail
    │   ├── TerraformMissing   no Terraform, or one too old
    │   └── ProviderMissing    the AWS provider is not to be had
    ├── EvidenceError          what was asked for is not there to be judged
    └── NotOk                  the verdict is not OK; the report is saved already
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RunbookError(Exception):
    """
    The root of every error here.

    Parameters
    ----------
    message
        What is wrong: the field, the value, and what would be right.
    hint
        The next thing to do.

    Examples
    --------
    >>> str(RunbookError("port 5000 is taken.", hint="Choose another with --port."))
    'port 5000 is taken. Choose another with --port.'
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def _render_traceback_(self) -> list[str]:
        """Show a notebook's reader the sentence, not the way to it: IPython asks for this."""
        return [f"{type(self).__name__}: {self}"]


class WorkspaceError(RunbookError):
    """A folder that must be written cannot be."""


class ParameterError(RunbookError):
    """A notebook got a parameter that it does not have, or of the wrong type."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a spec: the field, the value, and what would be right."""

    field: str
    value: str
    mend: str

    def __str__(self) -> str:
        return f"{self.field} = {self.value}: {self.mend}"


class SpecError(RunbookError):
    """What should run is not well said; ``faults`` has every fault at once."""

    def __init__(self, message: str, *, faults: Sequence[Fault] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n  - ".join([self.message, *map(str, self.faults)]) + (f"\n{self.hint}" if self.hint else "")


class ScheduleError(SpecError):
    """A schedule expression that AWS would refuse."""


class SessionError(RunbookError):
    """The AWS that was named is not the AWS that answered."""


class AccountMismatch(SessionError):
    """Another account answered than the one that was named."""


class NotLoopback(SessionError):
    """A local endpoint that is not on this machine."""


class AwsError(RunbookError):
    """
    AWS refused a call.

    Parameters
    ----------
    operation
        The API's name for the call, ``ecs:RunTask``.
    code, message
        AWS's own code and words.
    hint
        The next thing to do.

    Examples
    --------
    >>> str(AwsError("s3:ListBucket", "NoSuchBucket", "The specified bucket does not exist", hint="Look for it."))
    's3:ListBucket was refused: NoSuchBucket: The specified bucket does not exist. Look for it.'
    """

    def __init__(self, operation: str, code: str, message: str, *, hint: str = "") -> None:
        # AWS often leaves out the full stop
        end = "" if not hint or message.rstrip().endswith((".", "!", "?")) else "."
        super().__init__(f"{operation} was refused: {code}: {message}{end}", hint=hint)
        self.operation = operation
        self.code = code
        self.words = message


class LocalAwsError(RunbookError):
    """The local AWS could not be started, stopped or asked."""


class TerraformError(RunbookError):
    """
    Terraform refused.

    Parameters
    ----------
    summary, detail
        Terraform's own words.
    address
        The resource that it speaks of, if it names one.
    hint
        The next thing to do.
    """

    def __init__(self, summary: str, *, detail: str = "", address: str = "", hint: str = "") -> None:
        super().__init__(": ".join(part for part in (address, summary, detail) if part), hint=hint)
        self.summary = summary
        self.detail = detail
        self.address = address


class TerraformMissing(TerraformError):
    """No Terraform on this machine, or one too old."""


class ProviderMissing(TerraformError):
    """The AWS provider is not to be had."""


class EvidenceError(RunbookError):
    """What was asked for is not there to be judged."""


class NotOk(RunbookError):
    """The verdict is not OK; the report is saved already."""
