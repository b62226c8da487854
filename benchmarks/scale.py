"""Race the counting checks against SDMetrics' QualityReport at other sizes, each contender in a process of its own.

    python benchmarks/scale.py REAL SYNTHETIC [--rows N ...] [--columns N] [--only ours] [--from memory|file]

Rows are drawn with replacement from the two Parquet files until there are as many as asked; columns are repeated under
new names, each copy with its rows in another order, until there are as many as asked. Contenders import what they use
before the clock starts. From memory, the tables are loaded before the clock starts; from a file, reading is timed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OURS, THEIRS = "synthgate", "SDMetrics QualityReport, all pairs"


def draw(path, rows, columns, seed, out):
    """Write a table of a size, made from the rows of another."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = pq.read_table(path)
    rng = np.random.default_rng(seed)
    at = rng.integers(0, source.num_rows, rows)
    made = {}
    while len(made) < (columns or source.num_columns):
        for name in source.column_names:
            if len(made) < (columns or source.num_columns):
                made[f"{name}.{len(made)}" if name in made else name] = source[name].take(pa.array(at))
        rng.shuffle(at)
    pq.write_table(pa.table(made), out)


def ours(real, synthetic, source):
    """Plan, count and score."""
    import pyarrow.parquet as pq
    import scipy.special

    from synthgate.catalogue import find_measure
    from synthgate.evidence import Evidence
    from synthgate.sides import count_side
    from synthgate.survey import count_surveyed, plan_of, survey
    from synthgate.tables import open_table
    from synthgate.threads import single_products

    checks = [find_measure(name) for name in ("fidelity.columns", "fidelity.pairs")]
    assert scipy.special
    sources = [pq.read_table(path) for path in (real, synthetic)] if source == "memory" else [real, synthetic]

    def work():
        tables = [open_table(table) for table in sources]
        seen = survey(tables[0], {})
        plan = plan_of(seen, (), {})
        sides = [count_surveyed(plan, seen, 0), count_side(plan, tables[1], 0)]
        evidence = Evidence(plan=plan, real=sides[0], synthetic=sides[1], holdout=None)
        with single_products():
            found = [check.compute(evidence, {}) for check in checks]
        return found[1].details["sdmetrics"]["column_pair_trends_all_pairs"]

    return work


def theirs(real, synthetic, source):
    """Run the QualityReport without its thresholds."""
    import warnings

    import pandas as pd
    from sdmetrics.reports import QualityReport

    frames = [pd.read_parquet(path) for path in (real, synthetic)] if source == "memory" else []

    def work():
        one, other = frames or [pd.read_parquet(path) for path in (real, synthetic)]
        sdtypes = {n: {"sdtype": "numerical" if one[n].dtype.kind in "if" else "categorical"} for n in one}
        report = QualityReport()
        report.real_correlation_threshold = report.real_association_threshold = 0
        metadata = {"tables": {"t": {"columns": sdtypes}}, "relationships": []}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report.generate({"t": one}, {"t": other}, metadata, verbose=False)
        return float(report.get_properties().set_index("Property")["Score"]["Column Pair Trends"])

    return work


def contend(name, *arguments):
    """Run one contender in this process; print wall and CPU seconds, peak memory and its score of the pairs."""
    import resource

    work = {OURS: ours, THEIRS: theirs}[name](*arguments)
    wall, cpu = time.perf_counter(), time.process_time()
    score = work()
    taken = [time.perf_counter() - wall, time.process_time() - cpu]
    print(json.dumps([*taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, score]))


def main():
    """Draw the tables, run the contenders, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real")
    parser.add_argument("synthetic")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--columns", type=int, default=0)
    parser.add_argument("--from", dest="source", choices=["memory", "file"], default="memory")
    parser.add_argument("--only", choices=["ours"])
    parser.add_argument("--contend", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contend:
        contend(*arguments.contend)
        return
    print(f"{'':36} {'rows':>11} {'wall s':>8} {'CPU s':>8} {'MB':>6} {'times':>6}  pair trends")
    for rows in arguments.rows:
        first = None
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(Path(folder) / f"{side}.parquet") for side in ("real", "synthetic")]
            for seed, (source, path) in enumerate(zip((arguments.real, arguments.synthetic), paths, strict=True)):
                # in a process of its own, so that this one stays small
                command = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import scale; "]
                call = f"scale.draw({source!r}, {rows}, {arguments.columns}, {seed}, {path!r})"
                subprocess.run([*command[:2], command[2] + call, str(Path(__file__).parent)], check=True)
            for name in (OURS,) if arguments.only else (OURS, THEIRS):
                command = [sys.executable, "-W", "ignore", __file__, arguments.real, arguments.synthetic]
                command += ["--contend", name, *paths, arguments.source]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                wall, cpu, peak, score = json.loads(done.stdout.splitlines()[-1])
                first = first or cpu
                times = f"{cpu / first:6.1f}"
                print(f"{name:36} {rows:11,} {wall:8.2f} {cpu:8.2f} {peak:6.0f} {times}  {score:.12f}", flush=True)


if __name__ == "__main__":
    main()
