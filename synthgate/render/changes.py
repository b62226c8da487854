"""What changed between two verdicts, as text, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from synthgate.findings import Estimate, Json
from synthgate.render import story
from synthgate.render.markdown import safe
from synthgate.render.text import count, name, number

if TYPE_CHECKING:
    from synthgate.findings import Status
    from synthgate.ratchet import Change
    from synthgate.verdict import Verdict

TITLES = {
    "worse": "Got worse, beyond noise",
    "better": "Got better, beyond noise",
    "new": "New",
    "gone": "No longer there",
}
SHOWN = 20
LAYOUTS = ("text", "markdown", "json")


def render(old: Verdict, new: Verdict, changes: Sequence[Change], layout: str) -> str:
    """Return the changes in one of :data:`LAYOUTS`; text and Markdown show the first of each kind."""
    return {"text": _text, "markdown": _markdown, "json": _json}[layout](old, new, changes)


def _notable(changes: Iterable[Change], trend: str) -> list[Change]:
    """Return the changes of one kind; of what is new or gone only what is not simply in order."""
    kept = [c for c in changes if c.trend == trend]
    if trend in ("new", "gone"):
        kept = [c for c in kept if (c.status_after or c.status_before) in ("fail", "warn", "error")]
    return sorted(kept, key=lambda c: (c.status_after != "fail", c.finding is not None, c.check))


def _subject(change: Change) -> str:
    return "score" if change.finding is None else story.subject(change.finding)


def _number(estimate: Estimate | None, *, on_position: bool) -> str:
    if estimate is None:
        return "nothing"
    if on_position and estimate.position is not None:
        return number(estimate.position.value)
    return number(estimate.value)


def _state(status: Status | None) -> str:
    return story.SIGNS[status].word if status is not None else "absent"


def _line(change: Change) -> str:
    what = "position" if change.on_position else "value"
    if change.finding is not None and not change.on_position:
        what = change.finding.measured.metric.replace("_", " ")
    before, after = (_number(e, on_position=change.on_position) for e in (change.before, change.after))
    states = [_state(change.status_before), _state(change.status_after)]
    told = states[0] if states[0] == states[1] else f"{states[0]}, now {states[1]}"
    return f"{name(change.check)}, {_subject(change)}: {name(what)} {before} to {after} ({told})"


def _summary(old: Verdict, new: Verdict, changes: Sequence[Change]) -> str:
    counted = {trend: len(_notable(changes, trend)) for trend in TITLES}
    same = sum(c.trend == "same" for c in changes)
    told = f"{counted['worse']:,} worse, {counted['better']:,} better, {same:,} the same within noise"
    verdicts = f"verdict {old.outcome}" + (f", now {new.outcome}" if old.outcome != new.outcome else " as before")
    return f"{verdicts}; {told}"


def _text(old: Verdict, new: Verdict, changes: Sequence[Change]) -> str:
    lines = [_summary(old, new, changes)]
    for trend, title in TITLES.items():
        found = _notable(changes, trend)
        lines += ["", f"{title} ({len(found):,})"] if found else []
        lines += [f"  {_line(change)}" for change in found[:SHOWN]]
        lines += [f"  and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
    return "\n".join(lines) + "\n"


def _markdown(old: Verdict, new: Verdict, changes: Sequence[Change]) -> str:
    lines = [f"**Since the baseline:** {safe(_summary(old, new, changes))}.", ""]
    for trend, title in TITLES.items():
        found = _notable(changes, trend)
        if found:
            opened = " open" if trend == "worse" else ""
            lines += [f"<details{opened}><summary>{title}: {count(len(found), 'finding')}</summary>", ""]
            lines += [f"- {safe(_line(change))}" for change in found[:SHOWN]]
            lines += [f"- and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
            lines += ["", "</details>", ""]
    return "\n".join(lines)


def _json(old: Verdict, new: Verdict, changes: Sequence[Change]) -> str:
    made: dict[str, Json] = {
        "verdict": {"before": str(old.outcome), "after": str(new.outcome)},
        "changes": [_as_dict(change) for change in changes],
    }
    return json.dumps(made, indent=2, allow_nan=False) + "\n"


def _as_dict(change: Change) -> dict[str, Json]:
    measured = change.finding.measured if change.finding else None
    return {
        "check": change.check,
        "table": measured.table if measured else None,
        "columns": list(measured.columns) if measured else [],
        "metric": measured.metric if measured else None,
        "trend": str(change.trend),
        "before": _value(change.before),
        "after": _value(change.after),
        "status_before": str(change.status_before) if change.status_before else None,
        "status_after": str(change.status_after) if change.status_after else None,
    }


def _value(estimate: Estimate | None) -> Json:
    if estimate is None or estimate.value != estimate.value:
        return None
    return estimate.value
