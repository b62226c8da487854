"""Search for rules on labels: functional dependencies, implications, equality, ranges by category, order by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthgate.mining.find_between import holds
from synthgate.mining.find_single import FEW_VALUES, FEWEST_NAMED, is_hard
from synthgate.mining.found import NEARLY_ALL, Found, slack
from synthgate.mining.labels import Atom, Determines, Implies, Range, Rising, Same, Together, Within
from synthgate.mining.rows import Floats, Rows
from synthgate.mining.rules import numbers_of, plain
from synthgate.roles import Role

Dense = NDArray[np.int64]

MAX_LEVELS = 1000
MAX_CELLS = 10_000_000
MAX_COLUMNS = 100
MAX_PAIRED = 14
ROWS_A_LEVEL = 5
FEWEST_REPEATS = 50
OUTSIDE_SHARE = 0.1
MAX_ATOMS = 500
MAX_IMPLICATIONS = 2_000
MAX_LABELS = 40
ATOM_ROWS = 10_000
FEWEST_MET = 5
FIRST = 500


def _dense(rows: Rows, names: list[str]) -> dict[str, NDArray[np.int64]]:
    """Return each column as codes from 0, -1 for missing."""
    out = {}
    for name in names:
        column = plain(rows, name)
        codes = np.full(rows.size, -1, np.int64)
        there = ~np.isnan(column)
        codes[there] = np.unique(column[there], return_inverse=True)[1]
        out[name] = codes
    return out


def breaks_function(left: NDArray[np.int64], right: NDArray[np.int64]) -> tuple[int, int]:
    """Count rows that repeat a `left` with another `right` than its first row has, and rows that repeat a `left`."""
    there = (left >= 0) & (right >= 0)
    a, b = left[there], right[there]
    if not len(a):
        return 0, 0
    first = np.full(int(a.max()) + 1, -1, np.int64)
    first[a[::-1]] = b[::-1]
    return int((first[a] != b).sum()), len(a) - int((first >= 0).sum())


def off_mode(left: NDArray[np.int64], right: NDArray[np.int64]) -> tuple[int, int]:
    """Count rows whose `right` is not the most frequent one of their `left`, and rows that repeat a `left`."""
    broken, repeats = breaks_function(left, right)
    if not broken:
        return 0, repeats
    there = (left >= 0) & (right >= 0)
    wide = int(right.max()) + 1
    cells, counts = np.unique(left[there] * wide + right[there], return_counts=True)
    most = np.zeros(int(left.max()) + 1, np.int64)
    np.maximum.at(most, cells // wide, counts)
    return int(there.sum() - most.sum()), repeats


def _may_determine(left: Dense, right: Dense) -> bool:
    """Whether a dependency holds in a few rows, up to errors: of a few rows somewhat more may be wrong."""
    broken = breaks_function(left, right)[0]
    if not broken or broken > len(left) / 2:
        return not broken
    return off_mode(left, right)[0] <= 2 * slack(len(left)) + 1


def find_dependencies(probe: Rows) -> Found:
    """Search every pair of columns, and pairs of categories, for values that fix another column's value."""
    found = Found()
    every = [*probe.codes, *probe.of_role(Role.NUMERICAL), *probe.of_role(Role.DATETIME)]
    if len(every) > MAX_COLUMNS:
        found.left_out.append(
            f"functional dependencies among the last {len(every) - MAX_COLUMNS} of {len(every)} columns: "
            f"only the first {MAX_COLUMNS} are tried"
        )
        every = every[:MAX_COLUMNS]
    dense = _dense(probe, every)
    levels = {name: int(codes.max()) + 1 for name, codes in dense.items()}
    there = {name: int((codes >= 0).sum()) for name, codes in dense.items()}
    left = [n for n in every if 1 < levels[n] <= min(MAX_LEVELS, there[n] / ROWS_A_LEVEL)]
    right = [n for n in every if levels[n] > 1 and (n in probe.codes or levels[n] <= MAX_LEVELS)]
    single = _single_dependencies(dense, left, right, found)
    _paired_dependencies(dense, [n for n in left if n in probe.codes][:MAX_PAIRED], right, single, found)
    return found


def _single_dependencies(
    dense: Mapping[str, Dense], left: list[str], right: list[str], found: Found
) -> set[tuple[str, str]]:
    """Add the dependencies on one column, and return them as pairs."""
    determined = set()
    for a in left:
        for b in (b for b in right if b != a):
            found.tried += 1
            if not _may_determine(dense[a][:FIRST], dense[b][:FIRST]):
                continue
            broken, repeats = off_mode(dense[a], dense[b])
            if broken <= slack(repeats) and repeats >= FEWEST_REPEATS:
                determined.add((a, b))
                found.rules.append(Determines((a, b)))
    return determined


def _paired_dependencies(
    dense: Mapping[str, Dense], categories: list[str], right: list[str], single: set[tuple[str, str]], found: Found
) -> None:
    """Add the dependencies on two categories that neither of them explains alone."""
    for a, b in combinations(categories, 2):
        levels = int(dense[b].max()) + 1
        if (a, b) in single or (b, a) in single or (int(dense[a].max()) + 1) * levels > 10 * MAX_LEVELS:
            continue
        joint = np.where((dense[a] >= 0) & (dense[b] >= 0), dense[a] * levels + dense[b], -1)
        if len(np.unique(joint)) * ROWS_A_LEVEL > len(joint):
            continue
        for c in (c for c in right if c not in (a, b) and (a, c) not in single and (b, c) not in single):
            found.tried += 1
            if not _may_determine(joint[: 2 * FIRST], dense[c][: 2 * FIRST]):
                continue
            broken, repeats = off_mode(joint, dense[c])
            if broken <= slack(repeats) and repeats >= FEWEST_REPEATS:
                found.rules.append(Determines((a, b, c)))


def find_same(probe: Rows) -> Found:
    """Search for discrete columns that hold the same labels row by row."""
    found = Found()
    for a, b in combinations(probe.codes, 2):
        found.tried += 1
        few = [_texts(probe, name) for name in (a, b)]
        if all(x is None or y is None or x == y for x, y in zip(*few, strict=True)) and holds(Same((a, b)), probe):
            found.rules.append(Same((a, b)))
    return found


def _texts(rows: Rows, name: str) -> list[str | None]:
    """Return the labels of the first rows."""
    return [rows.labels[name][code] if code >= 0 else None for code in rows.codes[name][:100]]


def learn(rule: Determines, known: list[Rows]) -> Determines | None:
    """Return the dependency with the value that most often goes with each determinant; None where there are too many.

    Parameters
    ----------
    rule : Determines
    known : list of Rows
        All real rows, and all holdout rows.
    """
    columns = [np.concatenate([plain(rows, name) for rows in known]) for name in rule.columns]
    there = ~np.isnan(columns[0])
    for column in columns[1:]:
        there &= ~np.isnan(column)
    if not there.all():
        columns = [column[there] for column in columns]
    at, cells = np.zeros(len(columns[0]), np.int64), 1
    for column in columns[:-1]:
        codes, levels = _levels(column)
        at, cells = at * levels + codes, cells * levels
    if not len(at) or cells > MAX_CELLS:
        return None
    counts = np.bincount(at, minlength=cells)
    first = np.zeros(cells, np.int64)
    first[at[::-1]] = np.arange(len(at) - 1, -1, -1)
    wrong = columns[-1][first[at]] != columns[-1]
    if wrong.any():
        first = _most_frequent(at, columns[-1], first)
        wrong = columns[-1][first[at]] != columns[-1]
    seen = counts > 0
    first, counts = first[seen], counts[seen]
    value = columns[-1][first]
    known_values = tuple(column[first] for column in columns[:-1])
    labels = tuple(known[0].labels.get(name) for name in (rule.columns[0], rule.columns[-1]))
    support = int((counts - 1).sum())
    enough = counts >= FEWEST_NAMED
    return Determines(rule.columns, known_values, value, enough, labels, rule.both_ways, support, int(wrong.sum()))


def _most_frequent(at: Dense, values: Floats, first: Dense) -> Dense:
    """Return for each cell a row that holds the most frequent value of the cell."""
    codes = np.unique(values, return_inverse=True)[1]
    wide = int(codes.max()) + 1
    joint, index, counts = np.unique(at * wide + codes, return_index=True, return_counts=True)
    rising = np.argsort(counts, kind="stable")
    best = first.copy()
    best[joint[rising] // wide] = index[rising]  # of equal cells the last stays, which has the highest count
    return best


def _levels(column: Floats) -> tuple[NDArray[np.int64], int]:
    """Return codes from 0 that rise with the values, and how many there are; small whole numbers are their own."""
    low, high = (float(column.min()), float(column.max())) if len(column) else (0.0, 0.0)
    if high - low < MAX_LEVELS * 10 and (column == np.floor(column)).all():
        return (column - low).astype(np.int64), int(high - low) + 1
    values, codes = np.unique(column, return_inverse=True)
    return codes.astype(np.int64), len(values)


def find_implications(rows: Rows) -> Found:
    """Search for things that are true of one column whenever something is true of another.

    One product of matrices counts, for every two statements, the rows in which the first is true and the
    second is not.
    """
    probe = rows.head(ATOM_ROWS)
    found = Found()
    atoms = _atoms(probe)
    if len(atoms) > MAX_ATOMS:
        found.left_out.append(f"implications beyond the first {MAX_ATOMS} of {len(atoms)} statements on columns")
        atoms = atoms[:MAX_ATOMS]
    if len(atoms) < 2:
        return found
    holding = np.stack([atom.holds(probe) for atom in atoms]).astype(np.float32)
    meet = np.rint(holding @ holding.T).astype(np.int64)
    met = meet.diagonal()
    few = np.floor(NEARLY_ALL * met).astype(np.int64)[:, None]
    follows = (met[:, None] - meet <= few) & (met[:, None] >= FEWEST_MET)
    found.tried += len(atoms) * (len(atoms) - 1)
    twins = _missing_together(atoms, follows)
    found.rules += [Together((atoms[group[0]].column, atoms[at].column)) for group in twins for at in group[1:]]
    spare = {at for group in twins for at in group[1:]}
    spare |= {at for at, atom in enumerate(atoms) if atom.test == "present" and _null(atoms, atom) in spare}
    pairs = [
        (int(when), int(then))
        for when, then in zip(*np.nonzero(follows), strict=True)
        if when not in spare and then not in spare and _is_telling(atoms[when], atoms[then])
    ]
    if len(pairs) > MAX_IMPLICATIONS:
        found.left_out.append(
            f"{len(pairs) - MAX_IMPLICATIONS:,} of {len(pairs):,} implications, those with fewest rows"
        )
        pairs = sorted(pairs, key=lambda pair: -int(met[pair[0]]))[:MAX_IMPLICATIONS]
    for when, then in pairs:
        a, b = atoms[when], atoms[then]
        found.rules.append(Implies((a.column, b.column), a, b, exactly=bool(follows[then, when])))
    return found


def _is_telling(when: Atom, then: Atom) -> bool:
    """Whether an implication is worth a look: not a matter of one column, and not another one told backwards."""
    if when.column == then.column or then.test == "other":
        return False
    if then.test == "present":
        return when.test == "in"
    return when.test != "other" or (when.number == 0 and then.test in ("equal", "in"))


def _null(atoms: list[Atom], present: Atom) -> int:
    return atoms.index(Atom(present.column, "null"))


def _missing_together(atoms: list[Atom], follows: NDArray[np.bool_]) -> list[list[int]]:
    """Return groups of columns, as places of their `null`, that are missing in the same rows."""
    left = [at for at, atom in enumerate(atoms) if atom.test == "null"]
    groups = []
    while left:
        first = left.pop(0)
        same = [at for at in left if follows[first, at] and follows[at, first]]
        if same:
            groups.append([first, *same])
            left = [at for at in left if at not in same]
    return groups


def _atoms(rows: Rows) -> list[Atom]:
    atoms = []
    fewest = max(FEWEST_NAMED, rows.size // 500)
    for name in (*rows.codes, *rows.numbers):
        missing = int(rows.missing(name).sum())
        if fewest <= missing <= rows.size - fewest:
            atoms += [Atom(name, "null"), Atom(name, "present")]
        if name in rows.codes:
            if rows.roles[name].is_discrete:
                counts = np.bincount(rows.codes[name][rows.codes[name] >= 0], minlength=len(rows.labels[name]))
                often = [
                    int(code) for code in np.argsort(-counts, kind="stable")[:MAX_LABELS] if counts[code] >= fewest
                ]
                present = rows.size - missing
                atoms += [Atom(name, "in", (rows.labels[name][code],)) for code in often if counts[code] < present]
        elif rows.roles[name] is Role.NUMERICAL:
            atoms += _usual(rows, name, fewest)
    return atoms


def _usual(rows: Rows, name: str, fewest: int) -> list[Atom]:
    """Return statements on zero, or else on the most frequent number where it holds a tenth of the rows."""
    values = rows.numbers[name]
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    distinct, counts = np.unique(values, return_counts=True)
    best = int(np.argmax(counts))
    if not (distinct[best] == 0 or counts[best] >= 0.1 * len(values)):
        return []
    if counts[best] < fewest or len(values) - counts[best] < fewest:
        return []
    return [Atom(name, "equal", (), float(distinct[best])), Atom(name, "other", (), float(distinct[best]))]


def find_within(rows: Rows) -> Found:
    """Search for categories within which a number keeps to a range of its own."""
    found = Found()
    categories = [n for n in rows.codes if rows.roles[n].is_discrete]
    numbers = [n for n in rows.of_role(Role.NUMERICAL) if len(np.unique(rows.numbers[n][:1000])) > FEW_VALUES]
    for category in categories:
        codes = rows.codes[category]
        counts = np.bincount(codes[codes >= 0], minlength=len(rows.labels[category]))
        often = np.argsort(-counts, kind="stable")[:MAX_LABELS]
        if (counts > 0).sum() < 2:
            continue
        members = [(rows.labels[category][code], codes == code) for code in often if counts[code] >= 3 * FEWEST_NAMED]
        for name in numbers:
            found.tried += 2 * len(members)
            values = rows.numbers[name]
            there = np.isfinite(values)
            ranges = (range_within(label, values[there & member], values[there & ~member]) for label, member in members)
            kept = tuple(own for own in ranges if own is not None)
            if kept:
                found.rules.append(Within((category, name), kept))
    return found


def range_within(label: str, inside: Floats, outside: Floats) -> Range | None:
    """Return the range inside a category, with those ends that many values reach and others lie beyond."""
    if len(inside) < 3 * FEWEST_NAMED or len(outside) < 3 * FEWEST_NAMED:
        return None
    low, high = float(inside.min()), float(inside.max())
    if low == high:
        return None
    keeps_low = (outside < low).mean() >= OUTSIDE_SHARE and is_hard(inside - low, may_be_bare=False)
    keeps_high = (outside > high).mean() >= OUTSIDE_SHARE and is_hard(high - inside, may_be_bare=False)
    if not keeps_low and not keeps_high:
        return None
    return Range(label, low if keeps_low else None, high if keeps_high else None)


def extend(rule: Within, rows: Rows) -> Within | None:
    """Return the ranges over all rows, without ends that are no bounds there; None when none is left."""
    category, name = rule.columns
    values = rows.numbers[name]
    there = np.isfinite(values)
    kept = []
    for own in rule.ranges:
        member = rows.codes[category] == rows.labels[category].index(own.label)
        wider = range_within(own.label, values[there & member], values[there & ~member])
        if wider is not None:
            kept.append(wider)
    return replace(rule, ranges=tuple(kept)) if kept else None


def find_rising(rows: Rows, keys: list[str]) -> Found:
    """Search for columns that never fall, or never rise, as a key rises."""
    found = Found()
    for key in keys:
        order = numbers_of(rows, key)
        if np.isnan(order).any():
            continue
        for name in rows.numbers:
            if name == key:
                continue
            for falling in (False, True):
                found.tried += 1
                rule = Rising((key, name), falling)
                if holds(rule, rows) and len(np.unique(rows.numbers[name])) > 2 * FEWEST_NAMED:
                    found.rules.append(rule)
    return found
