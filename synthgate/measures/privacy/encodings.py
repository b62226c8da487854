"""Encodings that every attack shares: exact codes, ranks, bins, and a dense block.

The metric is that of :mod:`synthgate.encoding`, from which ranks and orders come, in a layout of its own: values are
told apart exactly, up to rounding, letter case and white space, since a copy in capitals is a copy, and mismatches
are counted from codes, so that any number of levels is compared without sharing places.

Everything fitted here (dictionaries, ranks, bins, weights) is fitted on the pooled rows of all
sides, so that swapping real and holdout changes nothing. Rows are kept in the order of a
content hash, so that the order of the input rows changes nothing either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgate.encoding import frequency_order, rank
from synthgate.findings import Skip
from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

Ints = NDArray[Any]
Floats = NDArray[np.float64]

MAX_COLUMNS = 400
LEAST_GROUPS = 20
MAX_DIMENSIONS = 256
BINS = 20
TREE_CODES = 254
MAX_EXACT = 2.0**53
LEAST_ROUNDED = 20
MOST_ROUNDED = 4
LEAST_FINE = 9
DATE_UNITS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one side, encoded.

    Attributes
    ----------
    codes : tuple of integer array, each of shape (rows,)
        Per column the code of the exact value (E1); missing has a code of its own.
    dense : float32 array, shape (rows, width)
        Ranks of the numbers in [-0.5, 0.5], a flag per column with missing numbers, and vectors (E2).
    hashes : uint64 array, shape (rows,)
        Equal exactly when all codes are equal (up to a collision chance of 2**-64 a pair).
    groups : int32 array, shape (rows,)
        Which person or sequence each row belongs to, where the table has such groups; else zeros.
    place : int32 array, shape (rows,)
        Where each row stood among the sampled rows of its side, counted from 0.
    """

    codes: tuple[Ints, ...]
    dense: NDArray[np.float32]
    hashes: NDArray[np.uint64]
    groups: NDArray[np.int32]
    place: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.hashes)

    def take(self, at: Ints | slice) -> Rows:
        """Return the rows at the given places, or where a mask holds."""
        codes = tuple(column[at] for column in self.codes)
        return Rows(codes, self.dense[at], self.hashes[at], self.groups[at], self.place[at])


@dataclass(frozen=True, slots=True)
class Column:
    """One encoded column.

    Attributes
    ----------
    name : str
    role : Role
    card : int
        Number of codes, the one for missing included (it is the last).
    is_matched : bool
        Whether distances count a mismatch of its codes (discrete columns); numbers enter by rank.
    ranks : float64 array of shape (card,), or None
        Mid-rank of each code over the pool in [0, 1] for numbers, NaN for missing.
    bins : int32 array of shape (card,)
        Coarse bin of each code (E4): the code itself up to 20 values.
    tree : float32 array of shape (card,)
        Value of each code for tree models (E5): ranks, or places by falling frequency in the real rows of
        both sides, so that the drift attack learns nothing of the synthetic rows from them.
    counts : int64 array of shape (card,)
        Frequency of each code over the pool.
    settled : int64 array of shape (card,), or None
        For numbers the code of the nearest value that real rows have; else codes stand for themselves.
    """

    name: str
    role: Role
    card: int
    is_matched: bool
    ranks: Floats | None
    bins: NDArray[np.int32]
    tree: NDArray[np.float32]
    counts: NDArray[np.int64]
    settled: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """All sides, encoded alike; each side's rows are in the order of their hashes.

    Attributes
    ----------
    columns : tuple of Column
    real, synthetic : Rows
    holdout : Rows or None
    skipped : tuple of Skip
        Columns left out, and why.
    grouped_by : str or None
        The column that says which rows belong together, found by :func:`find_groups`.
    """

    columns: tuple[Column, ...]
    real: Rows
    synthetic: Rows
    holdout: Rows | None
    skipped: tuple[Skip, ...]
    grouped_by: str | None = None

    @property
    def cards(self) -> tuple[int, ...]:
        """Number of codes per column."""
        return tuple(column.card for column in self.columns)

    @property
    def matched(self) -> tuple[int, ...]:
        """Places of the columns whose mismatches distances count."""
        return tuple(at for at, column in enumerate(self.columns) if column.is_matched)

    def surprisal(self, rows: Rows) -> Floats:
        """Return the sum of -log pooled frequency over the cells of each row, in nats."""
        total = np.zeros(len(rows))
        for column, codes in zip(self.columns, rows.codes, strict=True):
            total -= np.log(np.maximum(1, column.counts) / column.counts.sum())[codes]
        return total


def encode(sample: Sample) -> Encoding:
    """Return the encodings of a sample, made once per sample."""
    return sample.derive("privacy.encoding", _encode)


def _encode(sample: Sample) -> Encoding:
    sides = [sample.real, sample.synthetic, *([sample.holdout] if sample.holdout else [])]
    grouped_by = find_groups(sample)
    names, skipped = _choose(sample, grouped_by)
    columns: list[Column] = []
    pooled: list[Ints] = []
    dense: list[NDArray[np.float32]] = []
    for name in names:
        column, codes, block = _encode_column(sample, sides, name)
        if np.count_nonzero(column.counts) < 2:
            skipped.append(Skip(name, "constant on all sides"))
            continue
        columns.append(column)
        pooled.append(codes)
        dense += block
    ends = np.cumsum([side.rows for side in sides])
    numbers = np.stack(dense, axis=1) if dense else np.zeros((int(ends[-1]), 0), np.float32)
    dense.clear()
    hashes = _hash(pooled, int(ends[-1]), sample.rng("privacy.rows"))
    groups = np.zeros(int(ends[-1]), np.int32)
    if grouped_by is not None:
        groups = np.concatenate([side.columns[grouped_by] for side in sides]).astype(np.int32)
    starts = [0, *ends[:-1]]
    orders = [a + np.argsort(hashes[a:b], kind="stable") for a, b in zip(starts, ends, strict=True)]
    cells: list[list[Ints]] = [[] for _ in orders]
    for codes in _emptied(pooled):
        for kept, order in zip(cells, orders, strict=True):
            kept.append(codes[order])
    made = [
        Rows(tuple(kept), numbers[order], hashes[order], groups[order], (order - a).astype(np.int32))
        for kept, order, a in zip(cells, orders, starts, strict=True)
    ]
    holdout = made[2] if sample.holdout else None
    return Encoding(tuple(columns), made[0], made[1], holdout, tuple(skipped), grouped_by)


def _emptied(columns: list[Ints]) -> Iterator[Ints]:
    """Yield arrays and forget them, so that a table is never held twice."""
    columns.reverse()
    while columns:
        yield columns.pop()


def find_groups(sample: Sample) -> str | None:
    """Return the column that names persons or sequences of several rows each, or None.

    Its values repeat within real and within holdout but never cross: had rows been split at random,
    repeated values would. The real rows were then split by group, and groups are what is exchangeable.
    """
    if sample.holdout is None:
        return None
    best, most = None, 0
    for name, role in sample.roles.items():
        if role.is_continuous or role is Role.VECTOR:
            continue
        sides = [np.bincount(side.columns[name] + 1)[1:] for side in (sample.real, sample.holdout)]
        repeated = [int((counts > 1).sum()) for counts in sides]
        size = min(len(counts) for counts in sides)
        crosses = bool(np.any((sides[0][:size] > 0) & (sides[1][:size] > 0)))
        if not crosses and min(repeated) > max(LEAST_GROUPS, most):
            best, most = name, min(repeated)
    return best


def _choose(sample: Sample, grouped_by: str | None) -> tuple[list[str], list[Skip]]:
    """Return the columns to encode: all but ids, and a seeded choice when there are very many."""
    names = [name for name, role in sample.roles.items() if role is not Role.ID and name != grouped_by]
    skipped = [
        Skip(name, "an id: tested on its own, no part of a row's identity")
        for name, role in sample.roles.items()
        if role is Role.ID and name != grouped_by
    ]
    if grouped_by is not None:
        skipped.append(Skip(grouped_by, "says which rows belong together: tested on its own, as an id"))
    if len(names) > MAX_COLUMNS:
        kept = sample.rng("privacy.columns").choice(len(names), MAX_COLUMNS, replace=False)
        left_out = len(names) - MAX_COLUMNS
        skipped.append(Skip(f"{left_out} columns", f"more than {MAX_COLUMNS} columns: a seeded choice is compared"))
        names = [names[at] for at in np.sort(kept)]
    return names, skipped


def _encode_column(
    sample: Sample, sides: list[SampleSide], name: str
) -> tuple[Column, Ints, list[NDArray[np.float32]]]:
    role = sample.roles[name]
    raw = np.concatenate([side.columns[name] for side in sides])
    if role is Role.VECTOR:
        return _encode_vectors(name, _narrow_vectors(raw, sample.rng("privacy.vectors")))
    real_rows = _real_rows(sides)
    if role.is_continuous:
        mine = np.concatenate([np.full(side.rows, at == 1) for at, side in enumerate(sides)])
        if role is Role.DATETIME:
            return _encode_numbers(name, role, _round_dates(_round_dates(raw, real_rows), mine), real_rows)
        rounded = _round(raw, sample.decimals.get(name, 15))
        places = _decimals(rounded[mine], sample.decimals.get(name, 15))
        return _encode_numbers(name, role, _round(rounded, places), real_rows)
    card = len(sample.dictionaries[name]) + 1
    codes = np.where(raw < 0, card - 1, same_text(sample.dictionaries[name])[raw])
    counts = np.bincount(codes, minlength=card)
    real_counts = np.bincount(codes[real_rows], minlength=card)
    column = Column(
        name,
        role,
        card,
        is_matched=role is not Role.TEXT,
        ranks=None,
        bins=_common_bins(counts),
        tree=np.minimum(frequency_order(real_counts), TREE_CODES).astype(np.float32),
        counts=counts,
    )
    return column, narrow(codes, card), []


def same_text(labels: Sequence[str]) -> NDArray[np.int64]:
    """Return for each text the place of the first that differs from it in letter case and white space at most.

    The last element stands for missing. A copy in capitals is a copy.
    """
    first: dict[str, int] = {}
    # a column of Arrow's null type has a dictionary that holds nothing but null
    folded = (" ".join((label or "").split()).casefold() for label in labels)
    places = [first.setdefault(text, at) for at, text in enumerate(folded)]
    return np.array([*places, len(labels)], np.int64)


def _decimals(values: Floats, most: int) -> int:
    """Return the decimal places of the synthetic numbers when they are rounder than the real ones, else `most`.

    Negative for tens, hundreds and so on: a copy whose numbers were rounded is a copy.
    """
    known = values[np.isfinite(values) & (values != 0)]
    if len(known) < LEAST_ROUNDED:
        return most
    largest = float(np.abs(known).max())
    for places in range(-MOST_ROUNDED, min(most, LEAST_FINE)):
        if largest > MAX_EXACT / 10.0 ** max(0, places):
            return most
        if np.array_equal(np.round(known, places), known):
            return places if len(np.unique(known)) > 2 else most
    return most


def _real_rows(sides: list[SampleSide]) -> NDArray[np.bool_]:
    """Return a mask over the pool: real and holdout rows, which fix how fine values are."""
    return np.concatenate([np.full(side.rows, at != 1) for at, side in enumerate(sides)])


def _round(values: Floats, decimals: int) -> Floats:
    """Round to the decimal places of the real values, where float64 can hold the result exactly."""
    largest = np.nanmax(np.abs(values[np.isfinite(values)]), initial=0.0)
    if decimals >= 15 or largest * 10.0**decimals > MAX_EXACT:
        return values
    return np.round(values, decimals)


def _round_dates(values: Floats, real_rows: NDArray[np.bool_]) -> Floats:
    """Cut datetimes to the coarsest unit that loses nothing of the real ones."""
    known = values[real_rows & np.isfinite(values)]
    for unit in DATE_UNITS:
        if len(known) and not np.any(known % unit):
            return np.floor(values / unit) * unit
    return values


def _encode_numbers(
    name: str, role: Role, values: Floats, real_rows: NDArray[np.bool_]
) -> tuple[Column, Ints, list[NDArray[np.float32]]]:
    found = rank(values)
    codes, counts, ranks = found.codes, found.counts, found.ranks
    card = len(counts)
    coarse = rank_bins(ranks) if card - 1 > BINS else np.arange(card)
    column = Column(
        name,
        role,
        card,
        is_matched=False,
        ranks=ranks,
        bins=coarse.astype(np.int32),
        tree=ranks.astype(np.float32),
        counts=counts,
        settled=_settled(values, codes, card, real_rows),
    )
    block = [np.nan_to_num(ranks - 0.5)[codes].astype(np.float32)]
    if counts[-1]:
        block.append((codes == card - 1).astype(np.float32))
    return column, narrow(codes, card), block


def _settled(values: Floats, codes: Ints, card: int, real_rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each code that of the nearest value real rows have, the lower of two; missing stands for itself."""
    value, is_real = np.full(card, np.nan), np.zeros(card, np.bool_)
    value[codes], is_real[codes[real_rows]] = values, True
    known = np.flatnonzero(is_real & ~np.isnan(value))
    settled = np.arange(card)
    if len(known):
        after = np.clip(np.searchsorted(value[known], value), 1, max(1, len(known) - 1))
        before, after = known[after - 1], known[np.minimum(after, len(known) - 1)]
        with np.errstate(invalid="ignore"):  # an infinity less itself
            nearest = np.where(value - value[before] <= value[after] - value, before, after)
        settled = np.where(np.isnan(value) | is_real, settled, nearest)
    return settled


def rank_bins(ranks: Floats) -> NDArray[np.int64]:
    """Return 20 bins of equal mass for mid-ranks in [0, 1], and a bin of its own for missing (NaN)."""
    bins = np.minimum(np.nan_to_num(ranks) * BINS, BINS - 1).astype(np.int64)
    return np.where(np.isnan(ranks), BINS, bins)


def _narrow_vectors(raw: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Project long vectors onto 128 random directions, which keeps equality, and distances approximately."""
    raw = np.nan_to_num(raw.astype(np.float32)) + np.float32(0)
    if raw.shape[1] <= MAX_DIMENSIONS:
        return raw
    directions = rng.standard_normal((raw.shape[1], MAX_DIMENSIONS // 2)).astype(np.float32)
    return raw @ directions


def _encode_vectors(name: str, raw: NDArray[np.float32]) -> tuple[Column, Ints, list[NDArray[np.float32]]]:
    """Encode vectors: whole ones by code, their dimensions scaled so that each weighs like a number on average."""
    whole = np.ascontiguousarray(raw).view(np.dtype((np.void, raw.dtype.itemsize * raw.shape[1])))
    distinct, codes = np.unique(whole.ravel(), return_inverse=True)
    card = len(distinct) + 1
    counts = np.bincount(codes, minlength=card)
    centred = raw - raw.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = float(np.sqrt(np.mean(centred.var(axis=0, dtype=np.float64)) * 12)) or 1.0
    column = Column(
        name,
        Role.VECTOR,
        card,
        is_matched=False,
        ranks=None,
        bins=np.zeros(card, np.int32),
        tree=np.zeros(card, np.float32),
        counts=counts,
    )
    return column, narrow(codes, card), list((centred / spread).T.astype(np.float32))


def _common_bins(counts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return one bin per value up to 20 values, else 19 bins for the most frequent and one for the rest."""
    used = np.count_nonzero(counts)
    order = frequency_order(counts)
    return (order if used <= BINS else np.minimum(order, BINS - 1)).astype(np.int32)


def narrow(codes: Ints, card: int) -> Ints:
    """Return codes in the smallest type that holds `card` of them."""
    if card <= 256:
        return codes.astype(np.uint8)
    return codes.astype(np.uint16 if card <= 65_536 else np.int32)


def _hash(pooled: list[Ints], rows: int, rng: np.random.Generator) -> NDArray[np.uint64]:
    """Return a 64-bit hash per row: random odd multiples of the codes, summed and mixed.

    The mixing step is the finaliser of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA).
    """
    total = np.zeros(rows, np.uint64)
    for codes in pooled:
        odd = rng.integers(0, 2**63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        total += (codes.astype(np.uint64) + np.uint64(1)) * odd
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        total = (total ^ (total >> np.uint64(shift))) * np.uint64(factor)
    mixed: NDArray[np.uint64] = total ^ (total >> np.uint64(31))
    return mixed


def distinct_rows(rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """Return each different row once, and how often it occurs.

    The rows must be in the order of their hashes, as those of an :class:`Encoding` are.
    """
    if not len(rows):
        return rows, np.zeros(0, np.int64)
    first = np.flatnonzero(np.append(True, rows.hashes[1:] != rows.hashes[:-1]))
    if len(first) == len(rows):
        return rows, np.ones(len(rows), np.int64)
    return rows.take(first), np.diff(np.append(first, len(rows)))


def is_among(rows: Rows, others: Rows) -> NDArray[np.bool_]:
    """Tell for each row whether an equal one is among `others`, both in the order of their hashes."""
    if not len(others):
        return np.zeros(len(rows), np.bool_)
    at = np.minimum(np.searchsorted(others.hashes, rows.hashes), len(others) - 1)
    found: NDArray[np.bool_] = others.hashes[at] == rows.hashes
    return found
