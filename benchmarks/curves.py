"""Operating curves: how a limit trades detection for false alarms, and which limit other tables would choose.

From records of ``verdicts.py``. For each check, and for its score and its worst finding apart, a record holds the
loosest limit at which the check would still fail (an end of the interval), so that every limit can be tried on the
stored numbers. Detection counts defects for which the check's family is a right one.
"""

from __future__ import annotations

import records

GRID = {
    "min_position": [round(0.05 * k, 2) for k in range(1, 21)],
    "min": [round(0.05 * k, 2) for k in range(1, 21)],
    "max": [0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56, 0.58, 0.6, 0.7],
}
SHOWN = 7
"""Limits around the one in force that are shown."""


def report(done):
    """Return the curves of every check, and the choices with one table left out, as Markdown."""
    done = list(done)
    places = sorted({(check, place) for r in done for check, marks in r["marks"].items() for place in marks})
    curves = [("check", "limit on", "at", "false alarms", "subtle", "moderate", "gross")]
    choices = [("check", "limit on", "in force", "left out", "chosen", "false alarms there", "detected there")]
    force = in_force()
    for check, place in places:
        limit = force.get((check, place))
        if limit is None:
            continue
        curves += curve(done, check, place, limit)
        choices += left_out(done, check, place, limit)
    return "\n".join(
        [
            records.table("Operating curves", curves),
            records.table("Limits chosen on all tables but one: the strictest without a false alarm there", choices),
        ]
    )


def in_force():
    """Return the default limit of every check and place."""
    from synthgate.gatefile import load_gate

    limits = {}
    for check in load_gate().checks:
        limits.update({(check.id, f"score.{name}"): at for name, at in check.threshold.as_dict().items()})
        limits.update({(check.id, f"each.{name}"): at for name, at in check.each.as_dict().items()})
    return limits


def fails(one, check, place, limit):
    """Tell whether a check would have failed at another limit; None where it gave no number."""
    at = one["marks"].get(check, {}).get(place)
    if at is None:
        return None
    return at > limit if place.endswith("max") else at < limit


def counted(done, check, place, limit):
    """Return how many of some records would have failed, and of how many."""
    found = [hit for one in done if (hit := fails(one, check, place, limit)) is not None]
    return sum(found), len(found)


def clean(done, base=None, *, out=False):
    """Return the clean records, of one base or of all others."""
    return [r for r in done if r["kind"] == "control" and (base is None or (r["base"] == base) is not out)]


def spoiled(done, check, severity=None, base=None):
    """Return the defects for which a check's family is a right one."""
    family = check.split(".")[0]
    return [
        r
        for r in done
        if r["kind"] == "defect"
        and family in r["families"]
        and severity in (None, r["severity"])
        and base in (None, r["base"])
    ]


def curve(done, check, place, limit):
    """Yield one row for each of the limits around the one in force."""
    grid = sorted({*GRID[place.split(".")[1]], limit})
    at = grid.index(limit)
    for tried in grid[max(0, at - SHOWN // 2) : at + SHOWN // 2 + 1]:
        groups = [clean(done), *(spoiled(done, check, severity) for severity in ("subtle", "moderate", "gross"))]
        cells = [records.share(*counted(group, check, place, tried)) for group in groups]
        yield (check, place.split(".")[0], f"{place.split('.')[1]} {tried:g}{' (in force)' * (tried == limit)}", *cells)


def left_out(done, check, place, limit):
    """Yield for every base the limit that all others choose, and what it does on that base."""
    bound = place.split(".")[1]
    grid = sorted(GRID[bound], reverse=bound != "max")
    for base in sorted({r["base"] for r in clean(done)}):
        others = clean(done, base, out=True)
        chosen = next((t for t in grid if counted(others, check, place, t)[0] == 0), None)
        if chosen is None or not counted(others, check, place, chosen)[1]:
            continue
        alarms = records.share(*counted(clean(done, base), check, place, chosen))
        hits = records.share(*counted(spoiled(done, check, None, base), check, place, chosen))
        yield (check, place.split(".")[0], f"{bound} {limit:g}", base, f"{chosen:g}", alarms, hits)
