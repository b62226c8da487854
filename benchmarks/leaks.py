"""Plant leaks in real tables: does the privacy family fail wherever a published attack is beyond doubt?

    python benchmarks/leaks.py grid TABLE... [--rows N] [--seed N]
    python benchmarks/leaks.py clean TABLE... [--rows N] [--runs N]

Each TABLE is a Parquet file, or several with ``+`` between them, one below the other. It is cut at random into training
rows, a holdout and fresh rows, a third each or ``--rows``. ``grid`` puts copies of training rows, some of their cells
redrawn from fresh rows, in the place of a share of the fresh rows, and prints the family's decision at the default
gate beside the p of the strongest published attack, each corrected for itself only. ``clean`` judges the fresh rows.
"""

from __future__ import annotations

import argparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SHARES = (0.003, 0.01, 0.03, 0.1, 1.0)
REDRAWN = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
DOUBT = 5e-4
LEAST_FALSE = 5
CALIBRATED = ("dcr_difference", "dcr_cal", "knn_ratio", "logan", "plagiarism")


def opened(name):
    """Return the table of one or several files."""
    tables = [pq.read_table(path).replace_schema_metadata(None) for path in name.split("+")]
    return pa.concat_tables(tables)


def parts(table, rows, seed):
    """Return training rows, holdout and fresh rows."""
    rows = min(rows or table.num_rows, table.num_rows // 3)
    order = np.random.default_rng([7, seed]).permutation(table.num_rows)
    return [table.take(pa.array(order[k * rows : (k + 1) * rows])) for k in range(3)]


def planted(real, fresh, share, redrawn, seed):
    """Put copies of training rows in the place of a share of the fresh rows, a part of their cells redrawn."""
    rng = np.random.default_rng([11, seed, round(share * 1000), round(redrawn * 100)])
    count = round(share * fresh.num_rows)
    taken = real.take(pa.array(rng.choice(real.num_rows, count, replace=False)))
    columns = []
    for name in real.column_names:
        others = fresh[name].combine_chunks().take(pa.array(rng.integers(0, fresh.num_rows, count)))
        columns.append(pc.if_else(pa.array(rng.random(count) < redrawn), others, taken[name].combine_chunks()))
    return pa.concat_tables([pa.table(columns, schema=fresh.schema), fresh.slice(count)])


def decided(real, synthetic, holdout, seed):
    """Return the privacy checks that fail at the default gate, and those that are left open."""
    import synthgate

    verdict = synthgate.evaluate(real, synthetic, holdout=holdout, only=["privacy"], seed=seed)
    left = [c.id for c in verdict if str(c.status) in ("inconclusive", "not_assessed")]
    return [c.id.removeprefix("privacy.") for c in verdict.failures()], [c.removeprefix("privacy.") for c in left]


def stage_of(real, synthetic, holdout):
    """Return the encodings and panel that attacks look at."""
    from synthgate.evidence import Evidence
    from synthgate.measures.privacy.audit import audit_stage
    from synthgate.sides import count_side
    from synthgate.survey import make_plan
    from synthgate.tables import open_table

    tables = [open_table(t, name=n) for t, n in ((real, "real"), (synthetic, "synthetic"), (holdout, "holdout"))]
    plan = make_plan(tables[0], {}, (), {})
    sides = [count_side(plan, table, 0) for table in tables]
    return audit_stage(Evidence(plan=plan, real=sides[0], synthetic=sides[1], holdout=sides[2]).sample)


def scores(stage):
    """Return the scores of published attacks, higher meaning more likely a member."""
    from synthgate.measures.privacy import attacks

    synthetic, reference = stage.near_synthetic, stage.near_reference
    nearest, other = synthetic[:, 0], reference[:, 0]
    second = synthetic[:, min(1, synthetic.shape[1] - 1)]
    both = np.concatenate([synthetic[:, :8], reference[:, :8]], axis=1)
    is_synthetic = np.arange(both.shape[1]) < min(8, synthetic.shape[1])
    closest = np.argsort(both, axis=1)[:, :8]
    return {
        "dcr": -nearest,
        "dcr_difference": other - nearest,
        "dcr_cal": attacks.dcr_cal(stage),
        "knn_ratio": attacks.knn_ratio(stage),
        "nndr": -(nearest + 1e-9) / (second + 1e-9),
        "monte_carlo": (synthetic <= np.median(nearest)).sum(axis=1) - nearest / (2 * nearest.max() + 2),
        "plagiarism": is_synthetic[closest].sum(axis=1) + 1e-3 * np.tanh(other - nearest),
        "logan": attacks.logan_clf(stage),
    }


def published(stage):
    """Return the p of each published attack: of its AUC or of what it finds at 1 % false positives, and of copies."""
    from scipy.special import ndtr
    from scipy.stats import betabinom, hypergeom

    from synthgate.measures.privacy.encodings import is_among
    from synthgate.measures.privacy.inference import fold_ranks, stratified_auc
    from synthgate.measures.privacy.near import dcr_share, make_pool
    from synthgate.measures.privacy.neighbours import distance_index, nearest
    from synthgate.measures.privacy.sides import split_sides

    panel, out = stage.panel, {}
    n, m = panel.queried
    for name, values in scores(stage).items():
        found = stratified_auc(values, panel.member, panel.fold)
        error = np.sqrt(found.null_variance) * (1.15 if name in CALIBRATED else 1.0)
        of_auc = 1 - ndtr((found.value - 0.5) / error) if error > 0 else 1.0
        ranks, k = fold_ranks(values, panel.fold, np.random.default_rng(0)), m // 100
        above = int((ranks[panel.member] > np.sort(ranks[~panel.member])[::-1][k]).sum())
        of_rate = betabinom.sf(above - 1, n, k + 1, m - k) if k >= LEAST_FALSE else 1.0
        out[name] = min(1.0, 2 * min(float(of_auc), float(of_rate)))
    sides = split_sides(stage.encoding)
    pool = make_pool(sides)
    hits = [int(is_among(rows, sides.synthetic).sum()) for rows in (sides.training, sides.holdout)]
    sizes = len(sides.training), len(sides.holdout)
    out["exact copies"] = float(hypergeom.sf(hits[0] - 1, sum(sizes), sizes[0], sum(hits)))
    _, at = nearest(sides.synthetic.take(slice(0, 10_000)), distance_index(pool.rows, stage.encoding), 1)
    votes = np.bincount(at[:, 0], minlength=len(pool.rows)).astype(float)
    share = dcr_share(votes, pool.is_training[pool.subject])
    out["dcr_share"] = float(1 - ndtr(share.details["z"]))
    return out


def grid(arguments):
    """Print one line for each share of copied rows and of redrawn cells."""
    for name in arguments.tables:
        real, holdout, fresh = parts(opened(name), arguments.rows, arguments.seed)
        for share in SHARES:
            for redrawn in REDRAWN:
                synthetic = planted(real, fresh, share, redrawn, arguments.seed)
                failed, left = decided(real, synthetic, holdout, arguments.seed)
                attacks = published(stage_of(real, synthetic, holdout))
                best = min(attacks, key=attacks.get)
                missed = "MISSED" if attacks[best] < DOUBT and not failed else ""
                said = f"fails {failed} open {left}; published: {best} p {attacks[best]:.0e}"
                print(f"{name} {share:.1%} of the rows, {redrawn:.0%} redrawn: {said} {missed}", flush=True)


def clean(arguments):
    """Judge fresh rows, and count what fails."""
    false = 0
    for name in arguments.tables:
        table = opened(name)
        for run in range(arguments.runs):
            real, holdout, fresh = parts(table, arguments.rows, arguments.seed + run)
            failed, left = decided(real, fresh, holdout, arguments.seed + run)
            false += bool(failed)
            print(f"{name} {run} {real.num_rows} rows: fails {failed} open {left}", flush=True)
    print(f"{false} of {len(arguments.tables) * arguments.runs} clean tables fail")


def main():
    """Read the arguments and run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["grid", "clean"])
    parser.add_argument("tables", nargs="+")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    {"grid": grid, "clean": clean}[arguments.part](arguments)


if __name__ == "__main__":
    main()
