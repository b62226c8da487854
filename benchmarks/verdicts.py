"""Run the default gate over labelled pairs and print what it says of each, then detection and false alarms.

    python benchmarks/verdicts.py DATA [--match TEXT] [--defects] [--json FILE]
    python benchmarks/verdicts.py --own [--packages DIR] [--quick] [--controls N] [--match TEXT] [--json FILE]
    python benchmarks/verdicts.py --other [--packages DIR] [--severities A,B] [--controls N] [--match TEXT] [--json F]
    python benchmarks/verdicts.py --curves --json FILE

With ``--own`` the pairs are made by the injectors of ``synthgate selftest`` from tables that ship in packages of
others (see ``own_corpus.py``); with ``--other`` both defects and tables are others (see ``other_corpus.py``).
``--json`` keeps one record a line: cases that are there already are not run again. ``--curves`` prints, from such
records, how each limit trades detection for false alarms, and which limit every set of tables but one would choose.

DATA holds ``*/NAME/train.parquet``, ``holdout.parquet`` and ``synthetic/*.parquet``, and a ``catalog.csv`` with
columns path, target, known_truth; with ``--defects`` it holds a ``manifest.csv`` of injected defects instead.
A data set of several tables is a folder with one file per table; the tables of a ``reference`` folder belong to
every side, and a table on its own is judged with the parent tables beside it where its defect is a foreign key.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import records

FAMILY = {"constraint": "constraints"}
# The manifest has a coarser list of families: which of ours answer to which of its.
ALSO = {
    "relations.foreign_keys": "constraints",
    "relations.cardinality": "fidelity",
    "relations.pairs": "fidelity",
    "sequences.lengths": "fidelity",
    "sequences.autocorrelation": "fidelity",
    "sequences.transitions": "fidelity",
}


@dataclass
class Case:
    """One labelled pair."""

    name: str
    real: Path | dict
    synthetic: Path | dict
    holdout: Path | dict | None
    target: str
    metadata: Path
    known: str
    row: dict | None = None


def published(folder):
    """Yield every pair of a catalogue."""
    seen = set()
    with (folder / "catalog.csv").open() as stream:
        for row in csv.DictReader(stream):
            path = folder / row["path"]
            if path.suffix != ".parquet":
                continue
            if path.parent.name == "synthetic":
                base = path.parents[1]
                files = (base / "train.parquet", path, base / "holdout.parquet")
                yield Case(
                    f"{base.name}/{path.stem}", *files, row["target"], base / "metadata.json", row["known_truth"]
                )
            elif path.parents[1].name == "synthetic" and path.parent not in seen and "reference" not in row["role"]:
                seen.add(path.parent)
                base = path.parents[2]
                if not (base / "train").is_dir():
                    continue
                sides = (base / "train", path.parent, base / "holdout")
                target = json.loads((base / "constraints.json").read_text()).get("target", "")
                yield Case(
                    f"{base.name}/{path.parent.name}", *sides, target, base / "metadata.json", row["known_truth"]
                )


def with_reference(folder, reference):
    """Return the tables of a folder, with those that are common to all sides."""
    return {file.stem: file for place in (folder, reference) for file in sorted(place.glob("*.parquet"))}


def defects(folder):
    """Yield every table, and every folder of tables, of a manifest of injected defects."""
    with (folder / "manifest.csv").open() as stream:
        for row in csv.DictReader(stream):
            path, metadata = folder / row["file"], folder / row["metadata"]
            known = f"{row['expected']} {row['family']} {row['also']} ({row['must_detect']})"
            sides = (folder / row["train"], path, folder / row["holdout"])
            if path.suffix == ".parquet":
                name = f"{row['kind']}/{path.parent.name if row['kind'] == 'control' else path.stem}"
            else:
                name = f"{row['kind']}/{path.parent.name if row['kind'] == 'control' else path.name}"
                sides = tuple(with_reference(side, metadata.parent / "reference") for side in sides)
            if row["defect"] == "broken_foreign_keys":
                sides = tuple({"adult": side, "employers": metadata.parent / "employers.parquet"} for side in sides)
            target = "income" if row["base"] == "adult_plus" else ""
            yield Case(f"{row['base']}/{name}", *sides, target, metadata, known, row)


def right(row, verdict):
    """Tell whether a verdict is the one that the manifest expects."""
    failed = {family for c in verdict.failures() for family in (c.family, ALSO.get(c.id, c.family))}
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
    if "when_null" in rule:
        return " AND ".join(f'("{rule["when_null"]}" IS NOT NULL OR "{column}" IS NULL)' for column in rule["null"])
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


def gate_of(metadata, table):
    """Return the default gate with the constraints that stand beside the metadata."""
    from synthgate.gatefile import Constraint, load_gate

    rules = json.loads((metadata.parent / "constraints.json").read_text())["constraints"]
    texts = [(text, rule.get("table", table)) for rule in rules if (text := as_sql(rule))]
    return replace(
        load_gate(), constraints=tuple(Constraint(sql=text, name=text, table=there) for text, there in texts)
    )


def judge(case):
    """Return the verdict of a case, with its constraints when there are any."""
    import synthgate

    beside = case.metadata.parent / "constraints.json"
    many = isinstance(case.real, dict) or case.real.is_dir()
    table = json.loads(beside.read_text()).get("table") if beside.is_file() else None
    return synthgate.evaluate(
        case.real,
        case.synthetic,
        holdout=case.holdout if isinstance(case.holdout, dict) or case.holdout.exists() else None,
        target=case.target if case.target not in ("", "-") else None,
        metadata=case.metadata if case.metadata.is_file() else None,
        gate=gate_of(case.metadata, table if many else None) if beside.is_file() else None,
    )


def label(case):
    """Return what the manifest says of a case, as records keep it."""
    row = case.row
    families = tuple(FAMILY.get(f, f) for f in (row["family"], *row["also"].split(";")) if f)
    return records.Label(
        case=case.name,
        base=row["base"],
        kind=row["kind"],
        defect=row["defect"],
        severity=row["severity"],
        families=families,
        columns=named(case, row["note"]) if row["kind"] == "defect" else (),
        expected=row["expected"],
        must=row["must_detect"] == "yes",
    )


def named(case, note):
    """Return the columns that the note of a defect names."""
    import pyarrow.parquet as pq

    if isinstance(case.real, dict) or case.real.is_dir():
        return ()
    return tuple(n for n in pq.read_schema(case.real).names if re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", note))


def show(case, verdict, outcome, seconds):
    """Print one line for a case."""
    failed = ", ".join(c.id for c in verdict.failures())
    unclear = ", ".join(c.id for c in verdict if c.status in ("inconclusive", "not_assessed"))
    head = f"{case.name:45} {verdict.outcome:5} {outcome:12} [{failed}] open [{unclear}]"
    print(f"{head} {seconds:.1f} s | {case.known}", flush=True)


def run_published(cases):
    """Judge pairs of a catalogue, and count the outcomes."""
    import synthgate

    tally = {}
    for case in cases:
        start = time.perf_counter()
        try:
            verdict = judge(case)
        except synthgate.SynthgateError as error:
            print(f"{case.name:45} REFUSED {error}")
            continue
        tally[str(verdict.outcome)] = tally.get(str(verdict.outcome), 0) + 1
        show(case, verdict, str(verdict.outcome), time.perf_counter() - start)
    print(tally)


def run_labelled(cases, path):
    """Judge pairs with known defects, keep a record of each, and return all records."""
    import synthgate

    done = records.read(path)
    for case, known, judged in cases:
        if case.name in done:
            continue
        start = time.perf_counter()
        try:
            verdict = judged()
        except synthgate.SynthgateError as error:
            print(f"{case.name:45} REFUSED {error}")
            continue
        seconds = time.perf_counter() - start
        done[case.name] = records.record(known, verdict, ALSO, seconds)
        records.append(path, done[case.name])
        show(case, verdict, right(case.row, verdict), seconds)
    return done


def labelled(folder, match):
    """Yield the cases of a manifest, with their labels and how they are judged."""
    for case in defects(folder):
        if match in case.name:
            yield case, label(case), lambda case=case: judge(case)


def options():
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--match", default="", help="part of a case's name; for corpora made here a regular expression")
    parser.add_argument("--defects", action="store_true", help="DATA is a corpus with a manifest")
    parser.add_argument("--own", action="store_true", help="make a corpus from tables of installed packages")
    parser.add_argument("--other", action="store_true", help="make a corpus of other defects from other tables")
    parser.add_argument("--packages", type=Path, help="folder into which those packages were installed (pip --target)")
    parser.add_argument("--quick", action="store_true", help="own corpus: fewer tables, severities and controls")
    parser.add_argument("--controls", type=int, default=10, help="corpora made here: clean tables of each base")
    parser.add_argument("--severities", default="subtle,moderate,gross", help="other corpus: which, with commas")
    parser.add_argument("--json", type=Path, help="file of records, one a line; finished cases are not run again")
    parser.add_argument("--curves", action="store_true", help="print operating curves of the records in --json")
    return parser.parse_args()


def main():
    """Judge every pair and print one line each, then the tables."""
    asked = options()
    if asked.curves:
        import curves

        print(curves.report(records.read(asked.json).values()))
        return
    if asked.data is not None and not asked.defects:
        run_published(case for case in published(asked.data) if asked.match in case.name)
        return
    done = {}
    if asked.data is not None:
        done.update(run_labelled(labelled(asked.data, asked.match), asked.json))
    if asked.own:
        import own_corpus

        done.update(
            run_labelled(
                own_corpus.cases(asked.packages, quick=asked.quick, match=asked.match, controls=asked.controls),
                asked.json,
            )
        )
    if asked.other:
        import other_corpus

        made = other_corpus.cases(
            asked.packages,
            match=asked.match,
            controls=asked.controls,
            severities=tuple(asked.severities.split(",")),
            done=records.read(asked.json),
        )
        done.update(run_labelled(made, asked.json))
    print(records.tables(done.values()))
    print("\n".join(records.misses(done.values())))


if __name__ == "__main__":
    main()
