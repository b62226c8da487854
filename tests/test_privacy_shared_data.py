"""Verdicts on published synthetic tables whose leaks are known; slow, and skipped where the data is absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgate.findings import Limit, Measurement, Status
from synthgate.judging import judge
from synthgate.measures.privacy import copies, membership
from synthgate.sample import Sample

pytestmark = pytest.mark.slow
LIMIT = Limit(max=0.55)


@pytest.fixture
def load(make_evidence: Callable[..., Any], shared_data: Path) -> Callable[..., Sample]:
    def read(folder: str, synthetic: str, real: str = "train", holdout: str = "holdout") -> Sample:
        paths = [str(shared_data / folder / f"{name}.parquet") for name in (real, synthetic, holdout)]
        return make_evidence(*paths).sample

    return read


def status(measurement: Measurement) -> Status:
    states = {judge(f.estimate, f.limit or LIMIT) for f in measurement.findings if f.judged and f.estimate}
    if Status.FAIL in states:
        return Status.FAIL
    has_limit = any(f.metric == "auc" for f in measurement.findings)
    return judge(measurement.score, LIMIT) if has_limit and measurement.score else Status.PASS


def best(measurement: Measurement) -> float:
    assert measurement.score is not None
    return measurement.score.value


ADULT = [
    # synthetic table, membership, copies
    ("2023-05_synthpop", Status.FAIL, Status.FAIL),
    ("2021_flip10", Status.FAIL, Status.FAIL),
    ("2021_flip50", Status.FAIL, Status.FAIL),
    ("2021_flip90", Status.FAIL, Status.FAIL),
    ("2023-05_mostly", Status.PASS, Status.PASS),
    ("2023-05_ctgan", Status.PASS, Status.PASS),
    ("2023-05_gaussian_copula", Status.PASS, Status.PASS),
    ("2024-12_mostlyai_DP_eps1.6_noise1.5", Status.PASS, Status.PASS),
]


@pytest.mark.parametrize(("name", "leaks", "copied"), ADULT, ids=[row[0] for row in ADULT])
def test_published_tables_get_the_verdict_their_figures_support(
    load: Callable[..., Sample], name: str, leaks: Status, copied: Status
):
    sample = load("paper/adult", f"synthetic/{name}")
    assert status(membership.assess(sample)) is leaks
    assert status(copies.assess(sample)) is copied


def test_an_honest_generator_is_detected_within_the_tolerance(load: Callable[..., Sample]):
    found = membership.assess(load("paper/adult", "synthetic/2023-05_mostly"), "full")
    assert found.details["detected"] is True
    assert found.score is not None
    assert found.score.high <= 0.55


def test_a_value_leak_that_distances_miss_is_found_and_named(load: Callable[..., Sample]):
    sample = load("paper/adult", "synthetic/2023-05_gretel")
    aucs = {f.details["attack"]: f.estimate.value for f in membership.assess(sample).findings if f.metric == "auc"}
    assert aucs["value_ratio"] > 0.53
    assert abs(aucs["dcr"] - 0.5) < 0.015
    failing = [
        f.columns for f in copies.assess(sample).findings if f.limit and judge(f.estimate, f.limit) is Status.FAIL
    ]
    assert failing == [("fnlwgt",)]


def test_linkage_falls_slowly_as_cells_are_replaced(load: Callable[..., Sample]):
    shares = []
    for name in ("flip10", "flip30", "flip50", "flip90"):
        found = membership.assess(load("paper/adult", f"synthetic/2021_{name}"), "quick")
        shares.append(next(f.estimate.value for f in found.findings if f.details.get("attack") == "linkage"))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.75


@pytest.mark.parametrize("data", ["bird_strikes", "credit_data", "breast_cancer", "diabetes"])
def test_copies_fail_and_fresh_rows_do_not_on_small_tables(load: Callable[..., Sample], data: str):
    for name, expected in (("bootstrap_copy", Status.FAIL), ("smote_knn", Status.FAIL), ("fresh_real", Status.PASS)):
        sample = load(f"single/{data}", f"synthetic/{name}")
        assert status(copies.assess(sample)) is expected
        assert (status(membership.assess(sample)) is Status.FAIL) <= (expected is Status.FAIL)


DEFECTS = [f"{kind}__{size}" for kind in ("memorised_rows", "near_copies") for size in ("moderate", "gross")]


@pytest.mark.parametrize("defect", [*DEFECTS, "memorised_outliers__gross"])
def test_injected_copies_are_found(load: Callable[..., Sample], defect: str):
    assert status(copies.assess(load("defects/adult_plus", defect, "real_train", "real_holdout"))) is Status.FAIL


@pytest.mark.parametrize("control", range(1, 31))
def test_controls_are_never_accused(load: Callable[..., Sample], control: int):
    folder = f"defects/adult_plus/controls/c{control:02d}"
    sample = load(folder, "synthetic", "real_train", "real_holdout")
    assert status(copies.assess(sample)) is Status.PASS
    assert status(membership.assess(sample, "quick")) is not Status.FAIL


@pytest.mark.parametrize("benign", ["benign_sorted_rows", "benign_small_sample", "benign_ids_from_one"])
def test_harmless_changes_are_never_accused(load: Callable[..., Sample], benign: str):
    sample = load("defects/adult_plus", benign, "real_train", "real_holdout")
    assert status(copies.assess(sample)) is Status.PASS
    assert status(membership.assess(sample)) is Status.PASS


@pytest.mark.parametrize("control", range(1, 9))
def test_sequences_are_compared_as_wholes(load: Callable[..., Sample], control: int):
    sample = load(f"defects/weather_seq/controls/c{control:02d}", "synthetic", "real_train", "real_holdout")
    assert status(copies.assess(sample)) is Status.PASS
    assert status(membership.assess(sample)) is not Status.FAIL


def test_memorised_sequences_are_found(load: Callable[..., Sample]):
    sample = load("defects/weather_seq", "sequences_memorised__moderate", "real_train", "real_holdout")
    assert status(copies.assess(sample)) is Status.FAIL


def test_rows_clustered_by_a_dropped_column_are_not_accused(load: Callable[..., Sample]):
    found = membership.assess(load("wide/hfi", "synthetic/fresh_real"))
    assert found.details["drift"]["clustered"] is True
    assert status(found) is Status.INCONCLUSIVE
