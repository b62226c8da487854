"""Diagnosis: what went wrong, in words, from checks that fail together.

A pure function of judged checks. Each failure mode is a function that names it with its evidence, or
says nothing. Only findings that fail (or are waived, or held by a ratchet) count: a table
that passes has no diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from synthgate.findings import CheckResult, Diagnosis, Finding, Json, Status
from synthgate.wrong_labels import wrong_labels
from synthgate.wrong_values import factor_words, remaining, written_wrongly

Confidence: TypeAlias = 'Literal["clear", "likely"]'

STRONG = 0.1
LOST = 0.2
ALL_LOST = 0.3
EMPTY = 0.1
WEAKENED = 0.75
KEPT = 0.8
MOST = 0.6
LEAST_PAIRS = 2
EXPLAINED = {"independent columns", "weakened dependence", "shuffled or noisy target", "mode collapse", "unit change"}
"""Failure modes with which the dependence of all columns together is weaker as well."""
LEAST_REGIONS = 2
NAMED = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """The judged checks, by id."""

    checks: Mapping[str, CheckResult]

    def failing(self, check_id: str) -> list[Finding]:
        """Return the findings of a check that fail."""
        check = self.checks.get(check_id)
        return [f for f in check.findings if f.status in (Status.FAIL, Status.WARN)] if check else []

    def fails(self, check_id: str) -> bool:
        """Tell whether a check fails, in its score or in a finding."""
        check = self.checks.get(check_id)
        return check is not None and check.status in (Status.FAIL, Status.WARN)

    def traits(self) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """Return each column that fails by its distribution, with what can be told of how."""
        check = self.checks.get("fidelity.columns")
        bad = {f.measured.columns for f in self.failing("fidelity.columns")}
        for finding in check.findings if check else ():
            told = finding.measured.details.get("traits")
            if finding.measured.columns in bad and isinstance(told, Mapping):
                yield finding.measured.columns[0], told


def diagnose(checks: Iterable[CheckResult]) -> tuple[Diagnosis, ...]:
    """Name the failure modes that the findings point to, the clearest first; none when nothing fails.

    Parameters
    ----------
    checks : iterable of CheckResult
    """
    facts = Facts({check.id: check for check in checks})
    found = written_wrongly(facts.checks)
    for mode in MODES:
        found += mode(facts, tuple(found))
    found += wrong_labels(facts.checks, found)
    found += remaining(facts.checks, {column for d in found for column in d.columns})
    merged = [_merged([d for d in found if d.name == name]) for name in dict.fromkeys(d.name for d in found)]
    return tuple(sorted(merged, key=lambda d: d.confidence != "clear"))


def _merged(same: Sequence[Diagnosis]) -> Diagnosis:
    """Return the diagnoses of one name as one: the first in full, the other columns by name beyond a few."""
    sentence = "; ".join(d.sentence for d in same[:NAMED])
    if len(same) > NAMED:
        sentence += f"; likewise {_listed([c for d in same[NAMED:] for c in d.columns])}"
    return Diagnosis(
        name=same[0].name,
        sentence=sentence,
        confidence="clear" if all(d.confidence == "clear" for d in same) else "likely",
        checks=tuple(dict.fromkeys(check for d in same for check in d.checks)),
        columns=tuple(dict.fromkeys(column for d in same for column in d.columns)),
    )


Mode: TypeAlias = Callable[[Facts, tuple[Diagnosis, ...]], list[Diagnosis]]


def _listed(names: Sequence[str], most: int = NAMED) -> str:
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _unit_change(facts: Facts, _: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name a column whose values are the real ones times a constant."""
    out = []
    for column, told in facts.traits():
        factor = _number(told.get("scaled_by"))
        if factor <= 0:
            continue
        words = factor_words(factor)
        confidence: Confidence = "clear" if words else "likely"
        size = f"multiplied by {factor:.4g}" if factor > 1 else f"divided by {1 / factor:.4g}"
        sentence = f"{column} looks {size}" + (f": {words}" if words else "") + " (its shape is right)"
        out.append(_made("unit change", sentence, confidence, ["fidelity.columns"], [column]))
    return out


def _shifted(facts: Facts, _: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name columns whose values are the real ones plus a constant; dates by days."""
    out = []
    for column, told in facts.traits():
        shift = _number(told.get("shifted_by"))
        if not shift:
            continue
        is_date = told.get("unit") == "days"
        size = f"about {abs(shift):,.0f} days" if is_date else f"about {abs(shift):.4g}"
        way = ("late" if shift > 0 else "early") if is_date else ("too high" if shift > 0 else "too low")
        name = "shifted dates" if is_date else "shifted values"
        sentence = f"{column} lies {size} {way} (its shape is right)"
        out.append(_made(name, sentence, "clear", ["fidelity.columns"], [column]))
    return out


def _rounding(facts: Facts, _: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name columns that heap at round numbers, and columns whose frequent values have gone."""
    out = []
    for column, told in facts.traits():
        heap, spikes = told.get("rounded_to"), told.get("spikes")
        if isinstance(heap, Mapping):
            here, there = _number(heap.get("synthetic_share")), _number(heap.get("real_share"))
            sentence = (
                f"{column} heaps at multiples of {_number(heap.get('base')):g}: "
                f"{here:.0%} of synthetic values, {there:.0%} of real ones"
            )
            confidence: Confidence = "clear" if here > 0.9 else "likely"
            out.append(_made("heaping or rounding", sentence, confidence, ["fidelity.columns"], [column]))
        elif isinstance(spikes, Mapping):
            here, there = _number(spikes.get("synthetic_share")), _number(spikes.get("real_share"))
            sentence = (
                f"{column} has lost its frequent values: {there:.0%} of real values lie on them, "
                f"{here:.0%} of synthetic ones; they were smoothed away"
            )
            out.append(_made("smoothed spikes", sentence, "clear", ["fidelity.columns"], [column]))
    return out


def _tails(facts: Facts, before: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name columns whose outer values are cut off or too rare."""
    if any(d.name == "mode collapse" for d in before):
        return []
    moved = {c for d in before if d.name in ("unit change", "shifted dates", "shifted values") for c in d.columns}
    ends: dict[tuple[str, str], list[float]] = {}
    for finding in facts.failing("coverage.ranges"):
        details, column = finding.measured.details, finding.measured.columns[0]
        found, end = _number(details.get("found")), str(details.get("name")).split(" ")[0]
        if (
            finding.measured.metric == "tail_share_ratio"
            and column not in moved
            and found < _number(details.get("expected"))
        ):
            ends.setdefault((column, end), []).append(found)
    clipped: dict[str, bool] = {}
    for (column, _), rows in ends.items():
        clipped[column] = clipped.get(column, False) or not any(rows)
    out = []
    for name, wanted, words in (
        ("clipped tails", True, "end too early: nothing lies in an outer tail that real rows fill"),
        ("over-smoothed tails", False, "reach their extremes too rarely: less than half of the rows that should"),
    ):
        columns = [column for column, is_cut in clipped.items() if is_cut is wanted]
        if columns:
            sentence = f"{_listed(columns)} {words if len(columns) > 1 else _singular(words)}"
            out.append(_made(name, sentence, "clear" if wanted else "likely", ["coverage.ranges"], columns))
    return out


def _singular(words: str) -> str:
    return words.replace("end too", "ends too", 1).replace("reach their", "reaches its", 1)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Association of pairs that depend on each other: in real, and left in synthetic (squared Cramér's V)."""

    pairs: tuple[tuple[tuple[str, ...], float, float], ...]

    def share(self, column: str | None = None, without: Iterable[str] = ()) -> float | None:
        """Return the share of association left, of all pairs or of one column's; None when there are too few."""
        apart = set(without)
        chosen = [p for p in self.pairs if (column is None or column in p[0]) and not apart & set(p[0])]
        real = sum(there for _, there, _ in chosen)
        enough = len(chosen) >= (1 if column else LEAST_PAIRS)
        return sum(here for _, _, here in chosen) / real if enough and real > 0 else None

    @property
    def columns(self) -> list[str]:
        """The columns of these pairs."""
        return list(dict.fromkeys(name for names, _, _ in self.pairs for name in names))


def _dependence(facts: Facts, without: Iterable[str] = ()) -> _Kept:
    """Return the association of the pairs that depend on each other in real, those of some columns left out."""
    check = facts.checks.get("fidelity.pairs")
    pairs = []
    for finding in check.findings if check else ():
        details = finding.measured.details
        real, synthetic = details.get("association_real"), details.get("association_synthetic")
        if real is None or synthetic is None or set(without) & set(finding.measured.columns):
            continue
        if _number(real) >= STRONG and _number(details.get("dependence")) > 0:
            pairs.append((finding.measured.columns, _number(real) ** 2, _number(synthetic) ** 2))
    return _Kept(tuple(pairs))


def _failing_pairs(facts: Facts) -> list[tuple[str, ...]]:
    """Return the pairs that fail and whose columns depend on each other strongly in real."""
    return [
        f.measured.columns
        for f in facts.failing("fidelity.pairs")
        if _number(f.measured.details.get("association_real")) >= 2 * STRONG
    ]


def _weak_dependence(facts: Facts, before: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name a dependence that is lost, or too weak, all over the table."""
    if not facts.fails("fidelity.pairs") or any(d.name == "unit change" for d in before):
        return []
    kept = _dependence(facts)
    overall = kept.share()
    if overall is not None and overall < ALL_LOST:
        sentence = f"the columns hardly depend on each other: {overall:.0%} of the real association is left"
        return [_made("independent columns", sentence, "clear", ["fidelity.pairs"], [])]
    weak = [c for c in kept.columns if (left := kept.share(c)) is not None and left < WEAKENED]
    if overall is not None and overall < WEAKENED and len(weak) > len(kept.columns) * MOST:
        sentence = f"the columns depend on each other too weakly: {overall:.0%} of the real association is left"
        return [_made("weakened dependence", sentence, "likely", ["fidelity.pairs"], [])]
    return []


def _loose_columns(facts: Facts, before: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name single columns that were drawn apart from the others, which are right."""
    if {d.name for d in before} & {"independent columns", "weakened dependence", "mode collapse"}:
        return []
    moved = {c for d in before for c in d.columns}
    kept = _dependence(facts, without=moved)
    sure = {c for names in _failing_pairs(facts) if not moved & set(names) for c in names}
    loose = [c for c in kept.columns if c in sure and (left := kept.share(c)) is not None and left < LOST]
    targets = {f.measured.columns[0] for f in facts.failing("utility.tstr") if f.measured.columns}
    loose = _culprits(kept, sorted(loose, key=lambda c: c not in targets))
    rest = kept.share(without=loose)
    if not loose or rest is None or rest < KEPT or len(loose) > max(1, len(kept.columns) // 3):
        return []
    checks = ["fidelity.pairs", *(["utility.tstr"] if targets else [])]
    if set(loose) <= targets:
        return [_labels(loose, "have nothing to do with the rest of their rows", "clear", checks)]
    twins = [names for names, _, _ in kept.pairs if loose[0] in names]
    if len(loose) == 1 and len(twins) == 1 and sum(bool(set(p[0]) & set(twins[0])) for p in kept.pairs) == 1:
        sentence = f"{_listed(twins[0])} no longer depend on each other"
        return [_made("independent columns", sentence, "clear", checks, twins[0])]
    words = "was drawn apart from the others: its" if len(loose) == 1 else "were drawn apart from the others: their"
    sentence = f"{_listed(loose)} {words} own distribution may be right, what it depends on is lost"
    return [_made("independent columns", sentence, "clear", checks, loose)]


def _culprits(kept: _Kept, loose: list[str]) -> list[str]:
    """Leave out columns whose pairs are lost only because of another column's; ties keep their order."""
    out: list[str] = []
    for column in sorted(loose, key=lambda c: -sum(c in names for names, _, _ in kept.pairs)):
        own = [p for p in kept.pairs if column in p[0] and not set(out) & set(p[0])]
        if own and sum(here for _, _, here in own) < LOST * sum(there for _, there, _ in own):
            out.append(column)
    return out


def _labels(columns: Sequence[str], words: str, confidence: Confidence, checks: Sequence[str]) -> Diagnosis:
    sentence = f"the labels {_listed(columns)} {words}"
    return _made("shuffled or noisy target", sentence, confidence, checks, columns)


def _noisy_target(facts: Facts, before: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name a target that depends too little on the rest, where the rest is right."""
    if {d.name for d in before} & {"independent columns", "shuffled or noisy target", "weakened dependence"}:
        return []
    targets = list(dict.fromkeys(f.measured.columns[0] for f in facts.failing("utility.tstr") if f.measured.columns))
    kept = _dependence(facts)
    rest = kept.share(without=targets)
    noisy = [t for t in targets if (left := kept.share(t)) is not None and left < WEAKENED]
    if not noisy or rest is None or rest < KEPT:
        return []
    left = kept.share(noisy[0]) or 0.0
    words = f"are partly noise: {left:.0%} of their real association with the other columns is left, the rest is right"
    return [_labels(noisy, words, "likely", ["utility.tstr", "fidelity.pairs"])]


def _weaker_together(facts: Facts, before: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name a dependence that is weaker all over, where pairs show it only together and nothing else explains it."""
    if {d.name for d in before} & EXPLAINED:
        return []
    together = [f.measured for f in facts.failing("fidelity.pairs") if f.measured.metric == "dependence_kept"]
    left = next((m.estimate.value for m in together if not m.columns and m.estimate is not None), None)
    if left is None or len([m for m in together if m.columns]) < LEAST_PAIRS:
        return []
    sentence = f"the columns depend on each other too weakly: {max(0.0, left):.0%} of the real dependence is left"
    return [_made("weakened dependence", sentence, "likely", ["fidelity.pairs"], [])]


def _memorised(facts: Facts, _: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name copied or remembered training rows."""
    metrics = {f.measured.metric for f in facts.failing("privacy.copies")}
    copied = bool(metrics & {"copied_rows", "copied_rare_rows"})
    checks = [check for check in ("privacy.copies", "privacy.membership") if facts.fails(check)]
    if not metrics & {"copied_rows", "copied_rare_rows", "near_copies"}:
        if "privacy.membership" in checks:
            sentence = (
                "an attacker can tell training rows from others, though no copies were found: they were learnt by heart"
            )
            return [_made("memorisation", sentence, "likely", ["privacy.membership"], [])]
        return []
    what = "copies" if copied else "close to copies"
    rare = "" if metrics - {"copied_rare_rows"} else ", the rare ones above all"
    sentence = f"the table holds training rows, {what} beyond coincidence{rare}"
    return [_made("memorisation", sentence, "clear", checks, [])]


def _dropped(facts: Facts, before: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name columns that have lost rare categories."""
    lost: dict[str, int] = {}
    for finding in facts.failing("coverage.categories"):
        details = finding.measured.details
        if details.get("rare") is True and _number(details.get("found")) < _number(details.get("expected")) / 2:
            column = finding.measured.columns[0]
            lost[column] = lost.get(column, 0) + 1
    if not lost:
        return []
    total = sum(lost.values())
    noun = "rare category has" if total == 1 else "rare categories have"
    sentence = f"{total:,} {noun} all but gone from {_listed(list(lost))}"
    return [_made("dropped rare cases", sentence, "clear", ["coverage.categories"], list(lost))]


def _slices(facts: Facts) -> list[Finding]:
    """Return the failing slices of more than one column."""
    return [
        f
        for f in facts.failing("fidelity.detection")
        if f.measured.metric == "misplaced_share" and f.measured.judged and len(f.measured.columns) > 1
    ]


def _missing_groups(facts: Facts, before: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name groups of rows that synthetic lacks: mode collapse, where nothing else explains it."""
    if {d.name for d in before} & {"independent columns", "weakened dependence", "shuffled or noisy target"}:
        return []
    moved = {c for d in before if d.name != "dropped rare cases" for c in d.columns}
    regions = [
        f
        for f in facts.failing("coverage.modes")
        if _number(f.measured.details.get("found")) < _number(f.measured.details.get("expected")) / 2
    ]
    gone = [
        f
        for f in _slices(facts)
        if f.measured.details.get("direction") == "too few"
        and not moved & set(f.measured.columns)
        and _number(f.measured.details.get("synthetic_share")) < EMPTY * _number(f.measured.details.get("real_share"))
    ]
    checks = [c for c, there in (("coverage.modes", regions), ("fidelity.detection", gone)) if there]
    if len(regions) >= LEAST_REGIONS and not moved:
        named = [str(f.measured.details.get("name")) for f in regions]
        sentence = f"{len(regions):,} regions of the real table are empty or nearly so, such as {named[0]}"
        return [_made("mode collapse", sentence, "clear" if gone else "likely", checks, [])]
    if gone and not _overfull(facts, gone[0].measured.columns):
        columns = gone[0].measured.columns
        sentence = f"a group is missing: {gone[0].measured.message}"
        return [_made("missing group", sentence, "clear", checks, columns)]
    return []


def _overfull(facts: Facts, columns: Sequence[str]) -> bool:
    """Tell whether slices over some of these columns hold too many rows: then rows were moved, not lost."""
    return any(
        len(set(columns) & set(f.measured.columns)) > 1
        for f in _slices(facts)
        if f.measured.details.get("direction") == "too many"
    )


def _broken_subgroup(facts: Facts, before: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Name combinations that hold far too many rows, where columns and pairs alone do not explain it."""
    if {d.name for d in before} & {"independent columns", "weakened dependence", "mode collapse"}:
        return []
    explained = {c for d in before if d.name != "missing group" for c in d.columns}
    wrong = [
        f
        for f in _slices(facts)
        if f.measured.details.get("direction") == "too many" and not explained & set(f.measured.columns)
    ]
    if not wrong:
        return []
    never = [f for f in wrong if f.measured.details.get("never_in_real") is True]
    name = "impossible combinations" if never else "broken subgroup"
    told = "rows that never occur in real" if never else "a subgroup does not behave as in real"
    first = (never or wrong)[0]
    rest = len(wrong) - 1
    more = f", and {rest:,} more such slice{'s' if rest > 1 else ''}" if rest else ""
    columns = list(dict.fromkeys(c for f in wrong[:NAMED] for c in f.measured.columns))
    return [_made(name, f"{told}: {first.measured.message}{more}", "clear", ["fidelity.detection"], columns)]


def _made(name: str, sentence: str, confidence: Confidence, checks: Sequence[str], columns: Sequence[str]) -> Diagnosis:
    return Diagnosis(name=name, sentence=sentence, confidence=confidence, checks=tuple(checks), columns=tuple(columns))


MODES: tuple[Mode, ...] = (
    _unit_change,
    _shifted,
    _rounding,
    _dropped,
    _weak_dependence,
    _missing_groups,
    _loose_columns,
    _noisy_target,
    _weaker_together,
    _tails,
    _memorised,
    _broken_subgroup,
)
