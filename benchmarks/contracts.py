"""Race the schema checks against the same contract in pandera and Great Expectations, each in a new process.

    python benchmarks/contracts.py [--rows 1000000]

A table of 15 columns is drawn. Every contender pays for its own imports, as in CI, reads the Parquet file and holds
every column against one rule (a range or a list of values). The others are given their rules; this package has them
from a profile, made once, or infers them from the real table in the same run. It does not need pandas, which pyarrow
imports where it finds it, so pandas is hidden from it, as in an environment of its own. CPU seconds of one run are
compared, so that the ratios hold on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = "synthgate, contract kept as a profile"
WITH_REAL = "synthgate, contract inferred from real"
ALL = "synthgate, mined and 20 constraints, second run"
CONTENDERS = (OURS, WITH_REAL, ALL, "pandera", "great expectations")
JOBS = ("clerk", "nurse", "farmer", "pilot", "cook")


def draw(rows, seed):
    """Return a table of 15 columns: whole numbers, numbers, dates, words."""
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    columns = {f"count_{k}": rng.integers(0, 20 + 40 * k, rows) for k in range(4)}
    columns |= {f"price_{k}": np.round(rng.gamma(2, 20 * (k + 1), rows), 2) for k in range(4)}
    columns |= {f"job_{k}": np.array(JOBS)[rng.integers(0, 5, rows)] for k in range(4)}
    days = np.datetime64("2020-01-01", "us") + rng.integers(0, 900, rows).astype("timedelta64[D]")
    columns |= {"day": days, "member": rng.random(rows) < 0.3, "score": rng.normal(50, 10, rows).round(1)}
    return pa.table(columns)


def ranges():
    """Return least and greatest value of each column that has an order."""
    whole = {f"count_{k}": (0, 20 + 40 * k) for k in range(4)}
    numbers = {f"price_{k}": (0.0, 2000.0 * (k + 1)) for k in range(4)}
    return {**whole, **numbers, "score": (-100.0, 200.0)}


def run_synthgate(real, synthetic, *, constraints=()):
    """Plan, count and check the schema; then run constraints."""
    from synthgate.catalogue import find_measure
    from synthgate.evidence import Evidence
    from synthgate.gatefile import Constraint
    from synthgate.sides import count_side
    from synthgate.survey import count_surveyed, plan_of, survey
    from synthgate.tables import open_table

    tables = [open_table(path) for path in (real, synthetic)]
    seen = survey(tables[0], {})
    plan = plan_of(seen, (), {})
    sides = [count_surveyed(plan, seen, 0), count_side(plan, tables[1], 0)]
    rules = tuple(Constraint(sql=sql, name=sql) for sql in constraints)
    evidence = Evidence(plan=plan, real=sides[0], synthetic=sides[1], holdout=None, constraints=rules)
    names = ("columns", "types", "nulls", "ranges", "categories", "formats", "keys")
    checks = [f"schema.{name}" for name in names] + (["constraints.mined", "constraints.declared"] if rules else [])
    return len([find_measure(check).compute(evidence, {}) for check in checks])


def twenty():
    """Return 20 constraints over the columns."""
    rules = [f"{name} between {low} and {high}" for name, (low, high) in ranges().items()]
    rules += [f"job_{k} in {JOBS}" for k in range(4)]
    rules += ["price_0 >= 0", "count_3 <= 140", "day >= DATE '2020-01-01'", "member or count_0 < 100"]
    return [*rules, "count_0 + count_1 >= 0", "price_1 < 1e6", "length(job_0) > 2"]


def run_pandera(_real, synthetic):
    """Validate with pandera on pandas."""
    import pandas as pd
    import pandera.pandas as pa

    columns = {name: pa.Column(None, pa.Check.in_range(low, high)) for name, (low, high) in ranges().items()}
    columns |= {f"job_{k}": pa.Column(None, pa.Check.isin(JOBS)) for k in range(4)}
    columns["day"] = pa.Column(None, pa.Check.in_range(pd.Timestamp("2020-01-01"), pd.Timestamp("2023-01-01")))
    columns["member"] = pa.Column(None, pa.Check.isin([True, False]))
    pa.DataFrameSchema(columns).validate(pd.read_parquet(synthetic), lazy=True)
    return len(columns)


def run_great_expectations(_real, synthetic):
    """Validate with Great Expectations on pandas."""
    import os

    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    between, within = gxe.ExpectColumnValuesToBeBetween, gxe.ExpectColumnValuesToBeInSet
    items = [between(column=name, min_value=low, max_value=high) for name, (low, high) in ranges().items()]
    items += [within(column=f"job_{k}", value_set=list(JOBS)) for k in range(4)]
    items.append(between(column="day", min_value="2020-01-01T00:00:00", max_value="2023-01-01T00:00:00"))
    items.append(within(column="member", value_set=[True, False]))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("t")
    batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": pd.read_parquet(synthetic)})
    result = batch.validate(gx.ExpectationSuite(name="s", expectations=items))
    assert result.success, result
    return len(items)


class WithoutPandas:
    """Lets no module be imported that is called pandas."""

    def find_spec(self, name, path=None, target=None):
        """Refuse pandas, and leave all else to others."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def contend(name, real, synthetic):
    """Run one contender in this process and print its CPU seconds and peak memory."""
    import resource
    import time

    work = {"pandera": run_pandera, "great expectations": run_great_expectations}.get(name, run_synthgate)
    if work is run_synthgate:
        sys.meta_path.insert(0, WithoutPandas())
    options = {"constraints": twenty()} if name == ALL else {}
    wall, cpu = time.perf_counter(), time.process_time()
    if options:
        work(real, synthetic, **options)
        wall, cpu = time.perf_counter(), time.process_time()
    else:
        cpu = 0.0
    rules = work(real, synthetic, **options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak, rules]))


def main():
    """Draw the tables, run every contender in a process of its own, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--contend", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contend:
        contend(*arguments.contend)
        return
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{name}.parquet") for name in ("real", "synthetic")]
        for seed, path in enumerate(paths):
            pq.write_table(draw(arguments.rows, seed), path)
        profile = Path(folder) / "profile.json"
        command = [sys.executable, "-m", "synthgate", "profile", paths[0], "--out", str(profile)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        first = None
        print(f"{'':48} {'wall s':>8} {'CPU s':>8} {'MB':>6} {'times':>7}")
        for name in CONTENDERS:
            real = str(profile) if name == OURS else paths[0]
            command = [sys.executable, "-W", "ignore", __file__, "--contend", name, real, paths[1]]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            wall, cpu, peak, _ = json.loads(done.stdout.splitlines()[-1])
            first = first or cpu
            print(f"{name:48} {wall:8.2f} {cpu:8.2f} {peak:6.0f} {cpu / first:7.1f}")


if __name__ == "__main__":
    main()
