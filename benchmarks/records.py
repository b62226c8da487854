"""What a verdict said of a labelled pair: kept as one line of JSON, added up into tables with intervals."""

from __future__ import annotations

import json
from dataclasses import dataclass

MARKS = ("min", "max", "min_position")
SEVERITIES = ("trace", "subtle", "moderate", "gross")


@dataclass(frozen=True)
class Label:
    """What is known of a pair.

    ``kind`` is defect, benign or control; ``families`` are those that should react, the one it is about first;
    ``columns`` those that should be named; ``must`` tells a defect far outside chance from one next to it.
    """

    case: str
    base: str
    kind: str
    defect: str
    severity: str
    families: tuple
    columns: tuple
    expected: str
    must: bool


def record(label, verdict, aliases, seconds):
    """Return what a verdict said, in plain values."""
    failed = []
    for check in verdict.failures():
        columns = sorted({c for f in check.failed for c in f.measured.columns})
        families = sorted({check.family, aliases.get(check.id, check.family)})
        failed.append({"id": check.id, "families": families, "columns": columns, "reason": check.reason[:300]})
    families = {family for check in failed for family in check["families"]}
    named = {c for check in failed if set(check["families"]) & set(label.families) for c in check["columns"]}
    return {
        **{key: list(v) if isinstance(v, tuple) else v for key, v in vars(label).items()},
        "outcome": str(verdict.outcome),
        "detected": str(verdict.outcome) == "fail",
        "right_family": bool(families & set(label.families)),
        "about": bool(families & set(label.families[:1])),
        "right_column": bool(named & set(label.columns)) if label.columns else None,
        "failed": failed,
        "warned": [c.id for c in verdict if str(c.status) == "warn"],
        "open": [c.id for c in verdict if str(c.status) in ("inconclusive", "not_assessed")],
        "diagnosis": [found.name for found in verdict.diagnosis],
        "marks": {check.id: found for check in verdict if (found := marks(check))},
        "own_limits": {check.id: found for check in verdict if (found := own_limits(check))},
        "seconds": round(seconds, 2),
    }


def marks(check):
    """Return the loosest limits at which a check would still fail: on its score, and on its worst finding.

    A finding that has a limit of its own stands under the name of its metric.
    """
    return {
        **{f"score.{bound}": m for bound in check.threshold.as_dict() if (m := _mark(check.score, bound)) is not None},
        **{f"each.{bound}": m for bound in check.each.as_dict() if (m := _worst(_failing(check), bound)) is not None},
        **_owned(check),
    }


def _owned(check):
    found = {}
    for measured in _failing(check, owned=True):
        for bound in measured.limit.as_dict():
            found.setdefault((measured.metric, bound), []).append(measured)
    worst = {(metric, bound): _worst(those, bound) for (metric, bound), those in found.items()}
    return {f"{metric}.{bound}": m for (metric, bound), m in worst.items() if m is not None}


def own_limits(check):
    """Return the limits of findings that have one of their own: the strictest, if they differ."""
    found = {}
    for measured in _failing(check, owned=True):
        for bound, at in measured.limit.as_dict().items():
            place = f"{measured.metric}.{bound}"
            strictest = min if bound == "max" else max
            found[place] = strictest(at, found.get(place, at))
    return found


def _mark(estimate, bound):
    if estimate is None:
        return None
    if bound == "min_position":
        return estimate.position.high if estimate.position else None
    return estimate.high if bound == "min" else estimate.low


def _failing(check, *, owned=False):
    """Return what can fail a check, of the findings with or without a limit of their own."""
    judged = [f.measured for f in check.findings if f.measured.judged and (f.measured.limit is not None) is owned]
    return [m for m in judged if str(m.severity) not in ("warn", "info")]


def _worst(measured, bound):
    found = [m for one in measured if (m := _mark(one.estimate, bound)) is not None]
    return (max if bound == "max" else min)(found, default=None)


def read(path):
    """Return the records of a file by case; none where there is no file."""
    if path is None or not path.exists():
        return {}
    return {one["case"]: one for line in path.read_text().splitlines() if (one := json.loads(line))}


def append(path, one):
    """Add a record to a file."""
    if path is not None:
        with path.open("a") as stream:
            stream.write(json.dumps(one, ensure_ascii=False) + "\n")


def share(hits, trials):
    """Return a share with its Wilson interval at 95 %, in words."""
    from synthgate.statistics.intervals import wilson

    if not trials:
        return "-"
    low, high = wilson(hits, trials)
    return f"{hits}/{trials} = {100 * hits / trials:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def table(title, rows):
    """Return a Markdown table; the first row is the head."""
    head, *body = rows
    lines = [f"\n### {title}\n", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in body)])


def tables(records):
    """Return detection by defect, by family and severity, and false alarms: Markdown tables."""
    records = list(records)
    found = [r for r in records if r["kind"] == "defect" and r["expected"] == "fail"]
    clean = [r for r in records if r["kind"] in ("control", "benign")]
    return "\n".join(
        [
            table("Detection by defect and severity", _by_defect(found)),
            table("Detection by family and severity (right family)", _by_family(found)),
            table("Detection by severity", _by_severity(found)),
            table("False alarms on clean tables", _alarms(clean)),
        ]
    )


def _by_defect(found):
    rows = [("defect", "severity", "n", "detected", "right family", "right column", "missed")]
    keys = sorted({(r["families"][0], r["defect"], SEVERITIES.index(r["severity"])) for r in found})
    for family, defect, at in keys:
        here = [r for r in found if r["defect"] == defect and r["severity"] == SEVERITIES[at]]
        columns = [r for r in here if r["right_column"] is not None]
        missed = ", ".join(sorted(r["base"] for r in here if not r["right_family"]))
        rows.append(
            (
                f"{family}: {defect}",
                SEVERITIES[at],
                len(here),
                sum(r["detected"] for r in here),
                sum(r["right_family"] for r in here),
                f"{sum(r['right_column'] for r in columns)}/{len(columns)}" if columns else "-",
                missed,
            )
        )
    return rows


def _by_family(found):
    rows = [("family", *SEVERITIES)]
    for family in sorted({r["families"][0] for r in found}):
        cells = []
        for severity in SEVERITIES:
            here = [r for r in found if r["families"][0] == family and r["severity"] == severity]
            cells.append(share(sum(r["right_family"] for r in here), len(here)))
        rows.append((family, *cells))
    return rows


def _by_severity(found):
    rows = [("severity", "detected", "right family", "right family where it must be", "right column")]
    for severity in SEVERITIES:
        here = [r for r in found if r["severity"] == severity]
        must = [r for r in here if r["must"]]
        named = [r for r in here if r["right_column"] is not None]
        rows.append(
            (
                severity,
                share(sum(r["detected"] for r in here), len(here)),
                share(sum(r["right_family"] for r in here), len(here)),
                share(sum(r["right_family"] for r in must), len(must)),
                share(sum(r["right_column"] for r in named), len(named)),
            )
        )
    return rows


def _alarms(clean):
    rows = [("base", "clean tables", "failed", "by")]
    for base in [*sorted({r["base"] for r in clean}), "all"]:
        here = [r for r in clean if base in ("all", r["base"])]
        alarms = [r for r in here if r["detected"]]
        by = sorted({check["id"] for r in alarms for check in r["failed"]})
        rows.append((base, len(here), share(len(alarms), len(here)), ", ".join(by)))
    return rows


def misses(records):
    """Yield one line for each defect that must be found and was not, and for each false alarm."""
    for r in records:
        told = "; ".join(f"{c['id']} {c['columns'][:4]}: {c['reason'][:200]}" for c in r["failed"])
        if r["kind"] == "defect" and r["must"] and not r["right_family"]:
            if r["expected"] == "fail" or not (r["warned"] or r["detected"]):
                about = f"{r['expected']}; about {'/'.join(r['families'])}"
                yield f"MISSED {r['case']} ({about}); failed: {told or 'nothing'}"
        elif r["kind"] != "defect" and r["detected"]:
            yield f"FALSE ALARM {r['case']}: {told}"
