"""Diagnosis of values that are written wrongly: placeholders, misspellings, signs, decimals, shares, times of day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from synthgate.findings import CheckResult, Diagnosis, Finding, Status

KNOWN_FACTORS = {
    10.0: "ten, or one decimal place",
    100.0: "a hundred, as metres for centimetres or shares for per cent",
    1000.0: "a thousand, as grams for kilograms",
    1_000_000.0: "a million",
    12.0: "twelve, as months for years or inches for feet",
    60.0: "sixty, as seconds for minutes",
    3600.0: "3,600, as seconds for hours",
    24.0: "24, as hours for days",
    7.0: "seven, as days for weeks",
    365.25: "365, as days for years",
    2.54: "2.54, as centimetres for inches",
    30.48: "30.48, as centimetres for feet",
    3.28084: "3.28, as feet for metres",
    2.20462: "2.2, as pounds for kilograms",
    1.609344: "1.61, as kilometres for miles",
    4.184: "4.18, as joules for calories",
    28.3495: "28.3, as grams for ounces",
    3.78541: "3.79, as litres for gallons",
}
FACTOR_TOLERANCE = 0.02
LEAST_CHANGE = 0.03
"""Change of a category's share from which on it is named."""


def factor_words(factor: float) -> str:
    """Return which change of units a factor is, or nothing."""
    size = max(factor, 1 / factor)
    for known, words in KNOWN_FACTORS.items():
        if abs(size / known - 1) <= FACTOR_TOLERANCE:
            return f"a factor of {words}"
    return ""


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
    out += _clocks(checks)
    repeated = checks.get("coverage.modes")
    for finding in repeated.findings if repeated else ():
        if finding.status is Status.FAIL and finding.measured.metric == "repeated_rows":
            sentence = f"rows are written more than once: {finding.measured.message}"
            out.append(_made("repeated rows", sentence, "coverage.modes"))
    return out


def _clocks(checks: Mapping[str, CheckResult]) -> list[Diagnosis]:
    """Name moments that are told in another time zone, or have lost their rhythm."""
    out = []
    for finding in _failing(checks, "fidelity.columns"):
        details, (column, *_) = finding.measured.details, finding.measured.columns
        late = details.get("late_hours")
        if isinstance(late, int):
            hours = f"{abs(late)} hour{'s' if abs(late) > 1 else ''} {'late' if late > 0 else 'early'}"
            sentence = f"the times of {column} lie {hours}: another time zone, or local time for UTC"
            out.append(_made("shifted clock", sentence, "fidelity.columns", column))
        elif "cycle" in details:
            sentence = f"{column} falls on other {details['cycle']} than real, {details['most']} above all"
            out.append(_made("lost rhythm of time", sentence, "fidelity.columns", column))
    return out


def _crowded(checks: Mapping[str, CheckResult], explained: set[str]) -> list[Diagnosis]:
    """Name a part of a column's range that holds far too many rows, or far too few."""
    out = []
    for finding in _failing(checks, "coverage.ranges"):
        details, (column, *_) = finding.measured.details, finding.measured.columns
        if column in explained or finding.measured.metric != "part_share_ratio":
            continue
        found, expected = float(str(details["found"])), float(str(details["expected"]))
        many = found > expected
        name, what = ("crowded values", "too many") if many else ("lost values", "too few")
        sentence = f"{column} lies on {details['name']} in {what} rows: {found:,.0f} found, {expected:,.0f} expected"
        out.append(_made(name, sentence, "coverage.ranges", column))
    return out


def remaining(checks: Mapping[str, CheckResult], explained: set[str]) -> list[Diagnosis]:
    """Name what no other mode explains: crowded or lost values, lost decimals, changed shares."""
    out = _crowded(checks, explained)
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
