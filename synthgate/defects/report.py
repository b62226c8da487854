"""A self test for people and for programs: terminal, HTML and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from synthgate.defects.catalogue import Rung
from synthgate.defects.limits import Suggestion
from synthgate.defects.trials import Alarm, Control, DefectResult, SelfTest, Trial
from synthgate.findings import Outcome
from synthgate.render.html import pages, policy, source
from synthgate.render.json import UNSAFE
from synthgate.render.text import count, listed, name, sentence

WIDTH = 96
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """How one severity of one defect came out: a symbol, a word, and the status that colours it."""

    symbol: str
    word: str
    status: str


CAUGHT, OTHER, MISSED = Cell("✓", "caught", "pass"), Cell("!", "other family", "warn"), Cell("✕", "missed", "fail")
BELOW, ABSENT = Cell("·", "not run", "not_assessed"), Cell("○", "does not apply", "not_assessed")


def cell(result: DefectResult, rung: Rung) -> Cell:
    """Return how a defect came out at a severity."""
    trial = result.at(rung)
    if trial is None:
        return BELOW
    if not trial.applies:
        return ABSENT
    if trial.right_family:
        return CAUGHT
    return OTHER if trial.alarms else MISSED


def clean_sentence(test: SelfTest) -> str:
    """Say what the gate made of fresh real rows."""
    outcomes = [control.outcome for control in test.controls]
    failed = sum(outcome is Outcome.FAIL for outcome in outcomes)
    if failed:
        ids = dict.fromkeys(alarm.check for control in test.controls for alarm in control.alarms)
        return (
            f"the gate fails fresh real rows in {failed} of {count(len(outcomes), 'clean control')}, by "
            f"{listed(list(ids), 5)}: mend that first, since a gate that fails good data says nothing of bad data"
        )
    still_open = sum(outcome is Outcome.INCOMPLETE for outcome in outcomes)
    if still_open:
        return f"the gate cannot decide on fresh real rows in {still_open} of {count(len(outcomes), 'clean control')}"
    return f"the gate passes fresh real rows in all of {count(len(outcomes), 'clean control')}"


def summary(test: SelfTest) -> str:
    """Say how many of the defects are caught at each severity."""
    told = [f"{caught} of {of} {rung}" for rung in reversed(Rung) for caught, of in [test.count(rung)] if of]
    return f"caught: {', '.join(told)}" if told else "no defect applies to this table"


def by(trial: Trial, families: tuple[str, ...]) -> str:
    """Return the checks of the right families that caught it."""
    ids = dict.fromkeys(alarm.check for alarm in trial.alarms if alarm.family in families)
    return listed(list(ids), 3)


def remedy(result: DefectResult) -> str:
    """Say what would catch what was missed; empty when nothing was."""
    missed = result.missed
    if missed is None:
        return ""
    others = dict.fromkeys(alarm.check for alarm in missed.alarms)
    told = [f"{missed.rung}: missed"] if not others else [f"{missed.rung}: only {listed(list(others), 3)} failed"]
    if missed.suggestions:
        told.append(f"would catch it: {' or '.join(f'{s.check} {s.setting}' for s in missed.suggestions)}")
    else:
        told.append("no limit of these families tells it from fresh real rows")
    return "; ".join(told)


def rows_sentence(test: SelfTest) -> str:
    """Say how many rows were used, of how many."""
    n = test.rows
    if test.holdout:
        return (
            f"{n['real']:,} of {n['of real']:,} real rows to compare with; of {n['of holdout']:,} rows of the holdout "
            f"{n['holdout']:,} as the gate's holdout and {n['spoiled']:,} others to spoil"
        )
    return (
        f"no holdout was given: {n['of real']:,} real rows cut at random into {n['real']:,} to compare with, "
        f"{n['holdout']:,} as the holdout and {n['spoiled']:,} to spoil"
    )


def as_text(test: SelfTest) -> str:
    """Return the self test for a terminal."""
    applying = [r for r in test.defects if r.applies]
    lines = ["CLEAN CONTROL FAILS" if test.clean_fails else "SELF TEST", *_block(sentence(clean_sentence(test)), "  ")]
    lines += _block(sentence(summary(test)), "  ") + _block(sentence(rows_sentence(test)), "  ")
    rungs = list(Rung)
    lines += ["", f"{'defect':<32} {' '.join(f'{rung:>9}' for rung in rungs)}  caught by"]
    for result in applying:
        cells = " ".join(f"{cell(result, rung).symbol:>9}" for rung in rungs)
        lowest = result.lowest
        caught = by(lowest, result.defect.families) if lowest else "never caught"
        lines += [f"{name(result.defect.title):<32} {cells}  {caught}"]
        if lowest is not None and lowest.right_column is False:
            lines += _block("the spoiled column is not named", "    ")
        lines += _block(remedy(result), "    ") if result.missed else []
    marks = (CAUGHT, OTHER, MISSED, BELOW, ABSENT)
    lines += ["", "  ".join(f"{mark.symbol} {mark.word}" for mark in marks)]
    absent = [r for r in test.defects if not r.applies]
    lines += [""] if absent else []
    for result in absent:
        lines += _block(f"not tried, {result.defect.title.lower()}: {result.trials[0].told}", "")
    return "\n".join(lines) + "\n"


def _block(text: str, indent: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def as_html(test: SelfTest) -> str:
    """Return the self test as one self-contained page, which opens offline and runs no script."""
    style = source("report.css")
    told: dict[str, Any] = {
        "clean": clean_sentence(test),
        "summary": summary(test),
        "rows": rows_sentence(test),
        "rungs": list(Rung),
        "cell": cell,
        "by": by,
        "remedy": remedy,
        "marks": (CAUGHT, OTHER, MISSED, BELOW, ABSENT),
        "applying": [r for r in test.defects if r.applies],
        "absent": [r for r in test.defects if not r.applies],
    }
    return pages().get_template("selftest.html.j2").render(test=test, style=style, policy=policy(style, ""), **told)


def as_json(test: SelfTest) -> str:
    """Return the self test as JSON: the same inputs, seed and versions give the same bytes."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "real": test.real,
        "holdout": test.holdout or None,
        "rows": dict(test.rows),
        "gate": test.gate,
        "targets": list(test.targets),
        "seed": test.seed,
        "clean_fails": test.clean_fails,
        "controls": [_control(control) for control in test.controls],
        "caught": {str(rung): list(test.count(rung)) for rung in Rung},
        "defects": [_defect(result) for result in test.defects],
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _control(control: Control) -> dict[str, Any]:
    return {"outcome": str(control.outcome), "alarms": [_alarm(a) for a in control.alarms], "open": list(control.open)}


def _defect(result: DefectResult) -> dict[str, Any]:
    lowest = result.lowest
    return {
        "name": result.defect.name,
        "title": result.defect.title,
        "families": list(result.defect.families),
        "applies": result.applies,
        "caught_from": str(lowest.rung) if lowest else None,
        "trials": [_trial(trial) for trial in result.trials],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "severity": str(trial.rung),
        "applies": trial.applies,
        "told": trial.told,
        "rows": trial.rows,
        "columns": list(trial.columns),
        "outcome": str(trial.outcome) if trial.outcome else None,
        "right_family": trial.right_family,
        "right_column": trial.right_column,
        "alarms": [_alarm(alarm) for alarm in trial.alarms],
        "diagnosis": list(trial.diagnosis),
        "suggestions": [_suggestion(s) for s in trial.suggestions],
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {"check": alarm.check, "family": alarm.family, "columns": list(alarm.columns)}


def _suggestion(made: Suggestion) -> dict[str, Any]:
    return {"check": made.check, "setting": made.setting, "fails_from": made.spoiled, "clean_reaches": made.clean}
