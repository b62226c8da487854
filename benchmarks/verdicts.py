"""Run the default gate over a folder of labelled pairs and print what it says of each.

    python benchmarks/verdicts.py DATA [--match TEXT] [--defects]

DATA holds ``*/NAME/train.parquet``, ``holdout.parquet`` and ``synthetic/*.parquet``, and a ``catalog.csv`` with
columns path, target, known_truth; with ``--defects`` it holds a ``manifest.csv`` of injected defects instead.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

FAMILY = {"constraint": "constraints"}


@dataclass
class Case:
    """One labelled pair."""

    name: str
    real: Path
    synthetic: Path
    holdout: Path
    target: str
    metadata: Path
    known: str
    row: dict | None = None


def published(folder):
    """Yield every pair of a catalogue."""
    with (folder / "catalog.csv").open() as stream:
        for row in csv.DictReader(stream):
            path = folder / row["path"]
            if path.parent.name == "synthetic" and path.suffix == ".parquet":
                base = path.parents[1]
                files = (base / "train.parquet", path, base / "holdout.parquet")
                yield Case(
                    f"{base.name}/{path.stem}", *files, row["target"], base / "metadata.json", row["known_truth"]
                )


def defects(folder):
    """Yield every table of a manifest of injected defects."""
    with (folder / "manifest.csv").open() as stream:
        for row in csv.DictReader(stream):
            path = folder / row["file"]
            if path.suffix == ".parquet":
                known = f"{row['expected']} {row['family']} {row['also']} ({row['must_detect']})"
                name = f"{row['kind']}/{path.parent.name if row['kind'] == 'control' else path.stem}"
                files = (folder / row["train"], path, folder / row["holdout"])
                yield Case(
                    name, *files, "income" if row["base"] == "adult_plus" else "", folder / row["metadata"], known, row
                )


def right(row, verdict):
    """Tell whether a verdict is the one that the manifest expects."""
    failed = {c.family for c in verdict.failures()}
    allowed = {FAMILY.get(f, f) for f in (row["family"], *row["also"].split(";")) if f}
    if row["expected"] == "pass":
        return "yes" if not failed else "FALSE ALARM"
    if row["expected"] == "warn":
        return "yes" if failed & allowed or any(c.status == "warn" for c in verdict) else "missed (warn)"
    if failed & allowed:
        return "yes"
    return "missed" if row["must_detect"] == "yes" else "missed (maybe)"


def as_sql(rule):
    """Return a rule of ``constraints.json`` as an SQL expression, or None when it needs more than the row."""
    if rule["type"] == "inequality":
        return f'"{rule["low"]}" <= "{rule["high"]}"'
    if rule["type"] == "range":
        bounds = [
            f'"{rule["column"]}" {sign} {rule[key]}' for key, sign in (("min", ">="), ("max", "<=")) if key in rule
        ]
        return " AND ".join(bounds)
    if rule["type"] == "weekday":
        return f'isodow("{rule["column"]}") <= 5'
    if rule["type"] == "implies_null":
        ((column, values),) = rule["when"].items()
        listed = ", ".join("'" + v.replace("'", "''") + "'" for v in values)
        return f'"{column}" NOT IN ({listed}) OR "{rule["null"]}" IS NULL'
    return None


def gate_of(metadata):
    """Return the default gate with the constraints that stand beside the metadata."""
    from synthgate.gatefile import Constraint, load_gate

    rules = json.loads((metadata.parent / "constraints.json").read_text())["constraints"]
    texts = [text for text in map(as_sql, rules) if text]
    return replace(load_gate(), constraints=tuple(Constraint(sql=text, name=text) for text in texts))


def judge(case):
    """Return the verdict of a case, with its constraints when there are any."""
    import synthgate

    gate = gate_of(case.metadata) if (case.metadata.parent / "constraints.json").is_file() else None
    metadata = json.loads(case.metadata.read_text()) if case.metadata.is_file() else None
    if metadata and len(metadata.get("tables", {})) > 1:
        name = json.loads((case.metadata.parent / "constraints.json").read_text())["table"]
        metadata = metadata["tables"][name]
    return synthgate.evaluate(
        case.real,
        case.synthetic,
        holdout=case.holdout if case.holdout.is_file() else None,
        target=case.target if case.target not in ("", "-") else None,
        metadata=metadata,
        gate=gate,
    )


def main():
    """Judge every pair and print one line each."""
    import synthgate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--match", default="")
    parser.add_argument("--defects", action="store_true")
    arguments = parser.parse_args()
    tally = {}
    for case in (defects if arguments.defects else published)(arguments.data):
        if arguments.match not in case.name:
            continue
        start = time.perf_counter()
        try:
            verdict = judge(case)
        except synthgate.SynthgateError as error:
            print(f"{case.name:45} REFUSED {error}")
            continue
        seconds = time.perf_counter() - start
        failed = ", ".join(c.id for c in verdict.failures())
        unclear = ", ".join(c.id for c in verdict if c.status in ("inconclusive", "not_assessed"))
        outcome = right(case.row, verdict) if case.row else str(verdict.outcome)
        tally[outcome] = tally.get(outcome, 0) + 1
        head = f"{case.name:45} {verdict.outcome:5} {outcome:12} [{failed}] open [{unclear}]"
        print(f"{head} {seconds:.1f} s | {case.known}", flush=True)
    print(tally)


if __name__ == "__main__":
    main()
