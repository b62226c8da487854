"""Diagnosis of outcomes: labels that do not go with their rows, or go with them too closely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synthgate.findings import CheckResult, Diagnosis, Finding, Status

CHECK = "utility.tstr"
NAME = "shuffled or noisy target"
EXPLAINING = ("independent columns", "weakened dependence", "mode collapse", NAME)
"""Diagnoses that explain labels which tell less."""


def wrong_labels(checks: Mapping[str, CheckResult], before: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Name targets whose synthetic outcomes a model of real rows predicts worse, or better, than fresh real ones.

    Parameters
    ----------
    checks : dict of CheckResult
        By id.
    before : sequence of Diagnosis
        What was told already: a column that is wrong by itself makes outcomes look wrong.
    """
    failing = [f for f in _failing(checks, CHECK) if f.measured.columns and f.measured.estimate]
    found = []
    for target in dict.fromkeys(f.measured.columns[0] for f in failing):
        about = [f for f in failing if f.measured.columns[0] == target]
        close = [f for f in about if f.measured.metric == "label_uncertainty_kept"]
        lost = [f for f in about if f.measured.metric.startswith(("label_information", "dependence_kept"))]
        if close:
            words = f"{target} follows too closely from the other columns: {close[0].measured.message}"
            found.append(_made("outcomes too predictable", words, (target,)))
        if lost and not _is_explained(target, before):
            found.append(_noisy(target, lost, checks))
    return found


def _failing(checks: Mapping[str, CheckResult], check_id: str) -> list[Finding]:
    check = checks.get(check_id)
    return [f for f in check.findings if f.status in (Status.FAIL, Status.WARN)] if check else []


def _is_explained(target: str, before: Sequence[Diagnosis]) -> bool:
    """Tell whether a diagnosis of all columns, or of others than the target, explains that outcomes go with less."""
    return any(d.name in EXPLAINING or (d.columns and target not in d.columns) for d in before)


def _noisy(target: str, lost: Sequence[Finding], checks: Mapping[str, CheckResult]) -> Diagnosis:
    """Say by how much less the labels go with their rows, and where; whole findings come first."""
    first = lost[0].measured
    left = first.estimate.value if first.estimate else 0.0
    where = first.details.get("where")
    part = f"where {where}, " if where else ""
    pairs = [f.measured.columns for f in _failing(checks, "fidelity.pairs") if len(f.measured.columns) > 1]
    if any(target not in pair for pair in pairs):
        words = f"the labels {target}, or the columns that they depend on, are partly wrong"
    else:
        words = f"the labels {target} are partly wrong"
    share = f"{max(0.0, left):.0%} of what the other columns tell about them in real is left"
    return _made(NAME, f"{part}{words}: {share}", first.columns)


def _made(name: str, sentence: str, columns: tuple[str, ...]) -> Diagnosis:
    return Diagnosis(name=name, sentence=sentence, confidence="likely", checks=(CHECK,), columns=columns)


__all__ = ["wrong_labels"]
