"""Attacks for tables of continuous numbers: right by brute force, used where they apply, never accusing fresh rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from synthgate.measures.privacy import membership
from synthgate.measures.privacy.attacks import ATTACKS, Stage
from synthgate.measures.privacy.audit import audit_stage
from synthgate.measures.privacy.continuous import ensemble, gen_lra
from synthgate.sample import Sample

MakeSample = Callable[..., Sample]


@pytest.fixture
def make_sample(make_evidence: Callable[..., Any]) -> MakeSample:
    return lambda *tables, **more: make_evidence(*tables, **more).sample


def numbers(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(rows, 2))
    return pa.table({f"x{k}": factor[:, k % 2] + rng.normal(0, 0.6, rows) for k in range(6)})


def jittered(table: pa.Table, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({n: table[n].to_numpy() + rng.normal(0, 0.05, table.num_rows) for n in table.column_names})


def names(stage: Stage) -> list[str]:
    return [attack.name for attack in ensemble(stage, "standard")]


def test_they_join_only_where_numbers_hardly_repeat(make_sample: MakeSample):
    continuous = audit_stage(make_sample(*(numbers(200, k) for k in (1, 2, 3))))
    assert names(continuous) == [*(a.name for a in ATTACKS), "linkage_surprisal", "gen_lra"]
    rounded = [
        pa.table({n: t[n].to_numpy().round() for n in t.column_names}) for t in (numbers(200, k) for k in (1, 2, 3))
    ]
    assert names(audit_stage(make_sample(*rounded))) == [a.name for a in ATTACKS]


def test_jittered_copies_are_found_by_graded_agreement_where_equality_sees_nothing(make_sample: MakeSample):
    real = numbers(400, 1)
    found = membership.assess(make_sample(real, jittered(real, 3), numbers(400, 2)))
    values = {str(f.details["attack"]): f.estimate.value for f in found.findings if f.metric == "auc" and f.estimate}
    assert values["linkage"] < 0.55
    assert values["linkage_surprisal"] > 0.8
    assert values["gen_lra"] > 0.5


def test_the_closed_form_of_the_likelihood_ratio_equals_a_refit(make_sample: MakeSample):
    stage = audit_stage(make_sample(numbers(60, 1), numbers(80, 3), numbers(60, 2)))
    scores = gen_lra(stage)
    at, queries, reference = next(stage.folds())
    known = reference.dense.astype(float)
    centre = known.mean(axis=0)
    _, spread, turned = np.linalg.svd(known - centre, full_matrices=False)
    turn = (turned / (spread / np.sqrt(len(known) - 1))[:, None]).T
    r, s, x = ((rows.dense - centre) @ turn for rows in (reference, stage.synthetic, queries))
    width = len(r) ** (-1 / (r.shape[1] + 4))

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-np.square(a[:, None] - b[None]).sum(axis=2) / (2 * width**2))

    for i in range(5):
        near = np.argsort(np.square(s - x[i]).sum(axis=1))[:10]
        before = kernel(s[near], r).mean(axis=1)
        after = kernel(s[near], np.vstack([r, x[i]])).mean(axis=1)
        assert scores[at[i]] == pytest.approx(float(np.log(after / before).sum()), abs=1e-6)


def test_fresh_numbers_are_not_accused(make_sample: MakeSample):
    for seed in range(3):
        found = membership.assess(make_sample(*(numbers(400, 10 * seed + k) for k in range(3))))
        assert found.details["detected"] is False
