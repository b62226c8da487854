"""Errors that a user can mend.

::

    SynthgateError          where, what, how to mend it (exit code 2)
    ├── DataError           a table cannot be read or compared
    ├── GateFileError       the gate file, a preset or a declared check says something impossible
    ├── NotPassedError      data without a passing result was about to be used
    └── UsageError          arguments that do not go together

Anything else that escapes is a defect of synthgate itself (exit code 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class SynthgateError(Exception):
    """A request that cannot be carried out, worded for the person who made it.

    Parameters
    ----------
    where : str
        The file, table or column, with its line where there is one.
    problem : str
        What was found, and what was expected.
    fix : str
        How to mend it.
    """

    def __init__(self, where: str, problem: str, fix: str = "") -> None:
        super().__init__(f"{where}: {problem}" + (f"\n  fix: {fix}" if fix else ""))
        self.where = where
        self.problem = problem
        self.fix = fix


class DataError(SynthgateError):
    """A table cannot be read, or two tables cannot be compared."""


class GateFileError(SynthgateError):
    """A gate file, preset or declared check says something that cannot be carried out."""


class NotPassedError(SynthgateError):
    """Data was about to be used that has no passing result."""


class UsageError(SynthgateError):
    """Arguments that do not go together."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Word the fix for a misspelt name.

    Examples
    --------
    >>> nearest("fidelity.colums", ["fidelity.columns", "fidelity.pairs"])
    "did you mean 'fidelity.columns'?"
    """
    names = sorted(str(name) for name in known)
    close = get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"use one of: {', '.join(names)}"
