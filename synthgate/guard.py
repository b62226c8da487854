"""A guard for what comes after the gate: no training on data that has not passed."""

from __future__ import annotations

from pathlib import Path

from synthgate.errors import NotPassedError
from synthgate.results import read_result
from synthgate.tables import open_table
from synthgate.verdict import Verdict


def require_pass(source: object, result: str | Path = "synthgate-report/result.json") -> Verdict:
    """Return the verdict on a table, and refuse the table when it is not the one that passed.

    Parameters
    ----------
    source : path, URL or dataframe
        The table that is about to be used, given in the form in which it was judged: the hash of a
        file is that of its bytes, the hash of a dataframe that of its values.
    result : path
        The ``result.json`` of the run that judged it.

    Raises
    ------
    NotPassedError
        When the verdict is not pass, or when it is about other data.
    DataError
        When the table or the result cannot be read.
    """
    verdict = read_result(result)
    table = open_table(source, name="synthetic")
    if not verdict.passed:
        failed = ", ".join(check.id for check in (*verdict.failures(), *verdict.missing()))
        problem = f"the verdict in {result} is {verdict.outcome}" + (f" ({failed})" if failed else "")
        raise NotPassedError(table.source, problem, "mend the data, and run the gate again")
    judged = verdict.run.synthetic
    if table.sha256 != judged.sha256:
        problem = (
            f"{result} judged other data: {judged.source} of SHA-256 {judged.sha256[:12]}, not {table.sha256[:12]}"
        )
        raise NotPassedError(table.source, problem, "run the gate on this table")
    return verdict
