"""Every metric that synthgate computes under an SDMetrics name gives SDMetrics' value: the library is the oracle."""

from __future__ import annotations

import json
import logging
import warnings
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sdmetrics import column_pairs, single_column, single_table
from sdmetrics.reports import DiagnosticReport, QualityReport

from synthgate.catalogue import find_measure
from synthgate.evidence import Evidence
from synthgate.measures.sdmetrics.metrics import OURS
from synthgate.roles import Role
from synthgate.sides import count_side
from synthgate.survey import make_plan
from synthgate.tables import open_table

TOLERANCE = 1e-9
ROWS = 1000
NO_SHRINKING = (Phase.explicit, Phase.generate)  # the library is too slow to be asked thousands of times
CONTINUOUS, DISCRETE = ("numerical", "datetime"), ("categorical", "boolean")
COLUMN_METRICS = {
    "KSComplement": (CONTINUOUS, {}),
    "TVComplement": (DISCRETE, {}),
    "BoundaryAdherence": (CONTINUOUS, {}),
    "CategoryAdherence": (DISCRETE, {}),
    "CategoryCoverage": (DISCRETE, {}),
    "RangeCoverage": (CONTINUOUS, {}),
    "MissingValueSimilarity": (CONTINUOUS, {}),
    "StatisticSimilarity": (CONTINUOUS, {"statistic": "mean"}),
    "StatisticSimilarity median": (CONTINUOUS, {"statistic": "median"}),
    "StatisticSimilarity std": (CONTINUOUS, {"statistic": "std"}),
}


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("sdmetrics").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def evidence_of(real, synthetic, sdtypes, keys=()):
    opened = [open_table(table) for table in (real, synthetic)]
    plan = make_plan(opened[0], {name: Role(sdtype) for name, sdtype in sdtypes.items()}, (), {})
    sides = [count_side(plan, table, 0) for table in opened]
    return Evidence(plan=plan, real=sides[0], synthetic=sides[1], holdout=None, keys=keys)


def ours(evidence, name, options=None):
    found = find_measure(f"sdmetrics.{name}")
    return found.compute(evidence, {**found.options, **(options or {})})


def oracle(compute):
    """Return SDMetrics' value, NaN where it raises: a report shows both alike."""
    try:
        return float(compute())
    except Exception:  # noqa: BLE001 - whatever the library raises is what its reports show as not scored
        return float("nan")


def values(measurement):
    return {f.columns: f.estimate.value if f.estimate else float("nan") for f in measurement.findings}


def assert_equal(found, expected, about):
    assert found.keys() == expected.keys(), about
    for subject, value in expected.items():
        same = (np.isnan(value) and np.isnan(found[subject])) or abs(value - found[subject]) <= TOLERANCE
        assert same, (about, subject, found[subject], value)


def assert_columns(evidence, real, synthetic, sdtypes):
    for label, (kinds, options) in COLUMN_METRICS.items():
        name = label.split()[0]
        subjects = [n for n, kind in sdtypes.items() if kind in kinds]
        metric = getattr(single_column, name)
        expected = {(n,): oracle(partial(metric.compute, real[n], synthetic[n], **options)) for n in subjects}
        if not subjects:
            continue
        measured = ours(evidence, name, options)
        known = [v for v in expected.values() if not np.isnan(v)]
        assert (measured.score is None) == (not known), label
        if known:
            assert_equal(values(measured), expected, label)
            assert abs(measured.score.value - np.mean(known)) <= TOLERANCE, label


def assert_pairs(evidence, real, synthetic, sdtypes, threshold=0.0):
    for coefficient in ("Pearson", "Spearman"):
        options = {"coefficient": coefficient, "real_correlation_threshold": threshold}
        names = [n for n, kind in sdtypes.items() if kind in CONTINUOUS]
        compare_pairs(evidence, "CorrelationSimilarity", names, options, (real, synthetic))
    names = [n for n, kind in sdtypes.items() if kind in DISCRETE]
    compare_pairs(
        evidence, "ContingencySimilarity", names, {"real_association_threshold": threshold}, (real, synthetic)
    )
    mixed = [n for n, kind in sdtypes.items() if kind in (*DISCRETE, "numerical")]
    binned = [n for n in mixed if sdtypes[n] == "numerical"]
    compare_pairs(evidence, "ContingencySimilarity", mixed, {"continuous_column_names": binned}, (real, synthetic))


def compare_pairs(evidence, name, names, options, frames):
    if len(names) < 2:
        return
    metric = getattr(column_pairs, name)
    expected = {}
    for pair in combinations(names, 2):
        theirs = dict(options)
        if "continuous_column_names" in theirs:
            theirs["continuous_column_names"] = [n for n in pair if n in theirs["continuous_column_names"]]
        real, synthetic = (frame[list(pair)].copy() for frame in frames)
        expected[pair] = oracle(partial(metric.compute, real, synthetic, **theirs))
    measured = ours(evidence, name, options)
    if measured.score is None:
        assert all(np.isnan(v) for v in expected.values()), (name, options, expected)
    else:
        assert_equal(values(measured), expected, (name, options))


def assert_reports(evidence, real, synthetic, sdtypes, thresholds=None):
    columns = {name: {"sdtype": sdtype} for name, sdtype in sdtypes.items()}
    table = {"columns": columns}
    if evidence.keys:
        table["primary_key"] = evidence.keys[0]
    metadata = {"tables": {"t": table}, "relationships": []}
    report = QualityReport()
    report._properties["Column Pair Trends"].num_rows_subsample = None
    options = {}
    if thresholds is not None:
        report.real_correlation_threshold, report.real_association_threshold = thresholds
        options = dict(zip(("real_correlation_threshold", "real_association_threshold"), thresholds, strict=True))
    diagnostic = DiagnosticReport()
    real, synthetic = (pa.Table.from_pandas(frame).to_pandas() for frame in (real, synthetic))
    for name, theirs, more in (("QualityReport", report, options), ("DiagnosticReport", diagnostic, {})):
        theirs.generate({"t": real.copy()}, {"t": synthetic.copy()}, metadata, verbose=False)
        properties = theirs.get_properties()
        expected = dict(zip(properties["Property"], properties["Score"].astype(float), strict=True))
        expected = {key: value for key, value in expected.items() if not key.startswith(("Relation", "Constraint"))}
        measured = ours(evidence, name, more)
        if measured.score is None:
            assert all(np.isnan(value) for value in expected.values()), name
            continue
        found = {f.metric: f.estimate.value if f.estimate else float("nan") for f in measured.findings}
        assert_equal(found, expected, name)
        score = theirs.get_score()
        assert np.isnan(score) or abs(measured.score.value - score) <= TOLERANCE, name


number = st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e4, 1e4).map(lambda x: round(x, 6)))
label = st.one_of(st.none(), st.sampled_from(["a", "b", "c d", "<i>", "z"]))
flag = st.one_of(st.none(), st.booleans())
day = st.one_of(st.none(), st.integers(0, 40).map(lambda d: pd.Timestamp("2020-02-01") + pd.Timedelta(days=d)))
SDTYPES = {"x": "numerical", "y": "numerical", "day": "datetime", "c": "categorical", "d": "categorical"}
SDTYPES["flag"] = "boolean"


@st.composite
def frames(draw):
    kinds = {"x": number, "y": number, "day": day, "c": label, "d": label, "flag": flag}
    out = []
    for _ in range(2):
        rows = draw(st.integers(2, 20))
        data = {name: draw(st.lists(kind, min_size=rows, max_size=rows)) for name, kind in kinds.items()}
        constant = draw(st.sampled_from(["x", "c", None, None]))
        if constant:
            data[constant] = [data[constant][0]] * rows
        frame = pd.DataFrame({"id": range(rows), **data})
        frame[["x", "y"]] = frame[["x", "y"]].astype(float)
        frame["day"] = pd.to_datetime(frame["day"])
        out.append(frame.astype({"c": object, "d": object, "flag": object}))
    return out


@settings(max_examples=15, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.too_slow])
@given(frames())
def test_generated_tables_score_the_same(pair):
    real, synthetic = (frame.drop(columns="id") for frame in pair)
    evidence = evidence_of(pa.Table.from_pandas(real), pa.Table.from_pandas(synthetic), SDTYPES)
    assert_columns(evidence, real, synthetic, SDTYPES)
    assert_pairs(evidence, real, synthetic, SDTYPES)
    assert_pairs(evidence, real, synthetic, SDTYPES, threshold=0.3)


@settings(max_examples=5, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.too_slow])
@given(frames())
def test_the_reports_of_generated_tables_score_the_same(pair):
    real, synthetic = pair
    evidence = evidence_of(
        pa.Table.from_pandas(real), pa.Table.from_pandas(synthetic), {"id": "id", **SDTYPES}, keys=("id",)
    )
    assert_reports(evidence, real, synthetic, {"id": "id", **SDTYPES})
    assert_reports(evidence, real, synthetic, {"id": "id", **SDTYPES}, thresholds=(0.0, 0.0))


@pytest.mark.parametrize("extreme", [float("inf"), float("-inf")])
@pytest.mark.parametrize("side", ["real", "synthetic", "both"])
def test_infinities_score_the_same(extreme, side):
    plain = [0.5, 1.0, 2.5, 4.0, 4.0, 7.0]
    wild = [0.5, extreme, 2.0, 4.0, 5.0, extreme]
    real = pd.DataFrame({"x": plain if side == "synthetic" else wild, "y": plain[::-1], "c": list("ababca")})
    synthetic = pd.DataFrame({"x": plain if side == "real" else wild, "y": plain, "c": list("aabbcc")})
    sdtypes = {"x": "numerical", "y": "numerical", "c": "categorical"}
    evidence = evidence_of(pa.Table.from_pandas(real), pa.Table.from_pandas(synthetic), sdtypes)
    assert_columns(evidence, real, synthetic, sdtypes)
    assert_pairs(evidence, real, synthetic, sdtypes)


def test_given_bounds_and_categories_score_the_same():
    rng = np.random.default_rng(3)
    real = pd.DataFrame({"x": rng.normal(size=80), "c": rng.choice(list("abc"), 80)})
    synthetic = pd.DataFrame({"x": rng.normal(size=60) * 2, "c": rng.choice(["a", "b", "q", None], 60)})
    synthetic.loc[:5, "x"] = None
    sdtypes = {"x": "numerical", "c": "categorical"}
    evidence = evidence_of(pa.Table.from_pandas(real), pa.Table.from_pandas(synthetic), sdtypes)
    cases = [
        ("BoundaryAdherence", "x", {"range_min": -1.0, "range_max": 2}),
        ("BoundaryAdherence", "x", {"range_is_nullable": True}),
        ("BoundaryAdherence", "x", {"range_is_nullable": False, "range_max": 0.5}),
        ("CategoryAdherence", "c", {"range_values": ["a", "q"]}),
        ("CategoryAdherence", "c", {"range_is_nullable": True}),
    ]
    for name, column, options in cases:
        expected = getattr(single_column, name).compute(real[column], synthetic[column], **options)
        assert abs(ours(evidence, name, options).score.value - expected) <= TOLERANCE, (name, options)


def test_the_single_table_metrics_of_the_same_name_are_the_scores():
    rng = np.random.default_rng(5)

    def table(rows, shift):
        x = rng.normal(size=rows) + shift
        return pd.DataFrame(
            {
                "x": np.where(rng.random(rows) < 0.1, np.nan, x),
                "y": x * 2 + rng.normal(size=rows),
                "c": rng.choice(list("abcd"), rows),
                "d": rng.choice(list("uv"), rows),
            }
        )

    real, synthetic = table(300, 0), table(200, 0.4)
    sdtypes = {"x": "numerical", "y": "numerical", "c": "categorical", "d": "categorical"}
    evidence = evidence_of(pa.Table.from_pandas(real), pa.Table.from_pandas(synthetic), sdtypes)
    metadata = {"columns": {name: {"sdtype": sdtype} for name, sdtype in sdtypes.items()}}
    names = sorted(OURS.keys() & set(dir(single_table)) - {"TableStructure"})
    assert len(names) >= 8
    for name in names:
        try:
            expected = getattr(single_table, name).compute(real, synthetic, metadata)
        except AttributeError:  # the library's own wrapper breaks on arrays
            continue
        assert abs(ours(evidence, name).score.value - expected) <= TOLERANCE, name


def test_structure_scores_the_same_for_typed_tables():
    real = pd.DataFrame({"i": [1, 2, 3], "f": [1.5, 2, 3], "s": list("abc"), "b": [True, False, True]})
    real["t"] = pd.to_datetime(["2020-01-01"] * 3)
    cases = [
        real,
        real.drop(columns="f"),
        real.assign(i=[1.5, 2, 3]),
        real.assign(i=[1, None, 3]),
        real.assign(b=[True, None, False]),
        real.assign(extra=1),
    ]
    sdtypes = {"i": "numerical", "f": "numerical", "s": "categorical", "b": "boolean", "t": "datetime"}
    for synthetic in cases:
        evidence = evidence_of(
            pa.Table.from_pandas(real, preserve_index=False),
            pa.Table.from_pandas(synthetic, preserve_index=False),
            sdtypes,
        )
        expected = single_table.TableStructure.compute(real, synthetic)
        assert abs(ours(evidence, "TableStructure").score.value - expected) <= TOLERANCE


def test_keys_score_the_same():
    real = pd.DataFrame({"k": ["a", "b", "c", "d"], "x": range(4)})
    synthetic = pd.DataFrame({"k": ["a", "a", None, "e"], "x": range(4)})
    evidence = evidence_of(
        pa.Table.from_pandas(real), pa.Table.from_pandas(synthetic), {"k": "id", "x": "numerical"}, keys=("k",)
    )
    expected = single_column.KeyUniqueness.compute(real["k"], synthetic["k"])
    assert abs(ours(evidence, "KeyUniqueness").score.value - expected) <= TOLERANCE


def shared_pairs(shared):
    folders = [f for group in ("paper", "single", "wide") for f in sorted((shared / group).glob("*")) if f.is_dir()]
    return [(folder.name, file) for folder in folders for file in sorted((folder / "synthetic").glob("*.parquet"))]


def sdtypes_of(folder, names):
    tables = json.loads((folder / "metadata.json").read_text())
    columns = tables.get("columns") or next(iter(tables["tables"].values()))["columns"]
    known = {"numerical", "datetime", "categorical", "boolean"}
    return {name: columns[name]["sdtype"] for name in names if columns.get(name, {}).get("sdtype") in known}


def typed(table, sdtypes):
    frame = table.to_pandas()
    for name, sdtype in sdtypes.items():
        if sdtype == "numerical":
            frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
        elif sdtype == "datetime":
            frame[name] = pd.to_datetime(frame[name])
        else:
            text = frame[name].astype(str)
            frame[name] = text.where(frame[name].notna(), None).astype(object)
    return frame


@pytest.mark.slow
def test_every_published_and_generated_pair_scores_the_same(shared_data):
    pairs = shared_pairs(shared_data)
    assert len(pairs) > 40
    for _, file in pairs:
        folder = file.parents[1]
        tables = [pq.read_table(path) for path in (folder / "train.parquet", file)]
        names = [n for n in tables[0].column_names if n in tables[1].column_names]
        sdtypes = dict(list(sdtypes_of(folder, names).items())[:10])
        rng = np.random.default_rng(1)
        real, synthetic = (
            typed(t.select(list(sdtypes)).take(np.sort(rng.permutation(t.num_rows)[:ROWS])), sdtypes) for t in tables
        )
        boolean = [n for n, kind in sdtypes.items() if kind == "boolean"]
        sdtypes |= dict.fromkeys(boolean, "categorical")  # their spelling differs from file to file
        evidence = evidence_of(pa.Table.from_pandas(real), pa.Table.from_pandas(synthetic), sdtypes)
        assert_columns(evidence, real, synthetic, sdtypes)
        continuous = [n for n, kind in sdtypes.items() if kind in CONTINUOUS]
        compare_pairs(evidence, "CorrelationSimilarity", continuous, {"coefficient": "Spearman"}, (real, synthetic))
        assert_reports(evidence, real, synthetic, sdtypes)
        assert_reports(evidence, real, synthetic, sdtypes, thresholds=(0.0, 0.0))
