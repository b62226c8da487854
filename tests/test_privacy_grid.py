"""The leak grid: some training rows, some of their cells redrawn, hidden among fresh rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthgate.findings import Measurement, Status
from synthgate.judging import judge
from synthgate.measures.privacy import copies, membership
from synthgate.measures.privacy.encodings import encode
from synthgate.measures.privacy.neighbours import distance_index, nearest
from synthgate.sample import Sample

pytestmark = pytest.mark.slow

ROWS = 5000
SHARES = (0.01, 0.05, 0.2, 1.0)
REDRAWN = (0.0, 0.3, 0.6)
SURE = 3.7


@pytest.fixture
def make_sample(make_evidence: Callable[..., Any]) -> Callable[..., Sample]:
    return lambda *tables, **more: make_evidence(*tables, **more).sample


def population(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
    size = rng.gamma(3, 2, rows)
    return pa.table(
        {
            "kind": kind,
            "town": [f"t{k}" for k in rng.geometric(0.04, rows)],
            "size": size.round(1),
            "price": (100 * size + rng.normal(0, 60, rows)).round(0),
            "age": rng.integers(18, 80, rows),
            "hue": rng.choice(list("rgbyk"), rows),
            "flag": (size + rng.normal(0, 2, rows) > 6).astype(str),
        }
    )


def planted(real: pa.Table, fresh: pa.Table, share: float, redrawn: float, seed: int) -> pa.Table:
    """Put a share of real rows among fresh ones, a part of their cells redrawn from fresh rows."""
    rng = np.random.default_rng(seed)
    count = round(share * fresh.num_rows)
    taken = real.take(pa.array(rng.choice(real.num_rows, count, replace=False)))
    out = {}
    for name in real.column_names:
        values = taken[name].to_numpy(zero_copy_only=False)
        others = rng.choice(fresh[name].to_numpy(zero_copy_only=False), count)
        out[name] = np.where(rng.random(count) < redrawn, others, values)
    return pa.concat_tables([pa.table(out).cast(fresh.schema), fresh.slice(count)])


def z_of(found: Measurement, attack: str) -> float:
    return next(float(f.details["z"]) for f in found.findings if f.metric == "auc" and f.details["attack"] == attack)


def neighbour_ratio_z(sample: Sample) -> float:
    """Tell members from others by the ratio of distances to the two nearest synthetic rows (NNDR)."""
    encoding = encode(sample)
    assert encoding.holdout is not None
    index = distance_index(encoding.synthetic, encoding)
    ratios = []
    for rows in (encoding.real, encoding.holdout):
        distances, _ = nearest(rows, index, 2)
        ratios.append((distances[:, 0] + 1e-9) / (distances[:, 1] + 1e-9))
    n, m = (len(r) for r in ratios)
    order = np.argsort(np.argsort(np.concatenate(ratios))) + 1.0
    gap = 0.5 - (order[:n].sum() - n * (n + 1) / 2) / (n * m)
    return float(gap / np.sqrt((n + m + 1) / (12 * n * m)))


def fails(found: Measurement) -> bool:
    states = {judge(f.estimate, f.limit) for f in found.findings if f.judged and f.estimate and f.limit}
    return Status.FAIL in states


@pytest.mark.parametrize("redrawn", REDRAWN)
@pytest.mark.parametrize("share", SHARES)
def test_whatever_a_published_attack_finds_is_found(make_sample: Callable[..., Sample], share: float, redrawn: float):
    real, fresh, holdout = population(ROWS, 1), population(ROWS, 3), population(ROWS, 2)
    sample = make_sample(real, planted(real, fresh, share, redrawn, 7), holdout)
    found, copied = membership.assess(sample), copies.assess(sample)
    published = {name: z_of(found, name) for name in ("dcr", "dcr_cal", "knn_ratio", "logan_clf")}
    shares = [float(f.details["z"]) for f in copied.findings if f.metric == "dcr_share"]
    published["dcr_share"] = max(shares, default=0.0)  # there is none where every row is an exact copy
    published["nndr"] = neighbour_ratio_z(sample)
    ours = max(z_of(found, name) for name in ("linkage", "value_ratio", "marginal_pairs", "meta"))
    assert max(ours, *(published[name] for name in ("dcr", "dcr_cal", "knn_ratio", "logan_clf"))) > 0
    if max(published.values()) > SURE:
        assert found.details["detected"] or fails(copied), published
    if redrawn == 0.0 or share >= 0.2:
        assert found.details["detected"] or fails(copied)
    if redrawn == 0.3 and share >= 0.2:
        assert ours > max(published.values())


@pytest.mark.parametrize("seed", range(5))
def test_one_exact_copy_in_a_hundred_is_always_found(make_sample: Callable[..., Sample], shared_data: Path, seed: int):
    folder = shared_data / "paper" / "adult"
    real, base, holdout = (
        pq.read_table(folder / name)
        for name in ("train.parquet", "synthetic/2023-05_gaussian_copula.parquet", "holdout.parquet")
    )
    sample = make_sample(real, planted(real, base, 0.01, 0.0, seed), holdout)
    assert fails(copies.assess(sample))
