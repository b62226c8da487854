"""Run other libraries over the same labelled pairs, at their defaults, and print one table for all.

    python benchmarks/peers.py [DATA] [--packages DIR] [--quick] [--json FILE] [--work DIR]
                               [--own REGEX] [--other REGEX] [--controls N]
                               [--env evidently=PYTHON] [--env mostlyai-qa=PYTHON]

DATA is a corpus with a manifest (tables on their own only), ``--packages`` adds pairs as ``verdicts.py`` makes them
with ``--own`` or ``--other``. Each library runs in an interpreter of its own, by default this one; one that cannot
import it is left out, and said to be. ``--json`` are the records of ``verdicts.py`` on the same pairs: synthgate's
row of the table.

What counts as a failure, by each library's own defaults:

=============================  ============================================================================
SDMetrics                      its reports have no threshold: each fails when it lies below every clean table of
                               the same base, which favours it (DiagnosticReport: schema, QualityReport: fidelity);
                               of few clean tables, chance alone puts one in so many below the others
Evidently (with pandas 2)      DataDriftPreset: the data set drifts (half of the columns do)
Evidently, any column          the same, when any column drifts
Great Expectations             it infers nothing itself: ranges, sets, missing values, uniqueness and the set of
                               columns are taken over from real as they are
mostlyai-qa                    has no thresholds: accuracy below, or the distances' share above, every clean table
=============================  ============================================================================
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

PEERS = {
    "sdmetrics": "sdmetrics",
    "evidently": "evidently",
    "great-expectations": "great_expectations",
    "mostlyai-qa": "mostlyai.qa",
}
MOST_CATEGORIES = 50
LOWER, HIGHER = "lower", "higher"
# scores without a threshold: which family they are about, and on which side of clean tables they fail
RELATIVE = {
    "diagnostic": ("schema", LOWER),
    "quality": ("fidelity", LOWER),
    "accuracy": ("fidelity", LOWER),
    "dcr_share": ("privacy", HIGHER),
}


def sdmetrics(real, synthetic, holdout, metadata):
    """Return what SDMetrics' reports say."""
    from sdmetrics.reports.single_table import DiagnosticReport, QualityReport

    del holdout
    scores = {}
    for name, report in (("diagnostic", DiagnosticReport()), ("quality", QualityReport())):
        report.generate(real, synthetic, metadata, verbose=False)
        scores[name] = float(report.get_score())
    return {"scores": scores, "failed": [], "columns": []}


def evidently(real, synthetic, holdout, metadata):
    """Return what Evidently's drift preset says."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    del holdout
    roles = {name: about["sdtype"] for name, about in metadata["columns"].items()}
    definition = DataDefinition(
        numerical_columns=[n for n, role in roles.items() if role == "numerical"],
        categorical_columns=[n for n, role in roles.items() if role in ("categorical", "boolean")],
    )
    sides = [Dataset.from_pandas(side, data_definition=definition) for side in (synthetic, real)]
    found = Report([DataDriftPreset()]).run(*sides).dict()["metrics"]
    share, drifted = 0.0, []
    for metric in found:
        config = metric.get("config", {})
        if isinstance(metric["value"], dict) and "share" in metric["value"]:
            share = float(metric["value"]["share"])
        elif config.get("column") is not None:
            at, limit, method = (
                float(metric["value"]),
                float(config.get("threshold") or 0.1),
                config.get("method") or "",
            )
            # p values drift below their limit, distances above it
            drifted += [config["column"]] if (at < limit if "p_value" in method else at >= limit) else []
    return {"scores": {"share": share}, "failed": ["fidelity"] if share >= 0.5 else [], "columns": drifted}


def great_expectations(real, synthetic, holdout, metadata):
    """Return which expectations, taken over from real as they are, the synthetic table fails."""
    import great_expectations as gx
    import pandas as pd

    del holdout
    context = gx.get_context(mode="ephemeral")
    e, suite = gx.expectations, gx.ExpectationSuite(name="inferred")
    wanted = [(e.ExpectTableColumnsToMatchSet(column_set=list(real.columns)), "schema")]
    for name in real.columns:
        column, kind = real[name], metadata["columns"].get(name, {}).get("sdtype")
        if column.notna().all():
            wanted.append((e.ExpectColumnValuesToNotBeNull(column=name), "schema"))
        if kind == "numerical" and pd.api.types.is_numeric_dtype(column):
            limits = {"min_value": float(column.min()), "max_value": float(column.max())}
            wanted.append((e.ExpectColumnValuesToBeBetween(column=name, **limits), "constraints"))
            wanted.append((e.ExpectColumnValuesToBeOfType(column=name, type_=column.dtype.name), "schema"))
        elif kind in ("categorical", "boolean") and column.nunique() <= MOST_CATEGORIES:
            values = column.dropna().unique().tolist()
            wanted.append((e.ExpectColumnValuesToBeInSet(column=name, value_set=values), "schema"))
        if name == metadata.get("primary_key"):
            wanted.append((e.ExpectColumnValuesToBeUnique(column=name), "schema"))
    for expectation, _ in wanted:
        suite.add_expectation(expectation)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("synthetic")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": synthetic})
    results = batch.validate(suite).results
    failed = [(r.expectation_config.kwargs.get("column"), r.expectation_config.type) for r in results if not r.success]
    families = {"constraints" if "between" in kind else "schema" for _, kind in failed}
    # a broken expectation of either kind is told as what it is; both families hold constraints of one column
    return {"scores": {"failed": len(failed)}, "failed": sorted(families), "columns": [c for c, _ in failed if c]}


def mostlyai_qa(real, synthetic, holdout, metadata):
    """Return what mostlyai-qa's metrics are."""
    import tempfile

    from mostlyai import qa

    del metadata
    with tempfile.TemporaryDirectory() as folder:
        sides = {"syn_tgt_data": synthetic, "trn_tgt_data": real, "hol_tgt_data": holdout}
        _, found = qa.report(**sides, report_path=Path(folder) / "report.html")
    return {
        "scores": {"accuracy": float(found.accuracy.overall), "dcr_share": float(found.distances.dcr_share)},
        "failed": [],
        "columns": [],
    }


RUN = {
    "sdmetrics": sdmetrics,
    "evidently": evidently,
    "great-expectations": great_expectations,
    "mostlyai-qa": mostlyai_qa,
}


def export(asked):
    """Write the index of all pairs, and the tables that are made here, into the working folder."""
    asked.work.mkdir(parents=True, exist_ok=True)
    index = []
    if asked.data is not None:
        import verdicts

        for case in verdicts.defects(asked.data):
            if isinstance(case.real, dict) or case.real.is_dir() or asked.match not in case.name:
                continue
            sides = {"real": case.real, "synthetic": case.synthetic, "holdout": case.holdout}
            index.append({**vars(verdicts.label(case)), **sides, "metadata": case.metadata})
    if asked.packages is not None:
        index += from_packages(asked)
    (asked.work / "index.json").write_text(json.dumps(index, default=str))
    return index


def from_packages(asked):
    """Write the pairs that are made from tables of packages: our own defects unless only others are asked for."""
    import corpora
    import other_corpus
    import own_corpus

    pairs = []
    if asked.own is not None or asked.other is None:
        pairs.append(
            own_corpus.corpus(asked.packages, quick=asked.quick, match=asked.own or "", controls=asked.controls)
        )
    if asked.other is not None:
        pairs.append(other_corpus.corpus(asked.packages, match=asked.other, controls=asked.controls))
    return [one for made in pairs for one in corpora.written(made, asked.work)]


def run(peer, work):
    """Run one library over all pairs of the working folder; finished ones are not run again."""
    import logging
    import warnings

    import pandas as pd

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    out = work / f"{peer}.jsonl"
    done = {json.loads(line)["case"] for line in out.read_text().splitlines()} if out.exists() else set()
    for one in json.loads((work / "index.json").read_text()):
        if one["case"] in done:
            continue
        start = time.perf_counter()
        sides = [pd.read_parquet(one[side]) for side in ("real", "synthetic", "holdout")]
        try:
            found = RUN[peer](*sides, about(one["metadata"], sides[0].columns))
        except Exception as error:  # noqa: BLE001 - a library that breaks on a pair has not judged it: it is told so
            found = {
                "scores": {},
                "failed": ["error"],
                "columns": [],
                "error": f"{type(error).__name__}: {error}"[:300],
            }
        found |= {"case": one["case"], "seconds": round(time.perf_counter() - start, 2)}
        with out.open("a") as stream:
            stream.write(json.dumps(found) + "\n")
        print(f"{peer:20} {one['case']:60} {found['failed']} {found['scores']} {found['seconds']} s", flush=True)


def about(path, columns):
    """Return the SDV metadata of the one table, also where the file describes several."""
    found = json.loads(Path(path).read_text())
    if "tables" not in found:
        return found
    return next(one for one in found["tables"].values() if set(one["columns"]) == set(columns))


def judged(peer, index, found):
    """Yield for each pair whether a library failed it, and in which families."""
    by_case = {one["case"]: one for one in found}
    clean = {}
    for label in index:
        one = by_case.get(label["case"])
        for name, value in one["scores"].items() if one and label["kind"] == "control" else ():
            clean.setdefault((label["base"], name), {})[label["case"]] = value
    for label in index:
        one = by_case.get(label["case"])
        if one is None:
            continue
        families = {family for family in one["failed"] if family != "error"}
        for name, value in one["scores"].items():
            family, side = RELATIVE.get(name, ("", ""))
            # a clean table is held against the other clean ones: against itself it could not fail
            known = [at for case, at in clean.get((label["base"], name), {}).items() if case != label["case"]]
            if family and known and (value < min(known) if side == LOWER else value > max(known)):
                families.add(family)
        yield peer, label, families, "error" in one["failed"]
        if peer == "evidently":
            yield "evidently, any column", label, {"fidelity"} if one["columns"] else families, "error" in one["failed"]


def compare(rows):
    """Return right-family detection by family and severity, and false alarms, a column for each library."""
    import records

    peers = list(dict.fromkeys(peer for peer, *_ in rows))
    cells, alarms = {}, {}
    for peer, label, families, _ in rows:
        if label["kind"] == "defect" and label["expected"] == "fail":
            key = (label["families"][0], label["severity"])
            cells.setdefault(key, {}).setdefault(peer, []).append(bool(families & set(label["families"])))
        elif label["kind"] in ("control", "benign"):
            alarms.setdefault(peer, []).append(bool(families))
    table = [("family", "severity", *peers)]
    for family, severity in sorted(cells, key=lambda key: (key[0], records.SEVERITIES.index(key[1]))):
        hits = [cells[family, severity].get(peer, []) for peer in peers]
        table.append((family, severity, *(records.share(sum(hit), len(hit)) for hit in hits)))
    every = [[hit for cell in cells.values() for hit in cell.get(peer, [])] for peer in peers]
    table.append(("all", "", *(records.share(sum(hit), len(hit)) for hit in every)))
    quiet = [alarms.get(peer, []) for peer in peers]
    table.append(("clean tables", "false alarms", *(records.share(sum(hit), len(hit)) for hit in quiet)))
    broken = [sum(is_broken for p, _, _, is_broken in rows if p == peer) for peer in peers]
    table.append(("broke down", "pairs", *broken))
    return records.table("Detection in the right family", table)


def own_rows(path, index):
    """Yield what synthgate said of the same pairs, from the records of ``verdicts.py``."""
    import records

    done = records.read(path)
    for label in index:
        one = done.get(label["case"])
        if one is not None:
            yield "synthgate", label, {f for check in one["failed"] for f in check["families"]}, False


def options():
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--match", default="", help="part of the name of a pair of DATA")
    parser.add_argument("--own", help="regular expression for pairs of verdicts.py --own, all unless --other is given")
    parser.add_argument("--other", help="regular expression for pairs of verdicts.py --other")
    parser.add_argument("--controls", type=int, default=10, help="clean tables of each base from --packages")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("/tmp/synthgate-peers"))
    parser.add_argument("--env", action="append", default=[], metavar="PEER=PYTHON")
    parser.add_argument("--run", choices=PEERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def is_there(module):
    """Tell whether a module can be imported here."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main():
    """Export the pairs, run every library on them, and print the table."""
    asked = options()
    if asked.run:
        if not is_there(PEERS[asked.run]):
            sys.exit(f"{asked.run} is not installed in {sys.executable}: left out (pip install {asked.run})")
        run(asked.run, asked.work)
        return
    index = export(asked)
    pythons = dict(entry.split("=", 1) for entry in asked.env)
    rows = list(own_rows(asked.json, index)) if asked.json else []
    for peer in PEERS:
        python = pythons.get(peer, sys.executable)
        subprocess.run([python, __file__, "--run", peer, "--work", str(asked.work)], check=False)
        out = asked.work / f"{peer}.jsonl"
        if out.exists():
            rows += judged(peer, index, [json.loads(line) for line in out.read_text().splitlines()])
    print(compare(rows))


if __name__ == "__main__":
    main()
