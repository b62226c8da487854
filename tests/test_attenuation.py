"""The share of dependence kept is unbiased, blind to margins, and told for pairs and columns that hold enough of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import synthgate
from synthgate.catalogue import find_measure
from synthgate.counts import GROUPS
from synthgate.measures.fidelity.abreast import lay
from synthgate.measures.fidelity.attenuation import Attenuation, Parted, attenuations
from synthgate.profiling import profile_text


def tables(rng, rows, keep, sizes=(6, 4), tilt=1.0):
    """Draw two dependent columns, the second replaced by an independent draw in 1 - `keep` of the rows."""
    a = rng.choice(sizes[0], rows, p=np.linspace(1, tilt, sizes[0]) / np.linspace(1, tilt, sizes[0]).sum())
    b = (a + (rng.random(rows) < 0.5) * rng.integers(0, sizes[1], rows)) % sizes[1]
    b = np.where(rng.random(rows) < keep, b, rng.permutation(b))
    out = np.zeros((GROUPS, *sizes), np.int64)
    np.add.at(out, (rng.integers(0, GROUPS, rows), a, b), 1)
    return out


def sums_of(real, synthetic):
    """Return the sums of one pair."""
    known = Parted.of(real[None])
    return attenuations(known, known.spread(), Parted.of(synthetic[None]))[0]


def attenuation(real, synthetic):
    return Attenuation(sums_of(real, synthetic))


@pytest.mark.parametrize(("rows", "keep"), [(300, 1.0), (300, 0.6), (3000, 0.6), (3000, 0.0)])
def test_the_share_kept_is_unbiased_and_its_error_right(rows, keep):
    rng = np.random.default_rng(1)
    found = [attenuation(tables(rng, rows, 1.0), tables(rng, rows, keep)) for _ in range(300)]
    shares, errors = np.array([one.share for one in found]), np.array([one.error for one in found])
    assert abs(np.median(shares) - keep) < 4 * shares.std() / np.sqrt(300) + 0.01
    assert 0.75 < np.sqrt((errors**2).mean()) / shares.std() < 1.35


def test_weak_dependence_of_small_tables_is_not_taken_for_more_than_there_is():
    rng = np.random.default_rng(2)
    there = [attenuation(tables(rng, 200, 0.0, (8, 8)), tables(rng, 200, 0.0, (8, 8))).there for _ in range(400)]
    assert abs(np.mean(there)) < 4 * np.std(there) / np.sqrt(400)


def test_other_margins_alone_lose_nothing():
    rng = np.random.default_rng(3)
    found = attenuation(tables(rng, 60_000, 1.0), tables(rng, 60_000, 1.0, tilt=2.5))
    assert abs(found.share - 1) < 0.1


def test_pairs_add_up():
    rng = np.random.default_rng(4)
    one, other = (attenuation(tables(rng, 2000, 1.0), tables(rng, 2000, keep)) for keep in (1.0, 0.5))
    both = Attenuation(one.sums + other.sums)
    assert both.share == pytest.approx((one.kept + other.kept) / (one.there + other.there))
    assert min(one.share, other.share) < both.share < max(one.share, other.share)


def test_what_hangs_on_a_few_rows_is_not_told():
    real = np.zeros((GROUPS, 2, 2), np.int64)
    real[:, 0, 0] = 100
    real[3, 1, 1] = 9
    assert not sums_of(real, real).any()
    real[:, 1, 1] += 5
    assert sums_of(real, real).any()


def test_tables_are_compared_side_by_side_as_each_by_itself():
    rng = np.random.default_rng(6)
    sizes = [(6, 4), (2, 9), (5, 5), (9, 2)]
    pairs = [(tables(rng, 900, 1.0, size), tables(rng, 700, 0.5, size)) for size in sizes]
    real, synthetic = (lay([pair[side] for pair in pairs], GROUPS) for side in (0, 1))
    known = Parted.of(real)
    together = attenuations(known, known.spread(), Parted.of(synthetic))
    assert together == pytest.approx(np.stack([sums_of(*pair) for pair in pairs]), rel=1e-9, abs=1e-12)


def test_sums_are_what_the_definition_says():
    rng = np.random.default_rng(7)
    real, synthetic = tables(rng, 2000, 1.0), tables(rng, 1500, 0.5)

    def apart(table):
        joint = (table / table.sum(axis=(1, 2), keepdims=True)).mean(axis=0)
        return joint, np.outer(joint.sum(axis=1), joint.sum(axis=0))

    (joint, independent), (found, margins) = apart(real), apart(synthetic)
    one = attenuation(real, synthetic)
    assert one.kept == pytest.approx(((joint - independent) * (found - margins)).sum())
    shares = real / real.sum(axis=(1, 2), keepdims=True)
    down, across = joint.sum(axis=1), joint.sum(axis=0)
    single = [p - np.outer(p.sum(1), across) - np.outer(down, p.sum(0)) + independent for p in shares]
    weight = np.minimum(margins / independent, 4.0)
    crossed = [(weight * a * b).sum() for i, a in enumerate(single) for j, b in enumerate(single) if i != j]
    assert one.there == pytest.approx(np.mean(crossed))


def people(rows, seed, broken=0.0, noise=1.5):
    rng = np.random.default_rng(seed)
    skill = rng.normal(size=rows)
    frame = {f"x{k}": np.round(skill + noise * rng.normal(size=rows), 2) for k in range(6)}
    hit = rng.random(rows) < broken
    for k in range(0, 6, 2):
        frame[f"x{k}"] = np.where(hit, np.roll(frame[f"x{k}"], 1), frame[f"x{k}"])
    return pa.table(frame)


def measured(evidence):
    found = find_measure("fidelity.pairs").compute(evidence, {}).findings
    return {f.columns: f.estimate for f in found if f.metric == "dependence_kept"}


def why_not(evidence):
    ledger = find_measure("fidelity.pairs").compute(evidence, {}).ledger
    return next(skip.reason for skip in ledger.skipped if skip.subject == "dependence_kept")


@pytest.mark.parametrize("with_holdout", [True, False])
def test_columns_mixed_from_two_rows_are_found_over_all_pairs(make_evidence, with_holdout):
    holdout = people(4000, 3) if with_holdout else None
    clean = measured(make_evidence(people(4000, 1), people(4000, 2), holdout))
    assert set(clean) == {(), *((f"x{k}",) for k in range(6))}
    assert all(found.position.high > 0.95 for found in clean.values())
    mixed = measured(make_evidence(people(4000, 1), people(4000, 2, broken=0.6), holdout))
    assert mixed[()].position.high < 0.85
    assert mixed[()].value == pytest.approx(1 - 0.6 * 9 / 15, abs=0.1)


def test_a_holdout_that_drifted_lowers_what_may_be_expected(make_evidence):
    drifted = measured(make_evidence(people(4000, 1), people(4000, 2, broken=0.9), people(4000, 3, broken=0.9)))
    assert drifted[()].ceiling < 0.7
    assert drifted[()].position.high == 1


def test_nothing_is_told_of_rows_that_come_in_groups(make_evidence):
    def grouped(seed):
        rng = np.random.default_rng(seed)
        table = people(400, seed, noise=0.5)
        rows = np.repeat(np.arange(400), 10)
        return pa.table(
            {
                name: table[name].take(pa.array(rows)).to_numpy() + rng.normal(0, 0.01, 4000)
                for name in table.column_names
            }
        )

    evidence = make_evidence(grouped(1), grouped(2), grouped(3))
    assert evidence.design_effect > 1
    assert measured(evidence) == {}


def test_a_profile_has_no_groups_of_rows(make_evidence, tmp_path):
    path = tmp_path / "real.profile"
    path.write_text(profile_text(people(1000, 1, noise=0.5)), encoding="utf-8")
    evidence = make_evidence(path, people(1000, 2, noise=0.5))
    assert measured(evidence) == {}
    assert "profile" in why_not(evidence)


def test_what_the_holdout_shows_nothing_of_is_not_told(make_evidence):
    rng = np.random.default_rng(5)
    shuffled = pa.table(
        {name: rng.permutation(people(4000, 3)[name].to_numpy()) for name in people(10, 3).column_names}
    )
    turned = measured(make_evidence(people(4000, 1), people(4000, 2), shuffled))
    assert all(found.position.high == 1 for found in turned.values())


def test_the_diagnosis_says_that_all_dependence_is_weaker():
    verdict = synthgate.evaluate(people(4000, 1), people(4000, 2, broken=0.6), only=["fidelity.pairs"])
    assert {d.name: d for d in verdict.diagnosis}["weakened dependence"].checks == ("fidelity.pairs",)
    assert not synthgate.evaluate(people(4000, 1), people(4000, 2), only=["fidelity.pairs"]).diagnosis
