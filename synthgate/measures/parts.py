"""The dependence kept inside parts of the rows: one column's ties to all others, among rows alike in another.

Shuffling a column inside a group, or breaking a tie there, moves few rows of any one table. All ties of the column
in that group together, looked at in the direction of the real dependence alone, show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Limit, Measured
from synthgate.measures.triples import MISSING, Chosen, Cut, Joint, chosen_triples, joint_of
from synthgate.statistics.distances import FloatArray
from synthgate.statistics.intervals import z_value
from synthgate.statistics.kept import SURE, Kept, Means, of_known_rows, pair_contrast, without_margins

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sample import Sample

Codes = NDArray[np.intp]
Tie = tuple[int, int]

KNOWN = ("known", MISSING)
PART_CUT = Cut(levels=10)
"""Parts are finer than the levels whose ties are counted: a group may be the tenth in size."""
LEAST_PART, LEAST_SHARE = 100, 0.03
"""Least real rows of a part, and its least share of them."""
LEAST_SYNTHETIC = 60
ROW_PAIRS = 60_000_000
"""Most rows times pairs of columns within parts."""
LEAST_ROWS = 2_000
CHUNK = 50
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class PartKept:
    """What a column keeps of its real dependence on others, in one part of the rows.

    Attributes
    ----------
    column, by : str
        The column, and the one whose level makes the part.
    level : str
        What the part's rows have in common.
    others : int
        Columns the dependence on which is looked at.
    real_rows, synthetic_rows : int
    """

    column: str
    by: str
    level: str
    others: int
    real_rows: int
    synthetic_rows: int
    kept: Kept


def kept_in_parts(evidence: Evidence) -> tuple[PartKept, ...]:
    """Return what each column keeps in each part of the rows, where its real dependence there is beyond doubt.

    Of rows in groups (sequences, children of parents), whose luck would be taken for dependence, nothing is told.
    """

    def make(sample: Sample) -> tuple[PartKept, ...]:
        chosen = chosen_triples(evidence)
        names = [column.name for column in chosen.joint.columns]
        if not chosen.triples or evidence.design_of(*names) > 1:
            return ()
        rng = sample.rng("parts")
        return tuple(_Parts.of(evidence, chosen, rng).found())

    return evidence.sample.derive("parts", make)


@dataclass(frozen=True, slots=True)
class _Division:
    """The part of every row, by one column, and what the parts have in common."""

    by: int
    labels: tuple[str, ...]
    real: Codes
    synthetic: Codes


@dataclass(frozen=True)
class _Parts:
    """Levels of all columns, the real side's rows and the holdout's together and dealt into two halves."""

    names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    levels: int
    real: Codes
    synthetic: Codes
    real_parts: Codes
    synthetic_parts: Codes
    half: Codes
    is_held: NDArray[np.bool_]
    triples: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, evidence: Evidence, chosen: Chosen, rng: np.random.Generator) -> _Parts:
        joint, fine = chosen.joint, joint_of(evidence, PART_CUT, evidence.sample.rng("triples"))
        by_name = {column.name: column for column in fine.columns}
        most = max(LEAST_ROWS, ROW_PAIRS // (3 * len(joint.rows) * len(chosen.triples)))
        rows = {side: np.sort(rng.permutation(n)[:most]) for side, n in joint.rows.items()}
        known = [side for side in ("real", "holdout") if side in rows]

        def of(source: Joint, side: str) -> Codes:
            columns = (by_name[column.name] if source is fine else column for column in joint.columns)
            return np.stack([column.codes[side][rows[side]] for column in columns])

        real, real_parts = (np.concatenate([of(source, side) for side in known], axis=1) for source in (joint, fine))
        return cls(
            names=tuple(column.name for column in joint.columns),
            labels=tuple(by_name[column.name].labels for column in joint.columns),
            levels=joint.cut.codes,
            real=real,
            synthetic=of(joint, "synthetic"),
            real_parts=real_parts,
            synthetic_parts=of(fine, "synthetic"),
            half=np.asarray(rng.integers(0, 2, real.shape[1]), np.intp),
            is_held=np.arange(real.shape[1]) >= len(rows["real"]),
            triples=chosen.triples,
        )

    def found(self) -> Iterator[PartKept]:
        """Yield every part and column whose dependence is known."""
        pairs: dict[int, list[Tie]] = {}
        partners: dict[int, set[int]] = {}
        for triple in self.triples:
            for by in triple:
                a, b = (at for at in triple if at != by)
                pairs.setdefault(by, []).append((a, b))
                partners.setdefault(by, set()).update((a, b))
        for by, ties in sorted(pairs.items()):
            yield from self._within(_Division(by, self.labels[by], self.real_parts[by], self.synthetic_parts[by]), ties)
        gap = self.levels - 1
        for by, others in sorted(partners.items()):
            parts = [(side[by] == gap).astype(np.intp) for side in (self.real, self.synthetic)]
            if parts[0].any():
                # what goes with missing values hides the dependence of the known ones in the ties of all rows
                yield from self._within(_Division(by, KNOWN, *parts), [(by, other) for other in sorted(others)], by)

    def _within(self, division: _Division, ties: list[Tie], only: int | None = None) -> Iterator[PartKept]:
        """Yield what columns, or one alone, keep in the parts of a division."""
        by, parts, parts_synthetic = division.by, division.real, division.synthetic
        rows = np.bincount(parts, minlength=PART_CUT.codes)
        rows_synthetic = np.bincount(parts_synthetic, minlength=PART_CUT.codes)
        large = (rows >= max(LEAST_PART, LEAST_SHARE * len(parts))) & (rows_synthetic >= LEAST_SYNTHETIC)
        if not large.any():
            return
        columns = sorted({at for tie in ties for at in tie}) if only is None else [only]
        place = {at: k for k, at in enumerate(columns)}
        real = np.zeros((len(columns), len(parts)))
        synthetic = np.zeros((len(columns), len(parts_synthetic)))
        for tie, here, there in self._ties(division, ties):
            for at in place.keys() & tie:
                real[place[at]] += here
                synthetic[place[at]] += there
        others = np.bincount([place[at] for tie in ties for at in tie if at in place])
        for at, column in enumerate(columns):
            known = self._known_means(parts, real[at])
            found = _means(parts_synthetic, synthetic[at])
            # as many fresh rows would vary as real ones do: synthetic rows that hardly vary prove no more than that
            fresh = known[1] * np.sqrt(rows / np.maximum(1, rows_synthetic))
            error = np.maximum(found.error, fresh)
            for level in np.flatnonzero(large):
                kept = Kept(*(float(v[level]) for v in (found.mean, error, *known)))
                if kept.is_known:
                    yield PartKept(
                        self.names[column], self.names[by], division.labels[level], int(others[at]),
                        int(rows[level]), int(rows_synthetic[level]), kept,
                    )  # fmt: skip

    def _ties(self, division: _Division, ties: list[Tie]) -> Iterator[tuple[Tie, FloatArray, FloatArray]]:
        """Yield what each real and each synthetic row adds to the dependence of two columns within its part.

        The contrast of a part is learnt on one half of its rows, and leans on that of all rows where they tell little
        themselves; real rows are measured by the other half's.
        """
        parts, n = PART_CUT.codes, self.levels
        start, start_synthetic = (division.real * 2 + self.half) * n, division.synthetic * n
        for at in range(0, len(ties), CHUNK):
            some = ties[at : at + CHUNK]
            cells = [((start + self.real[a]) * n + self.real[b]) for a, b in some]
            places = [((start_synthetic + self.synthetic[a]) * n + self.synthetic[b]) for a, b in some]
            counts = np.stack([np.bincount(cell, minlength=parts * 2 * n * n) for cell in cells]).astype(np.float64)
            counts = counts.reshape(len(some), parts, 2, n, n)
            found = np.stack([np.bincount(place, minlength=parts * n * n) for place in places]).astype(np.float64)
            own, surely = pair_contrast(counts)
            everywhere, real = pair_contrast(counts.sum(axis=1, keepdims=True))
            contrast = surely * own + (1 - surely) * (real * everywhere)
            of_real = without_margins(contrast[:, :, ::-1], counts).reshape(len(some), -1)
            mean = contrast.mean(axis=2)
            of_synthetic = without_margins(mean, found.reshape(mean.shape)).reshape(len(some), -1)
            for k, tie in enumerate(some):
                yield tie, of_real[k][cells[k]], of_synthetic[k][places[k]]

    def _known_means(self, parts: Codes, adds: FloatArray) -> tuple[FloatArray, FloatArray]:
        sides = (~self.is_held, self.is_held)
        real, held = (_means(parts[rows], adds[rows]) if rows.any() else None for rows in sides)
        return of_known_rows(real, held) if real else (np.zeros(PART_CUT.codes), np.zeros(PART_CUT.codes))


def _means(parts: Codes, adds: FloatArray) -> Means:
    """Return the mean of each part's rows."""
    rows = np.bincount(parts, minlength=PART_CUT.codes)
    n = np.maximum(1, rows)
    mean = np.bincount(parts, weights=adds, minlength=PART_CUT.codes) / n
    square = np.bincount(parts, weights=adds**2, minlength=PART_CUT.codes) / n
    return Means(mean, np.sqrt(np.maximum(0.0, square - mean**2) / n), rows.astype(np.float64))


def worst_parts(found: Sequence[PartKept], least: float) -> list[Measured]:
    """Return findings on the parts that surely keep less than fresh rows, or else on the one that keeps least.

    What is lost in a part of the rows is a smaller part of all, so that the limit, `least`, is their own.
    """
    z = z_value(SURE, looks=len(found))
    order = sorted(found, key=lambda one: one.kept.interval(z)[1])
    short = [one for one in order if one.kept.interval(z)[1] < 1.0]
    return [_finding(one, z, len(found), least) for one in short[:MOST_SHOWN] or order[:1]]


def _finding(found: PartKept, z: float, looks: int, least: float) -> Measured:
    return Measured(
        metric="dependence_kept_in_a_part",
        message=(
            f"where {found.by!r} is {found.level}, {found.column!r} keeps {max(0.0, found.kept.share):.0%} of its real "
            f"dependence on {found.others} other columns "
            f"({found.real_rows:,} real and {found.synthetic_rows:,} synthetic rows)"
        ),
        estimate=found.kept.estimate(z, looks),
        columns=tuple(dict.fromkeys((found.column, found.by))),
        limit=Limit(min_position=least),
        details={
            "where": f"{found.by!r} is {found.level}",
            "real_rows": found.real_rows,
            "synthetic_rows": found.synthetic_rows,
        },
    )
