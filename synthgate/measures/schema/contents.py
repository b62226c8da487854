"""Which values there are: ranges, categories and formats, beyond what fresh real rows would show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synthgate.canonical import Numbers
from synthgate.catalogue import Options, measure
from synthgate.clusters import count_units, unit_labels
from synthgate.counts import ColumnCounts
from synthgate.findings import Ledger, Measured, Measurement, Severity, Skip
from synthgate.measures.schema.slips import Spellings
from synthgate.measures.schema.structure import (
    LIKELY,
    alone_chance,
    by_chance,
    chance_of_all,
    dealt_chance,
    summed_up,
    violation,
)
from synthgate.roles import Role
from synthgate.values import LabelCounts, NumberCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

ALPHA = 0.001
RARE_ROWS = 10
"""Rows below which a category of real that resembles another one may be a misspelling itself."""
FAR = 0.1
SEVERAL = 5
PLACEHOLDERS = frozenset(
    {"", "?", "-", "--", ".", "na", "n/a", "nan", "null", "none", "nil", "missing", "#n/a", "<na>"}
)
"""What programs write for a missing value, in lower case."""
MOST_OF_THEM = 0.8
MAX_MASKS = 5
MIN_ROWS_FOR_MASKS = 50
GOOD_TURING_Z = 3.3
POOLED = "the profile does not name its rare categories, so that unknown ones cannot be told from them"


@measure("schema.ranges")
def ranges(evidence: Evidence, options: Options) -> Measurement:
    """Look for values beyond the real extremes, more than fresh real rows would show.

    With ``N`` known real values and ``m`` synthetic ones from the same population, the chance that the
    ``k`` largest of all are synthetic is ``prod (m - i) / (N + m - i)``, ``i < k``; the same holds at the
    lower end. A column fails when that chance is below 0.001, shared over all columns and both ends.
    """
    names = [n for n in evidence.shared if evidence.plan[n].role.is_continuous]
    if not names:
        return Measurement.missing("no numerical or datetime column")
    alpha = ALPHA / (2 * len(names))
    real = evidence.real.counts.columns
    fresh = evidence.holdout.counts.columns if evidence.holdout else {}
    bounds = {n: _bounds(evidence, n) for n in names}
    grouped = evidence.design_effect > 1 or any(
        end.chance < alpha
        for n in names
        if n in fresh
        for end in _beyond([real[n].numbers], fresh[n].numbers, bounds[n])
    )
    findings = []
    for name in names:
        known = [side[name].numbers for side in (real, fresh) if name in side]
        ends = _beyond(known, evidence.synthetic.counts.columns[name].numbers, bounds[name])
        ends = [_by_units(evidence, name, end) for end in ends]
        findings += [_range_finding(name, end, alpha, grouped=grouped) for end in ends]
    return summed_up(findings, "columns leave the real range", len(names))


@dataclass(frozen=True, slots=True)
class Beyond:
    """Values beyond one end of the known range.

    Attributes
    ----------
    where : str
    rows, of : int
    chance : float
        Probability that fresh rows would put as many there.
    reach : float
        How far the farthest lies beyond, in lengths of the known range.
    bound : float
        The end of the known range.
    only : float or None
        The one value that nearly all of these rows hold, where they are several.
    """

    where: str
    rows: int
    of: int
    chance: float
    reach: float
    bound: float
    only: float | None = None


def _bounds(evidence: Evidence, name: str) -> tuple[float, float] | None:
    """Return the bounds that a profile gives in place of the real extremes."""
    gone = evidence.real.suppression
    return None if gone is None else gone.columns[name].bounds


def _by_units(evidence: Evidence, name: str, end: Beyond) -> Beyond:
    """Count parents or sequences instead of rows, where rows belong to such: their values leave the range together."""
    units, column = evidence.units["synthetic"], evidence.synthetic.kept.get(name)
    if (
        units is None
        or not evidence.real.has_rows
        or not isinstance(column, Numbers)
        or not evidence.synthetic.is_whole
    ):
        return end
    out = column.values < end.bound if end.where.startswith("below") else column.values > end.bound
    known = sum(count_units(evidence, side) for side in evidence.sides if side != "synthetic")
    return replace(end, chance=chance_of_all(len(np.unique(units[out])), count_units(evidence, "synthetic"), known))


def _beyond(known: list[NumberCounts], found: NumberCounts, bounds: tuple[float, float] | None) -> list[Beyond]:
    """Return the values beyond the known ones: those of real, which a profile bounds, and of the holdout."""
    filled = [c for c in known if len(c.values)]
    if not filled or not len(found.values):
        return []
    low, high = min(c.values[0] for c in filled), max(c.values[-1] for c in filled)
    if bounds is not None:
        low, high = min(low, bounds[0]), max(high, bounds[1])
    total, of = sum(c.total for c in filled), found.total
    with np.errstate(invalid="ignore", over="ignore"):
        length = float(high - low) or 1e-300
        reach = (float(low - found.values[0]), float(found.values[-1] - high))
    rounded = "" if bounds is None else ", which the profile rounds outwards"
    ends = []
    for where, chosen, far, bound in (
        ("below the real minimum", found.values < low, reach[0], float(low)),
        ("above the real maximum", found.values > high, reach[1], float(high)),
    ):
        rows = int(found.counts[chosen].sum())
        if rows:
            beyond = far / length if np.isfinite(far) and np.isfinite(length) else float("inf")
            most = int(np.argmax(np.where(chosen, found.counts, 0)))
            is_one = found.counts[most] >= max(SEVERAL, MOST_OF_THEM * rows)
            only = float(found.values[most]) if is_one else None
            ends.append(Beyond(where + rounded, rows, of, chance_of_all(rows, of, total), beyond, bound, only))
    return ends


def _range_finding(name: str, end: Beyond, alpha: float, *, grouped: bool) -> Measured:
    """Return the finding; where the holdout itself leaves the range, rows come in groups and only far values fail."""
    share = end.rows / end.of
    told = f"{end.rows:,} of {end.of:,} values lie {end.where}"
    if end.chance < alpha and (not grouped or end.reach > FAR):
        message = f"{told}; fresh real rows would not (chance {end.chance:.1g})"
        found = violation("out_of_range_share", name, share, message)
        is_code = end.only is not None and end.reach > FAR
        return replace(found, details={"only": f"{end.only:.15g}"}) if is_code else found
    why = "as holdout rows do" if grouped else f"as fresh real rows may (chance {end.chance:.2g})"
    return by_chance("out_of_range_share", name, share, f"{told}, {why}")


@measure("schema.categories")
def categories(evidence: Evidence, options: Options) -> Measurement:
    """Look for categories that real does not have, more rows of them than fresh real rows would show.

    The chance that a fresh row shows an unknown category is estimated by the share of known rows
    whose category occurs once (Good 1953, Biometrika 40, 237-264), and by the share of holdout rows
    whose category real does not have, whichever is larger; it must not be one that a random deal of all rows to the two
    tables would explain either (:func:`dealt_chance`). Nor may any one of them have more rows than such a deal gives
    to any category (:func:`alone_chance`): many new names are natural in some columns, a frequent one is not. A
    misspelling of a known category fails at one row, unless real categories that occur once resemble others too. A few
    rows of an otherwise unknown one are told: as a warning, unless each unknown category alone is as rare as one that
    known rows miss by chance, or real has categories as rare.
    """
    every = [n for n in evidence.shared if evidence.plan[n].role.is_discrete]
    if not every:
        return Measurement.missing("no categorical or boolean column")
    names = [n for n in every if evidence.plan[n].pool is None]
    if not names:
        return Measurement.missing(f"real is a profile, and every column has rare categories: {POOLED}")
    findings = []
    for name in names:
        if not _has_unseen(evidence, name):
            continue
        known = _seen(evidence, "real", name)
        rate, alone = 0.0, 1.0
        if evidence.holdout and name in evidence.holdout.counts.columns:
            fresh = _seen(evidence, "holdout", name)
            rate, alone = _unknown_share(known, fresh), _alone(known, fresh)
            known = Seen(known.labels + fresh.labels, known.of + fresh.of, known.noun)
        found = _seen(evidence, "synthetic", name)
        openness = Openness(rate, is_lumpy=alone < ALPHA)
        findings.extend(_unseen(name, known, found, ALPHA / len(names), openness, evidence.parent_keys(name)))
    summary = summed_up(findings, "columns hold categories unknown to real", len(names))
    skipped = tuple(Skip(n, POOLED) for n in every if evidence.plan[n].pool is not None)
    return replace(summary, ledger=Ledger(len(names), skipped))


def _has_unseen(evidence: Evidence, name: str) -> bool:
    real, synthetic = (evidence.sides[side].counts.columns[name].values for side in ("real", "synthetic"))
    if real.overflowed or synthetic.overflowed:
        return False
    labels = [set(counts.labels.to_pylist()) for counts in (real, synthetic) if isinstance(counts, LabelCounts)]
    return bool(labels[1] - labels[0])


@dataclass(frozen=True, slots=True)
class Seen:
    """In how many rows, or independent units of rows that belong together, each category occurs."""

    labels: LabelCounts
    of: int
    noun: str


def _seen(evidence: Evidence, side: str, name: str) -> Seen:
    """Count the categories of a column; rows of one parent or sequence count once, for they come together."""
    column = evidence.sides[side].counts.columns[name]
    units = None if column.values.overflowed else unit_labels(evidence, side, name)
    if units is None:
        return Seen(column.labels, column.present, "rows")
    return Seen(units, count_units(evidence, side), "groups of rows")


def _unknown_share(known: Seen, fresh: Seen) -> float:
    """Return the share of fresh rows whose category is not known, with one row of doubt."""
    if known.labels.overflowed or fresh.labels.overflowed or not fresh.of:
        return 0.0
    labels = set(known.labels.labels.to_pylist())
    unknown = sum(n for label, n in fresh.labels.as_dict().items() if label not in labels)
    return (unknown + 1) / fresh.of if unknown else 0.0


def _alone(known: Seen, fresh: Seen, allowed: frozenset[str] = frozenset()) -> float:
    """Return the chance that a category which is not known would have as many fresh rows as the most frequent one."""
    if known.labels.overflowed or fresh.labels.overflowed:
        return 1.0
    labels = set(known.labels.labels.to_pylist()) | allowed
    most = max((n for label, n in fresh.labels.as_dict().items() if label not in labels), default=0)
    return alone_chance(known.labels + fresh.labels, most, fresh.of, known.of) if most else 1.0


@dataclass(frozen=True, slots=True)
class Openness:
    """What the holdout shows: the share of its rows in unknown categories, and whether one of these is frequent."""

    rate: float
    is_lumpy: bool


def _unseen(
    name: str, known: Seen, synthetic: Seen, alpha: float, openness: Openness, allowed: frozenset[str]
) -> list[Measured]:
    from scipy.special import bdtrc

    if known.labels.overflowed or synthetic.labels.overflowed or not known.of:
        return []
    labels = set(known.labels.labels.to_pylist()) | allowed
    unseen = {label: n for label, n in synthetic.labels.as_dict().items() if label not in labels}
    rows = sum(unseen.values())
    if not rows:
        return []
    slips = _slips(known, labels, unseen, synthetic.of)
    share = min(1.0, rows / synthetic.of)
    singles = int((known.labels.counts == 1).sum())
    rate = min(1.0, max((singles + 1) / known.of, openness.rate))
    chance = float(bdtrc(min(rows, synthetic.of) - 1, synthetic.of, rate))
    if chance < alpha:
        chance = max(chance, dealt_chance(known.labels + synthetic.labels, rows, synthetic.of, known.of))
    most, count = max(unseen.items(), key=lambda item: item[1])
    is_crowded = not openness.is_lumpy and _alone(known, synthetic, allowed) < alpha
    several = "a category" if len(unseen) == 1 else f"{len(unseen):,} categories"
    message = f"{rows:,} {synthetic.noun} hold {several} that real does not have"
    if is_crowded and chance >= alpha:
        chance = 0.0
        message += f", one of them in {count:,}, where fresh real rows bring rare ones only"
    slipped = slips.chance < alpha
    if slipped:
        message += f"; {slips.categories:,} of them misspell a real category"
    elif chance >= alpha:
        message += f", as fresh real rows may (chance {chance:.2g})"
    severity = None if slipped or chance < alpha else Severity.WARN
    rare = all(chance_of_all(n, synthetic.of, known.of) >= LIKELY for n in unseen.values())
    if severity and (singles or openness.rate or rare):
        return [by_chance("unseen_category_share", name, share, message)]
    found = violation("unseen_category_share", name, share, message, severity)
    if most.strip().casefold() in PLACEHOLDERS and count >= MOST_OF_THEM * rows:
        return [replace(found, details={"placeholder": most})]
    return [replace(found, details={"misspelt": slips.categories})] if slipped else [found]


@dataclass(frozen=True, slots=True)
class Slips:
    """How many new categories misspell a known one, and how likely fresh real rows would hold as many such rows."""

    categories: int
    chance: float


def _slips(known: Seen, labels: set[str], unseen: Mapping[str, int], of: int) -> Slips:
    """Compare the rows of misspellings with what real leads to expect.

    Names of persons, places and goods resemble each other by nature. Where fresh rows bring further categories, the
    share of known rows whose category occurs once and resembles another one is what they show of such rows. Where they
    do not (less than one row is due by the categories that occur once, and there is none that is no slip), and no rare
    category of real resembles another one, the first one is a slip.
    """
    from scipy.special import bdtrc

    spelt = Spellings(labels)
    found = [label for label in unseen if spelt.slip(label)]
    if not found:
        return Slips(0, 1.0)
    counted = known.labels.as_dict()
    once = [label for label, n in counted.items() if n == 1]
    is_closed = len(once) * of < known.of and len(found) == len(unseen)
    if is_closed and not any(n < RARE_ROWS and spelt.is_like_another(label) for label, n in counted.items()):
        return Slips(len(found), 0.0)
    alike = sum(spelt.is_like_another(label) for label in once)
    rows = min(of, sum(unseen[label] for label in found))
    # the share that singletons show of rows yet unseen has a variance of about their number and twice that of pairs
    most = alike + 1 + GOOD_TURING_Z * np.sqrt(2 * alike)
    return Slips(len(found), float(bdtrc(rows - 1, of, min(1.0, most / known.of))))


@measure("schema.formats")
def formats(evidence: Evidence, options: Options) -> Measurement:
    """Compare the shape of text: digits, letters and signs of ids and codes, where real has few shapes.

    A code, whose one shape holds both letters and digits, fails at one value of another shape; other texts fail when
    fresh rows would not hold as many (chance below 0.001: see :func:`chance_of_all`), and fewer are told as a warning.
    Ids of another shape are told as a warning, since numbering rows anew is harmless. A format that the metadata
    declares (``regex_format``) goes before the shapes of real, and a value that breaks it fails.
    """
    names = [n for n in evidence.shared if evidence.plan[n].role in (Role.ID, Role.TEXT, Role.CATEGORICAL)]
    findings, scored = [], 0
    for name in names:
        real, synthetic = evidence.real.counts.columns[name], evidence.synthetic.counts.columns[name]
        if synthetic.values.overflowed:
            continue
        told = evidence.plan[name].pool is None and not (evidence.real.has_rows and real.values.overflowed)
        if name in evidence.patterns and told:
            scored += 1
            findings += _off_pattern(name, evidence.patterns[name], real, synthetic)
            continue
        known = _real_masks(evidence, name)
        if known and evidence.holdout and name in evidence.holdout.counts.columns:
            known |= {mask(label) for label in evidence.holdout.counts.columns[name].labels.labels.to_pylist()}
        if not known or len(known) > MAX_MASKS:
            continue
        scored += 1
        wrong = sum(n for label, n in synthetic.labels.as_dict().items() if mask(label) not in known)
        if wrong:
            shapes = ", ".join(sorted(known)[:3])
            message = f"{wrong:,} of {synthetic.present:,} values have another shape than {shapes}"
            by_chance = (
                not _is_code(known) and chance_of_all(wrong, synthetic.present, _present(evidence, name)) >= ALPHA
            )
            severity = Severity.WARN if by_chance or evidence.plan[name].role is Role.ID else None
            findings.append(violation("format_share", name, wrong / max(1, synthetic.present), message, severity))
    if not scored:
        return Measurement.missing("no text column of real has a fixed format")
    return summed_up(findings, "columns leave the real format", scored)


def _is_code(shapes: set[str]) -> bool:
    """Whether there is one shape, made of letters and digits: such values are codes, not words."""
    (first, *more) = shapes
    return not more and "9" in first and bool(re.search("[Aa]", first))


def _present(evidence: Evidence, name: str) -> int:
    """Return the known rows that have a value."""
    sides = (evidence.real, evidence.holdout)
    return sum(side.counts.columns[name].present for side in sides if side and name in side.counts.columns)


def _off_pattern(name: str, pattern: str, real: ColumnCounts, synthetic: ColumnCounts) -> list[Measured]:
    """Return values that do not match the pattern that metadata declares; a warning where real breaks it too."""
    found, known = (
        sum(n for label, n in side.labels.as_dict().items() if not re.fullmatch(pattern, label))
        for side in (synthetic, real)
    )
    if not found:
        return []
    message = f"{found:,} of {synthetic.present:,} values do not match the declared format {pattern}"
    message += f"; nor do {known:,} of {real.present:,} real ones" if known else ""
    return [violation("format_share", name, found / synthetic.present, message, Severity.WARN if known else None)]


def _real_masks(evidence: Evidence, name: str) -> set[str]:
    """Return the shapes of the real texts; none where there are too few texts, or where a profile tells none."""
    if evidence.real.suppression is not None:
        return set(evidence.real.suppression.columns[name].masks)
    real = evidence.real.counts.columns[name]
    if real.values.overflowed or min(real.present, len(real.labels.labels)) < MIN_ROWS_FOR_MASKS:
        return set()
    return {mask(label) for label in real.labels.labels.to_pylist()}


def mask(text: str) -> str:
    """Return the shape of a text: runs of digits as ``9+``, letters as ``A+`` or ``a+``, signs as they are.

    Examples
    --------
    >>> mask("AB-1234"), mask("x 7")
    ('A+-9+', 'a+ 9+')
    """
    digits = re.sub(r"\d+", "9+", text[:200])
    return re.sub(r"[a-z]+", "a+", re.sub(r"[A-Z]+", "A+", digits))
