"""Run the default gate over a folder of labelled pairs and print what it says of each.

    python benchmarks/verdicts.py DATA [--match TEXT] [--skip FAMILY]...

DATA holds ``*/NAME/train.parquet``, ``holdout.parquet`` and ``synthetic/*.parquet``, and a ``catalog.csv`` with
columns path, target, known_truth; with ``--defects`` it holds a ``manifest.csv`` of injected defects instead.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

FAMILY = {"constraint": "constraints"}


def published(folder):
    """Yield name, files, target and known truth of every pair of a catalogue."""
    with (folder / "catalog.csv").open() as stream:
        for row in csv.DictReader(stream):
            path = folder / row["path"]
            if path.parent.name != "synthetic" or path.suffix != ".parquet" or "embeddings" in path.parts:
                continue
            base = path.parents[1]
            metadata = base / "metadata.json"
            yield f"{base.name}/{path.stem}", base / "train.parquet", path, base / "holdout.parquet", row["target"], metadata, row["known_truth"], None


def defects(folder):
    """Yield the same for a manifest of injected defects."""
    with (folder / "manifest.csv").open() as stream:
        for row in csv.DictReader(stream):
            path = folder / row["file"]
            if path.suffix != ".parquet":
                continue
            known = f"{row['expected']} {row['family']} {row['also']} ({row['must_detect']})"
            name = f"{row['kind']}/{path.parent.name if row['kind'] == 'control' else path.stem}"
            yield name, folder / row["train"], path, folder / row["holdout"], "income", folder / row["metadata"], known, row


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


def gate_of(metadata, folder):
    """Return a gate whose constraints are those beside the metadata."""
    from dataclasses import replace

    from synthgate.gatefile import Constraint, load_gate

    gate = load_gate()
    rules = metadata.parent / "constraints.json"
    if not rules.is_file():
        return gate
    content = json.loads(rules.read_text())
    items = content if isinstance(content, list) else content.get("constraints", [])
    texts = [i if isinstance(i, str) else i.get("sql") for i in items]
    return replace(gate, constraints=tuple(Constraint(sql=t, name=t) for t in texts if t))


def main():
    """Judge every pair and print one line each."""
    import synthgate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--match", default="")
    parser.add_argument("--defects", action="store_true")
    parser.add_argument("--skip", action="append", default=[])
    arguments = parser.parse_args()
    tally = {}
    for name, real, synthetic, holdout, target, metadata, known, row in (defects if arguments.defects else published)(arguments.data):
        if arguments.match not in name:
            continue
        start = time.perf_counter()
        more = {"gate": gate_of(metadata, arguments.data)} if row else {}
        try:
            verdict = synthgate.evaluate(
                real, synthetic, holdout=holdout if holdout.is_file() else None, target=target or None,
                metadata=metadata if metadata.is_file() else None, **more,
            )
        except synthgate.SynthgateError as error:
            print(f"{name:45} REFUSED {error}")
            continue
        seconds = time.perf_counter() - start
        failed = ", ".join(c.id for c in verdict.failures())
        unclear = ", ".join(c.id for c in verdict if c.status in ("inconclusive", "not_assessed"))
        outcome = right(row, verdict) if row else ""
        tally[outcome] = tally.get(outcome, 0) + 1
        print(f"{name:45} {verdict.outcome:5} {outcome:12} [{failed}] open [{unclear}] {seconds:.1f} s | {known}", flush=True)
    print(tally)


if __name__ == "__main__":
    main()
