"""Race the counting checks against SDMetrics' QualityReport at other sizes, each contender in a process of its own.

    python benchmarks/scale.py REAL SYNTHETIC [--rows N ...] [--columns N] [--only ours] [--from memory|file]
    python benchmarks/scale.py REAL SYNTHETIC --breakdown

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


def breakdown(path):
    """Print what decoding, sorting and counting the real table take, in CPU seconds: the least of three."""
    import numpy as np
    import pyarrow.parquet as pq

    from synthgate.counts import count_columns, pair_names
    from synthgate.evidence import Evidence, pair_counts
    from synthgate.survey import count_surveyed, plan_of, survey
    from synthgate.tables import open_table

    def least(work):
        taken = []
        for _ in range(3):
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
        return min(taken)

    table = pq.read_table(path)
    numbers = [column.to_numpy() for column in table.columns if str(column.type).startswith(("int", "float", "double"))]
    seen = survey(open_table(path), {})
    plan = plan_of(seen, (), {})
    side = count_surveyed(plan, seen, 0)
    edges = Evidence(plan=plan, real=side, synthetic=side, holdout=None).own_edges["real"]
    names = pair_names(plan, plan.names)
    decode, sort = least(lambda: pq.read_table(path)), least(lambda: [np.sort(column) for column in numbers])
    columns, pairs = least(lambda: count_columns(side.kept)), least(lambda: pair_counts(plan, side, names, edges))
    print(f"decode {decode:.3f} s, sort {len(numbers)} columns {sort:.3f} s")
    print(f"count {len(plan.columns)} columns {columns:.3f} s")
    each = pairs / len(names) / side.rows * 1e9
    print(f"count {len(names)} pairs {pairs:.3f} s: {each:.2f} ns per row and pair")
    print(f"counting takes {(columns + pairs) / (decode + sort):.1f} times as long as decoding and sorting")


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
    parser.add_argument("--breakdown", action="store_true", help="say what the parts of counting take instead")
    parser.add_argument("--contend", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contend:
        contend(*arguments.contend)
        return
    if not arguments.breakdown:
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
            if arguments.breakdown:
                breakdown(paths[0])
                continue
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
