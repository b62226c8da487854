"""Diagnosis of values that are written wrongly: placeholders, misspellings, signs, lost decimals, changed shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from synthgate.findings import CheckResult, Diagnosis, Finding, Status

LEAST_CHANGE = 0.03
"""Change of a category's share from which on it is named."""


def written_wrongly(checks: Mapping[str, CheckResult]) -> list[Diagnosis]:
    """Name columns with a placeholder for missing values, misspelt categories or flipped signs.

    Parameters
    ----------
    checks : dict of CheckResult
        By id.
    """
    out = []
    for finding in _failing(checks, "schema.categories"):
        details, (column, *_) = finding.measured.details, finding.measured.columns
        if "placeholder" in details:
            sentence = (
                f"{column} holds {details['placeholder']!r}, which stands for a missing value and not for a category"
            )
            out.append(_made("placeholder for missing values", sentence, "schema.categories", column))
        elif "misspelt" in details:
            sentence = f"{column} writes known categories in another way: case, spaces or a letter differ"
            out.append(_made("misspelt categories", sentence, "schema.categories", column))
    for finding in _failing(checks, "schema.ranges"):
        details, (column, *_) = finding.measured.details, finding.measured.columns
        if "only" in details:
            sentence = (
                f"{column} holds {details['only']} far outside the real range, probably a code for a missing value"
            )
            out.append(_made("placeholder for missing values", sentence, "schema.ranges", column))
    for finding in _failing(checks, "fidelity.columns"):
        traits = finding.measured.details.get("traits")
        if isinstance(traits, Mapping) and "negated" in traits:
            (column, *_) = finding.measured.columns
            sentence = f"{column} has the opposite sign (its shape is right)"
            out.append(_made("flipped sign", sentence, "fidelity.columns", column))
    repeated = checks.get("coverage.modes")
    for finding in repeated.findings if repeated else ():
        if finding.status is Status.FAIL and finding.measured.metric == "repeated_rows":
            sentence = f"rows are written more than once: {finding.measured.message}"
            out.append(_made("repeated rows", sentence, "coverage.modes"))
    return out


def remaining(checks: Mapping[str, CheckResult], explained: set[str]) -> list[Diagnosis]:
    """Name what no other mode explains: lost decimals, and changed shares with the category that moved most."""
    out = []
    for finding in _failing(checks, "fidelity.columns"):
        (column, *_), told = finding.measured.columns, finding.measured.details.get("distribution")
        if finding.measured.metric == "decimals_kept" and column not in explained:
            sentence = f"{column} has lost decimals: {finding.measured.message}"
            out.append(_made("lost decimals", sentence, "fidelity.columns", column))
        if column in explained or finding.measured.metric != "tv_complement" or not isinstance(told, Mapping):
            continue
        parts = [told.get(key) for key in ("labels", "real", "synthetic")]
        if not all(isinstance(part, list) for part in parts):
            continue
        rows = list(zip(*(part for part in parts if isinstance(part, list)), strict=True))
        named = [
            (abs(float(str(here)) - float(str(there))), str(label), float(str(there)), float(str(here)))
            for label, there, here in rows
            if label != "(all other)"
        ]
        most = max(named, default=(0.0, "", 0.0, 0.0))
        if most[0] >= LEAST_CHANGE:
            sentence = (
                f"{column} has other shares than real: {most[1]} in {most[3]:.0%} of the rows, in real {most[2]:.0%}"
            )
            out.append(_made("changed shares", sentence, "fidelity.columns", column))
    return out


def _failing(checks: Mapping[str, CheckResult], check_id: str) -> Iterator[Finding]:
    check = checks.get(check_id)
    for finding in check.findings if check else ():
        if finding.status is Status.FAIL and finding.measured.columns:
            yield finding


def _made(name: str, sentence: str, check_id: str, *columns: str) -> Diagnosis:
    return Diagnosis(name=name, sentence=sentence, confidence="clear", checks=(check_id,), columns=columns)
