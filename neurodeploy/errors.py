"""Every error a user can meet: a stable code, what it is about, the need, the limit and the nearest fix.

Codes: ND1xxx models, texts and other input; ND2xxx mapping and budgets; ND3xxx running; ND4xxx targets;
ND5xxx bundles and output files; ND9xxx our own bugs. Exit status of the command line: 0 done, 1 our bug,
2 user error, 3 does not fit, 4 target unavailable, 130 interrupted.
"""

from __future__ import annotations


def some(number: float, thing: str, form: str = "") -> str:
    """1, "core" -> "1 core"; 2 -> "2 cores"; the number in the format `form`."""
    return f"{number:{form}} {thing}{'' if number == 1 else 's'}"


class NeurodeployError(Exception):
    """Base of all errors that this project raises on purpose.

    Parameters
    ----------
    code : stable identifier such as ``"ND1002"``, listed in ``docs/errors.md``.
    subject : the object it is about (a file, a tensor, a layer, a core).
    problem : what is wrong, with the need and the limit as numbers where there are any.
    fix : the nearest thing the user can do about it.
    """

    exit_status = 1

    def __init__(self, code: str, subject: object, problem: str, fix: str = "") -> None:
        self.code = code
        self.subject = str(subject)
        self.problem = problem
        self.fix = fix
        super().__init__(f"{code} {self.subject}: {problem}" + (f"; {fix}" if fix else ""))

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.code, self.subject, self.problem, self.fix))

    def to_json(self) -> dict[str, str]:
        """The error as the object that ``--json`` prints under the key ``error``."""
        return {"code": self.code, "subject": self.subject, "problem": self.problem, "fix": self.fix}


class UserError(NeurodeployError):
    """Something in the user's input: a file, a flag, a text, a model that we do not know."""

    exit_status = 2


class ModelError(UserError):
    """A model file that cannot be read, is not supported, or contradicts itself (ND1xxx)."""


class BundleError(UserError):
    """A bundle or an output file that is damaged, incomplete, too new or cannot be written (ND5xxx)."""


class DoesNotFit(NeurodeployError):
    """A budget that the model exceeds: says how much it needs and what would help (ND2xxx)."""

    exit_status = 3


class TargetUnavailable(NeurodeployError):
    """A board, a simulator or a library that is not here (ND4xxx)."""

    exit_status = 4


class Interrupted(NeurodeployError):
    """The user (Ctrl-C) or the system (a request to terminate) ended the work (ND3008)."""

    exit_status = 130


class InternalError(NeurodeployError):
    """A broken promise of our own code (ND9xxx): please report it."""

    exit_status = 1
