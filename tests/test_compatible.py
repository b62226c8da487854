"""SDMetrics' names mean SDMetrics' numbers: the installed library is the oracle, to 1e-9."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sdmetrics.demos import load_single_table_demo
from sdmetrics.reports import QualityReport

from synthgate.evidence import Evidence
from synthgate.measures.fidelity.compatible import column_shapes, pair_trends
from synthgate.roles import Role
from synthgate.sides import count_side
from synthgate.survey import make_plan
from synthgate.tables import open_table

TOLERANCE = 1e-9


def evidence_of(real, synthetic, sdtypes):
    roles = {name: Role(sdtype) for name, sdtype in sdtypes.items()}
    opened = [open_table(frame) for frame in (real, synthetic)]
    plan = make_plan(opened[0], roles, (), {})
    sides = [count_side(plan, table, 0) for table in opened]
    return Evidence(plan=plan, real=sides[0], synthetic=sides[1], holdout=None)


def quality(real, synthetic, sdtypes, thresholds):
    columns = {name: {"sdtype": sdtype} for name, sdtype in sdtypes.items()}
    metadata = {"tables": {"t": {"columns": columns}}, "relationships": []}
    report = QualityReport()
    report._properties["Column Pair Trends"].num_rows_subsample = None
    if thresholds is not None:
        report.real_correlation_threshold, report.real_association_threshold = thresholds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.generate({"t": real.copy()}, {"t": synthetic.copy()}, metadata, verbose=False)
        return report.get_details("Column Shapes"), report.get_details("Column Pair Trends"), report.get_properties()


def equal(ours, theirs):
    if ours is None or (isinstance(theirs, float) and np.isnan(theirs)):
        return ours is None and np.isnan(theirs)
    return abs(ours - theirs) <= TOLERANCE


def assert_parity(real, synthetic, sdtypes):
    evidence = evidence_of(real, synthetic, sdtypes)
    shapes, trends = column_shapes(evidence), pair_trends(evidence)
    their_shapes, their_pairs, _ = quality(real, synthetic, sdtypes, (0, 0))
    for row in their_shapes.itertuples():
        assert equal(shapes["columns"].get(row.Column), row.Score), row
    for _, row in their_pairs.iterrows():
        ours = trends.pairs[row["Column 1"], row["Column 2"]]
        assert ours["metric"] == row["Metric"]
        assert equal(ours["score"], row["Score"]), (row, ours)
    _, _, properties = quality(real, synthetic, sdtypes, None)
    scores = dict(zip(properties["Property"], properties["Score"], strict=True))
    assert equal(shapes["column_shapes"], scores["Column Shapes"])
    assert equal(trends.summary["column_pair_trends"], scores["Column Pair Trends"])


@pytest.mark.filterwarnings("ignore")
def test_the_sdmetrics_demo_scores_the_published_figures():
    real, synthetic, metadata = load_single_table_demo()
    (name,) = metadata["tables"]
    real, synthetic, columns = real[name], synthetic[name], metadata["tables"][name]["columns"]
    sdtypes = {n: c["sdtype"] for n, c in columns.items() if c["sdtype"] in set(Role) - {"id"}}
    real, synthetic = real[list(sdtypes)], synthetic[list(sdtypes)]
    for frame in (real, synthetic):
        for name, sdtype in sdtypes.items():
            if sdtype == "datetime":
                frame[name] = pd.to_datetime(frame[name])
    evidence = evidence_of(real, synthetic, sdtypes)
    shapes, trends = column_shapes(evidence), pair_trends(evidence).summary
    assert shapes["column_shapes"] == pytest.approx(0.8511084702797364, abs=TOLERANCE)
    assert trends["column_pair_trends"] == pytest.approx(0.7023456804372765, abs=TOLERANCE)
    assert trends["column_pair_trends_all_pairs"] == pytest.approx(0.8249765264743957, abs=TOLERANCE)


number = st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6).map(lambda x: round(x, 6)))
label = st.one_of(st.none(), st.sampled_from(["a", "b", "c d", "<i>", "z"]))


@st.composite
def frames(draw):
    columns = {"x": number, "y": number, "c": label, "d": label, "flag": st.booleans()}
    out = []
    for _ in range(2):
        rows = draw(st.integers(3, 25))
        data = {name: draw(st.lists(kind, min_size=rows, max_size=rows)) for name, kind in columns.items()}
        for name in ("x", "y", "c", "d"):
            if all(v is None for v in data[name]):
                data[name][0] = 1.0 if name in "xy" else "a"
        frame = pd.DataFrame(data)
        frame[["x", "y"]] = frame[["x", "y"]].astype(float)
        out.append(frame)
    return out


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frames())
def test_generated_tables_with_nulls_constants_and_unseen_categories_score_the_same(pair):
    sdtypes = {"x": "numerical", "y": "numerical", "c": "categorical", "d": "categorical", "flag": "boolean"}
    assert_parity(*pair, sdtypes)


def test_datetimes_score_the_same():
    rng = np.random.default_rng(0)

    def frame(rows):
        days = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 500, rows), unit="D")
        return pd.DataFrame(
            {"day": days.where(rng.random(rows) > 0.1), "x": rng.normal(size=rows), "c": rng.choice(list("abc"), rows)}
        )

    assert_parity(frame(200), frame(150), {"day": "datetime", "x": "numerical", "c": "categorical"})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2023-05_ctgan", "2023-05_synthpop", "2024-12_mostlyai"])
@pytest.mark.parametrize("data", ["adult", "online-shoppers"])
def test_published_pairs_score_the_same(shared_data, data, name):
    folder = shared_data / "paper" / data
    tables = [pq.read_table(folder / "train.parquet"), pq.read_table(folder / "synthetic" / f"{name}.parquet")]
    common = [n for n in tables[0].column_names if n in tables[1].column_names]
    real, synthetic = (t.select(common).to_pandas() for t in tables)
    sdtypes = {n: "numerical" if real[n].dtype.kind in "if" else "categorical" for n in common}
    for n, sdtype in sdtypes.items():
        if sdtype == "numerical":
            synthetic[n] = pd.to_numeric(synthetic[n], errors="coerce")
    assert_parity(real, synthetic, sdtypes)


def test_an_infinity_leaves_the_pair_unscored_and_not_the_mean(make_evidence):
    real = pa.table({"x": [1.0, 2.0, float("inf"), 4.0], "c": ["a", "b", "a", "b"]})
    trends = pair_trends(make_evidence(real, real))
    assert trends.pairs["x", "c"]["score"] is None


def test_tiny_numbers_correlate_as_in_sdmetrics():
    real = pd.DataFrame({"x": [0.0, 1.0, 3.0], "y": [1.0, 0.0, 2.0]})
    synthetic = pd.DataFrame({"x": [0.0, 1.0, None], "y": [0.0, 1.364173e-181, None]})
    assert_parity(real, synthetic, {"x": "numerical", "y": "numerical"})
