"""Who is at risk: which kinds of rows leak most, in words and counts, never by row.

The scores of the combined attack and of the strongest attack on whole rows are compared between
members and non-members of each slice only, so that a kind of row that is merely unusual is
not accused. Slices are fixed before any score is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import sqrt
from pathlib import Path

import numpy as np

from synthgate.errors import UsageError
from synthgate.findings import Estimate, Json, Limit, Measured
from synthgate.measures.privacy.attacks import Stage
from synthgate.measures.privacy.encodings import Column, Encoding, Floats, Ints, Rows
from synthgate.measures.privacy.inference import Auc, Flags, Places, rounded, simultaneous_z, stratified_auc
from synthgate.measures.privacy.panel import Panel
from synthgate.sample import Sample

RISKS = "privacy.risks"
ERROR = 0.001
LEAST = 10
LEAST_JUDGED = 50
MOST_VALUES = 12
MOST_SLICES = 120
ISOLATED = (0.1, 0.02)
RARE = 0.01
TAIL = 0.05
NEIGHBOURS = 5
MOST_SHOWN = 10
LARGEST = 0.6
DISCOVERIES = 0.1


@dataclass(frozen=True, slots=True)
class Slice:
    """Queried records of one kind.

    Attributes
    ----------
    words : str
    columns : tuple of str
        The columns that say which records belong to it.
    kept : bool array, shape (queries,)
    """

    words: str
    columns: tuple[str, ...]
    kept: Flags


def risky_slices(stage: Stage, sample: Sample, scores: dict[str, Floats], factor: float) -> list[Measured]:
    """Return the AUC of each slice that is shown to leak more than all rows together, the highest lower bound first.

    Parameters
    ----------
    stage : Stage
    sample : Sample
        Names the values of columns.
    scores : dict of float64 array, each of shape (queries,)
        By attack.
    factor : float
        What standard errors are multiplied by for the dependence of folds.
    """
    panel = stage.panel
    wanted = [s for s in find_slices(stage, sample) if min(_sides(panel.member, s.kept)) >= LEAST][:MOST_SLICES]
    looks = max(1, len(wanted) * len(scores))
    z = simultaneous_z(ERROR, looks)
    overall = {
        name: max(0.5, stratified_auc(values, panel.member, panel.fold).value) for name, values in scores.items()
    }
    found: list[Measured] = []
    for one in wanted:
        units = panel.unit[one.kept] if panel.grouped_by else None
        tried = {
            name: stratified_auc(values[one.kept], panel.member[one.kept], panel.fold[one.kept], units)
            for name, values in scores.items()
        }
        beyond = {name: auc.value - z * factor * _error(auc) - overall[name] for name, auc in tried.items()}
        name = max(beyond, key=lambda name: beyond[name])
        if beyond[name] > 0:
            found.append(_measured(one, name, tried[name], panel.member, (z * factor, looks)))
    return sorted(found, key=lambda f: -f.estimate.low if f.estimate else 0.0)[:MOST_SHOWN]


def _error(auc: Auc) -> float:
    """Return the standard error: the larger of that at hand and that under no leak, which small slices need."""
    return sqrt(max(auc.variance, auc.null_variance))


def _measured(one: Slice, name: str, auc: Auc, member: Flags, how: tuple[float, int]) -> Measured:
    widened, looks = how
    mine, others = _sides(member, one.kept)
    half = widened * _error(auc)
    details: dict[str, Json] = {"slice": one.words, "attack": name, "members": mine, "nonmembers": others}
    return Measured(
        metric="slice_auc",
        message=(
            f"{one.words}: {name} tells {mine:,} members from {others:,} non-members of this kind with AUC "
            f"{auc.value:.3f}; 0.5 is guessing"
        ),
        estimate=Estimate(
            value=rounded(auc.value, 4),
            low=max(0.0, auc.value - half),
            high=min(1.0, auc.value + half),
            method=f"DeLong, widened for folds, simultaneous over {looks} looks, 99.9 % each side",
            ceiling=0.5,
        ),
        columns=one.columns,
        limit=Limit(max=LARGEST),
        judged=min(mine, others) >= LEAST_JUDGED,
        details=details,
    )


def _sides(member: Flags, kept: Flags) -> tuple[int, int]:
    n = int(np.count_nonzero(member & kept))
    return n, int(np.count_nonzero(kept)) - n


def find_slices(stage: Stage, sample: Sample) -> Iterator[Slice]:
    """Yield the kinds of rows to compare: the most isolated, those with rare values, values and tails of columns.

    How isolated a record is, is its mean distance to the nearest reference rows, which are real and no members.
    """
    encoding, queries = stage.encoding, stage.panel.queries
    distance = stage.near_reference[:, :NEIGHBOURS].mean(axis=1)
    order = np.argsort(np.argsort(-distance, kind="stable"), kind="stable")
    for share in ISOLATED:
        yield Slice(f"the {share:.0%} most isolated rows", (), order < share * len(order))
    rare = np.zeros(len(queries), np.bool_)
    for column, codes in zip(encoding.columns, queries.codes, strict=True):
        if column.ranks is None:
            rare |= (column.counts < RARE * column.counts.sum())[codes]
    yield Slice(f"rows with a category that fewer than {RARE:.0%} of the rows have", (), rare)
    for at, column in enumerate(encoding.columns):
        yield from _of_column(column, queries.codes[at], sample)


def synthetic_kinds(encoding: Encoding, rows: Rows, sample: Sample) -> list[Slice]:
    """Return the kinds of rows by value and tail of a column that hold half of the rows at most."""
    found = (
        one
        for at, column in enumerate(encoding.columns)
        for one in _of_column(column, rows.codes[at], sample)
        if LEAST <= np.count_nonzero(one.kept) <= len(rows) / 2
    )
    return list(islice(found, MOST_SLICES))


def _of_column(column: Column, codes: Ints, sample: Sample) -> Iterator[Slice]:
    name = (column.name,)
    missing = codes == column.card - 1
    if missing.any() and column.role.is_continuous | column.role.is_discrete:
        yield Slice(f"rows without {column.name!r}", name, missing)
    if column.ranks is not None:
        ranks = column.ranks[codes]
        for words, kept in (("lowest", ranks < TAIL), ("highest", ranks > 1 - TAIL)):
            yield Slice(f"rows with the {words} values of {column.name!r} ({TAIL:.0%})", name, kept)
    elif column.role.is_discrete:
        known = np.argsort(-column.counts[:-1], kind="stable")[:MOST_VALUES]
        for code in known[column.counts[known] > 0]:
            yield Slice(f"rows with {column.name!r} = {sample.dictionaries[column.name][code]!r}", name, codes == code)


@dataclass(frozen=True, slots=True)
class Risks:
    """How much each queried training row stands out; for a local file only, never for a report.

    Attributes
    ----------
    row : int64 array
        Row number in the real table, counted from 1 without the header.
    risk : float64 array
        Share of the holdout rows of its fold that the combined attack scores lower, in [0, 1].
    p : float64 array
        Probability that a row which was no training row scores as high.
    exposed : bool array
        Rows shown to stand out, 10 % of them wrongly at most (Benjamini and Hochberg 1995).
    """

    row: Places
    risk: Floats
    p: Floats
    exposed: Flags

    @classmethod
    def of(cls, scores: Floats, panel: Panel, index: Places) -> Risks:
        """Compare the scores of members with those of non-members of their fold.

        Parameters
        ----------
        scores : float64 array, shape (queries,)
        panel : Panel
        index : int64 array
            Row numbers of the sampled real rows.
        """
        member = panel.member
        risk, p = np.empty(len(scores)), np.empty(len(scores))
        for f in np.unique(panel.fold):
            here = panel.fold == f
            others = np.sort(scores[here & ~member])
            risk[here] = np.searchsorted(others, scores[here], side="left") / max(1, len(others))
            p[here] = (1 + len(others) - np.searchsorted(others, scores[here], side="left")) / (len(others) + 1)
        risk, p = risk[member], p[member]
        order = np.lexsort((index[panel.queries.place[member]], -risk))
        rising = np.sort(p)
        enough = np.flatnonzero(rising <= DISCOVERIES * np.arange(1, len(p) + 1) / max(1, len(p)))
        limit = rising[enough[-1]] if len(enough) else -1.0
        return cls(index[panel.queries.place[member]][order] + 1, risk[order], p[order], (p <= limit)[order])

    def write(self, path: Path) -> None:
        """Write a CSV that only its owner may read.

        Raises
        ------
        UsageError
            When the file cannot be written.
        """
        lines = ["row,risk,p,exposed"]
        cells = zip(self.row.tolist(), self.risk.tolist(), self.p.tolist(), self.exposed.tolist(), strict=True)
        lines += [f"{row},{risk:.4f},{p:.6f},{str(shown).lower()}" for row, risk, p, shown in cells]
        try:
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
                stream.write("\n".join(lines) + "\n")
        except OSError as error:
            raise UsageError(
                str(path), f"the file cannot be written: {error.strerror}", "choose another file"
            ) from error


def write_risks(sample: Sample, path: Path) -> int:
    """Write the file of single rows at risk that membership attacks found, and return how many rows it lists.

    Raises
    ------
    UsageError
        When membership was not assessed, or the file cannot be written.
    """
    risks = sample.find(RISKS, Risks)
    if risks is None:
        fix = "give a holdout, and do not leave privacy.membership out"
        raise UsageError(str(path), "no row was scored, since privacy.membership was not assessed", fix)
    risks.write(path)
    return len(risks.row)
