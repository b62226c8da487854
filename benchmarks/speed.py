"""Race the counting checks against SDMetrics' QualityReport, and time a whole run from a cold start.

    python benchmarks/speed.py REAL SYNTHETIC HOLDOUT --target COLUMN

Everything runs in one go on one machine; ratios are what to quote. Needs the test dependencies.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path


def best_of(work, repeats):
    """Return the least wall and CPU seconds of several runs, and the last result."""
    walls, cpus, result = [], [], None
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus), result


def count_and_score(real, synthetic, holdout):
    """Plan, count and score all columns and all pairs of tables in memory, as the QualityReport does."""
    from synthgate.catalogue import find_measure
    from synthgate.evidence import Evidence
    from synthgate.sides import count_side
    from synthgate.survey import count_surveyed, plan_of, survey
    from synthgate.tables import open_table
    from synthgate.threads import single_products

    tables = [open_table(table) for table in (real, synthetic, holdout) if table is not None]
    seen = survey(tables[0], {})
    plan = plan_of(seen, (), {})
    sides = [count_surveyed(plan, seen, 0), *(count_side(plan, table, 0) for table in tables[1:])]
    evidence = Evidence(plan=plan, real=sides[0], synthetic=sides[1], holdout=sides[2] if len(sides) > 2 else None)
    checks = ("fidelity.columns", "fidelity.pairs")
    with single_products():  # as the gate does
        return plan, {check: find_measure(check).compute(evidence, {}) for check in checks}


def quality_report(real, synthetic, sdtypes, thresholds):
    """Return the scores of SDMetrics' QualityReport."""
    from sdmetrics.reports import QualityReport

    report = QualityReport()
    if thresholds is not None:
        report.real_correlation_threshold, report.real_association_threshold = thresholds
    columns = {name: {"sdtype": sdtype} for name, sdtype in sdtypes.items()}
    metadata = {"tables": {"t": {"columns": columns}}, "relationships": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.generate({"t": real}, {"t": synthetic}, metadata, verbose=False)
    return dict(report.get_properties().itertuples(index=False))


def race(arguments):
    """Print one table: wall and CPU seconds, and how many times faster."""
    import pyarrow.parquet as pq

    tables = [pq.read_table(p) for p in (arguments.real, arguments.synthetic, arguments.holdout)]
    wall, cpu, (plan, found) = best_of(lambda: count_and_score(*tables), arguments.repeats)
    roles = {c.name: str(c.role) for c in plan.columns if c.is_paired}
    real, synthetic = (t.select(list(roles)).to_pandas() for t in tables[:2])
    print(f"{'':44} {'wall s':>8} {'CPU s':>8} {'times':>7}")
    print(f"{'synthgate, with a holdout':44} {wall:8.3f} {cpu:8.3f}")
    wall, cpu, (plan, found) = best_of(lambda: count_and_score(tables[0], tables[1], None), arguments.repeats)
    print(f"{'synthgate, real and synthetic as SDMetrics':44} {wall:8.3f} {cpu:8.3f} {1:7.1f}")
    reports = {"SDMetrics QualityReport, default thresholds": None, "SDMetrics QualityReport, all pairs": (0, 0)}
    for label, thresholds in reports.items():
        theirs = best_of(lambda t=thresholds: quality_report(real, synthetic, roles, t), max(1, arguments.repeats - 1))
        print(f"{label:44} {theirs[0]:8.3f} {theirs[1]:8.3f} {theirs[1] / cpu:7.1f}")
    ours = found["fidelity.columns"].details["sdmetrics"]["column_shapes"]
    pairs = found["fidelity.pairs"].details["sdmetrics"]["column_pair_trends_all_pairs"]
    print(f"Column Shapes      ours {ours:.12f}  SDMetrics {theirs[2]['Column Shapes']:.12f}")
    print(f"Column Pair Trends ours {pairs:.12f}  SDMetrics {theirs[2]['Column Pair Trends']:.12f} (all pairs)")


def cold_run(arguments):
    """Print wall, CPU and peak memory of a whole run in a new process, reports included."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out")
        command = [sys.executable, "-m", "synthgate", "run", arguments.real, arguments.synthetic]
        command += ["--holdout", arguments.holdout, "--target", arguments.target, "--out", out]
        command += ["--timings", "--format", "html,json,junit,markdown,sarif"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        sizes = {p.name: p.stat().st_size for p in sorted((Path(folder) / "out").iterdir())}
    print(output)
    print(
        f"cold process to written reports: {wall:.2f} s wall, {usage.ru_utime + usage.ru_stime:.2f} s CPU, "
        f"{usage.ru_maxrss / 1024:.0f} MB at most, exit {os.waitstatus_to_exitcode(status)}"
    )
    print("reports:", ", ".join(f"{name} {size / 1000:.0f} kB" for name, size in sizes.items()))


def main():
    """Read the arguments and run both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real")
    parser.add_argument("synthetic")
    parser.add_argument("holdout")
    parser.add_argument("--target", required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--part", choices=["race", "cold", "both"], default="both")
    arguments = parser.parse_args()
    if arguments.part in ("race", "both"):
        race(arguments)
    if arguments.part in ("cold", "both"):
        cold_run(arguments)


if __name__ == "__main__":
    main()
