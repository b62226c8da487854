"""Detection: models that tell sides apart, and slices that name where they differ."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthgate
from synthgate.evidence import Evidence
from synthgate.findings import Json, Measured, Measurement
from synthgate.measures.fidelity.detection import detection, score_of
from synthgate.measures.fidelity.explanation import explain
from synthgate.measures.fidelity.rules import Half, Rule, column_sets, evidence_of, excess, search
from synthgate.measures.fidelity.slicing import Slicer, slicers
from synthgate.roles import Role
from synthgate.statistics.intervals import newcombe, scaled_difference, wilson

MakeEvidence = Callable[..., Evidence]
Draw = Callable[[int, int], pa.Table]
OPTIONS = {"max_rows": 6000}


def slices(result: Measurement) -> list[Measured]:
    return [f for f in result.findings if f.metric == "misplaced_share"]


def joint(result: Measurement) -> list[Measured]:
    return [f for f in slices(result) if f.judged]


def low(found: Measured) -> float:
    assert found.estimate is not None
    return found.estimate.low


def with_column(table: pa.Table, name: str, values: object) -> pa.Table:
    at = table.column_names.index(name)
    return table.set_column(at, name, pa.array(values))


def switches(rows: int, seed: int, *, right: bool) -> pa.Table:
    """Draw three switches of which every two are independent; the third follows from the others when `right`."""
    rng = np.random.default_rng(seed)
    a, b, c = (rng.integers(0, 2, rows) for _ in range(3))
    third = a ^ b if right else c
    words = np.array(["no", "yes"])
    noise = rng.normal(size=rows).round(3)
    return pa.table({"mail": words[a], "phone": words[b], "renew": words[third], "noise": noise})


def test_fresh_rows_cannot_be_told_apart(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    result = detection(make_evidence(draw_people(1500, 1), draw_people(1500, 2), draw_people(800, 3)), OPTIONS)
    assert result.score is not None
    assert result.score.position is not None
    assert result.score.value > 0.85
    assert result.score.position.low > 0.7
    assert [f.message for f in joint(result) if low(f) > 0] == []
    assert result.power is not None
    assert "AUC" in result.power


def unlike(result: Measurement) -> Measured:
    (found,) = [f for f in result.findings if f.metric == "unlike_any_real_share"]
    return found


def answers(rows: int, seed: int) -> pa.Table:
    """Draw ten answers of one mood."""
    rng = np.random.default_rng(seed)
    mood = rng.normal(size=rows)
    return pa.table({f"q{k}": np.round(mood + 0.4 * rng.normal(size=rows), 1) for k in range(10)})


def test_rows_of_noise_are_unlike_any_real_one_though_no_column_shows_them(make_evidence: MakeEvidence) -> None:
    fresh = answers(3000, 2)
    noisy = [
        np.random.default_rng(k).permutation(np.asarray(fresh[name])[:120]) for k, name in enumerate(fresh.schema.names)
    ]
    mixed = pa.concat_tables([pa.table(dict(zip(fresh.schema.names, noisy, strict=True))), fresh.slice(120)])
    for holdout in (answers(3000, 3), None):
        result = detection(make_evidence(answers(6000, 1), mixed, holdout), OPTIONS)
        assert low(unlike(result)) > 0.01
        assert not [f for f in joint(result) if low(f) > 0.01]
        assert low(unlike(detection(make_evidence(answers(6000, 1), fresh, holdout), OPTIONS))) <= 0


def test_of_few_rows_none_is_called_unlike_any_real_one(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    result = detection(make_evidence(draw_people(400, 1), draw_people(400, 2), draw_people(400, 3)), OPTIONS)
    assert not [f for f in result.findings if f.metric == "unlike_any_real_share"]


def test_independent_columns_are_told_apart_and_named(
    make_evidence: MakeEvidence, draw_people: Draw, shuffle_columns: Callable[..., pa.Table]
) -> None:
    result = detection(make_evidence(draw_people(2000, 1), shuffle_columns(draw_people(2000, 2))), OPTIONS)
    assert result.score is not None
    assert result.score.value < 0.5
    worst = joint(result)[0]
    assert low(worst) > 0.01
    # only farmers live in the north, and all who do not live in the west do
    assert set(worst.columns) >= {"job", "region"}


def test_a_joint_of_three_that_no_pair_shows_is_found(make_evidence: MakeEvidence) -> None:
    evidence = make_evidence(switches(1200, 1, right=True), switches(1200, 2, right=False))
    result = detection(evidence, OPTIONS)
    first = joint(result)[0]
    assert set(first.columns) == {"mail", "phone", "renew"}
    assert first.details["never_in_real"] is True
    assert low(first) > 0.01
    assert "in none of 1,200 real rows" in first.message
    assert first.details["rule"] in first.message
    # four combinations are impossible, and each is told once
    impossible = [f.details["rule"] for f in joint(result) if f.details["never_in_real"]]
    assert len(impossible) == len(set(impossible)) == 4


def test_a_missing_group_is_named_by_its_condition(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    synthetic = draw_people(3000, 2)
    gone = pc.and_(pc.equal(synthetic["job"], "nurse"), pc.equal(synthetic["region"], "west"))
    result = detection(make_evidence(draw_people(3000, 1), synthetic.filter(pc.invert(gone))), OPTIONS)
    worst = joint(result)[0]
    assert worst.columns == ("job", "region")
    assert worst.details["direction"] == "too few"
    assert worst.details["rule"] == "job = 'nurse' and region = 'west'"
    assert worst.details["found"] == 0
    assert low(worst) > 0.01


def test_one_column_alone_comes_last_and_is_not_judged(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    synthetic = draw_people(2000, 2)
    synthetic = with_column(synthetic, "age", pc.multiply(synthetic["age"], 3))
    found = slices(detection(make_evidence(draw_people(2000, 1), synthetic), OPTIONS))
    alone = [f for f in found if len(f.columns) == 1]
    assert alone
    assert alone[0].columns == ("age",)
    assert not any(f.judged for f in alone)
    assert all("fidelity.columns" in f.message for f in alone)
    assert found[-len(alone) :] == alone


def test_copies_of_real_rows_do_not_matter(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    real = draw_people(800, 1)
    result = detection(make_evidence(real, real), OPTIONS)
    assert result.score is not None
    assert result.score.value == 1.0
    assert joint(result) == []


def test_written_precision_gives_nothing_away(make_evidence: MakeEvidence) -> None:
    rng = np.random.default_rng(0)
    real = pa.table({"a": rng.normal(50, 10, 1500).round(), "b": rng.normal(size=1500).round(2)})
    synthetic = pa.table({"a": rng.normal(50, 10, 1500), "b": rng.normal(size=1500)})
    result = detection(make_evidence(real, synthetic), OPTIONS)
    assert result.score is not None
    assert result.score.value > 0.85


def test_ids_texts_and_keys_are_left_out_and_said(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    result = detection(make_evidence(draw_people(300, 1), draw_people(300, 2), keys=("day",)), OPTIONS)
    left_out = {skip.subject: skip.reason for skip in result.ledger.skipped}
    assert left_out.keys() >= {"id", "day"}
    assert "keys" in left_out["day"]
    assert not {c for f in result.findings for c in f.columns} & {"id", "day"}


@pytest.mark.parametrize("rows", [1, 20])
def test_too_few_rows_are_not_assessed(make_evidence: MakeEvidence, draw_people: Draw, rows: int) -> None:
    result = detection(make_evidence(draw_people(500, 1), draw_people(rows, 2)), OPTIONS)
    assert result.not_assessed is not None
    assert "rows" in result.not_assessed


def test_the_same_seed_gives_the_same_result(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    real, synthetic = draw_people(600, 1), draw_people(600, 2)
    first, again, other = (
        detection(make_evidence(real, synthetic, seed=seed), {"max_rows": 400}) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.score != other.score


def test_rows_used_are_stated(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    result = detection(make_evidence(draw_people(700, 1), draw_people(400, 2)), {"max_rows": 300})
    assert result.details["rows"] == 300
    assert result.power is not None
    assert "300 rows of either side" in result.power


def test_no_rare_real_value_is_shown(make_evidence: MakeEvidence, draw_people: Draw) -> None:
    real, synthetic = draw_people(1500, 1), draw_people(1500, 2)
    rare = [f"secret-{k}" for k in range(9)]
    jobs = real["job"].to_pylist()
    jobs[: len(rare)] = rare
    real = with_column(real, "job", jobs)
    real = with_column(real, "age", [123_456_789, *real["age"].to_pylist()[1:]])
    # nearly everybody in synthetic has a rare job, so the slices are about them
    synthetic = with_column(synthetic, "job", [rare[k % 9] for k in range(1500)])
    result = detection(make_evidence(real, synthetic), OPTIONS)
    shown = repr(result)
    assert "frequent values" in shown
    assert "secret" not in shown
    assert "123456789" not in shown
    assert "1.23457e+08" not in shown


def test_small_real_counts_are_not_told_exactly(make_evidence: MakeEvidence) -> None:
    real, synthetic = switches(1200, 1, right=True), switches(1200, 2, right=False)
    wrong = pa.table({name: real[name].take(pa.array(range(6))) for name in real.column_names})
    flipped = ["no" if v == "yes" else "yes" for v in wrong["renew"].to_pylist()]
    real = pa.concat_tables([real, with_column(wrong, "renew", flipped)])
    found = joint(detection(make_evidence(real, synthetic), OPTIONS))
    some = [f for f in found if not f.details["never_in_real"] and f.details["direction"] == "too many"]
    assert some
    assert all("fewer than 10 of" in f.message and f.details["real_share"] is None for f in some)


def test_wide_tables_are_searched_in_part_and_it_is_said(make_evidence: MakeEvidence) -> None:
    rng = np.random.default_rng(0)
    sides = [pa.table({f"c{k}": rng.choice(["a", "b"], 300) for k in range(40)}) for _ in range(2)]
    result = detection(make_evidence(*sides), OPTIONS)
    told = {skip.subject: skip.reason for skip in result.ledger.skipped}
    assert "of 9,880 triples" in told["slices of triples"]


def test_odd_columns_break_nothing(make_evidence: MakeEvidence) -> None:
    rng = np.random.default_rng(0)

    def table(rows: int) -> pa.Table:
        return pa.table(
            {
                "constant": ["x"] * rows,
                "gone": pa.nulls(rows, pa.float64()),
                "infinite": np.where(rng.random(rows) < 0.1, np.inf, rng.normal(size=rows)),
                "huge": rng.normal(size=rows) * 1e300,
                "tiny": rng.normal(size=rows) * 1e-300,
                "flag": pa.array(rng.random(rows) < 0.3, mask=rng.random(rows) < 0.2),
                "a'b\n<script>": rng.choice(["'; --", "\x00", "ok"], rows),
            }
        )

    result = detection(make_evidence(table(300), table(300)), OPTIONS)
    assert result.score is not None
    assert 0 <= result.score.value <= 1


@pytest.mark.parametrize("holdout", [False, True])
def test_random_splits_give_no_false_alarm(make_evidence: MakeEvidence, draw_people: Draw, *, holdout: bool) -> None:
    for seed in range(6):
        rows = (150, 600, 2000)[seed % 3]
        sides = [draw_people(rows, 10 * seed + k) for k in range(3 if holdout else 2)]
        result = detection(make_evidence(*sides), OPTIONS)
        assert result.score is not None
        assert result.score.position is not None
        assert result.score.position.high >= 0.2
        assert [f.message for f in joint(result) if low(f) > 0.01] == []


@given(
    st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.5, 7.0, 40.0, float("nan")]), min_size=20, max_size=200),
    st.integers(0, 2**16),
)
@settings(max_examples=40)
def test_every_class_reads_as_what_it_holds(values: list[float], seed: int) -> None:
    column = np.array(values + np.random.default_rng(seed).normal(20, 5, 60).round(1).tolist())
    counted = np.asarray(column[~np.isnan(column)])
    from synthgate.measures.fidelity.slicing import _cuts
    from synthgate.values import NumberCounts

    slicer = Slicer("x", Role.NUMERICAL, cuts=_cuts(NumberCounts.of(counted), Role.NUMERICAL))
    codes = slicer.encode(column, ())
    for code in np.unique(codes):
        words = slicer.words(int(code), int(code))
        inside = column[codes == code]
        if words == "x is missing":
            assert np.isnan(inside).all()
            continue
        if words == "x is present":
            assert not np.isnan(inside).any()
            continue
        for part in words.split(" and "):
            _, sign, number = part.split(" ")
            bound = float(number)
            holds = {">": inside > bound, ">=": inside >= bound, "<": inside < bound, "<=": inside <= bound}
            assert (holds[sign] if sign in holds else np.isclose(inside, bound)).all(), (words, inside)


def test_frequent_values_stand_alone(make_evidence: MakeEvidence) -> None:
    rng = np.random.default_rng(0)
    gain = np.where(rng.random(900) < 0.8, 0, rng.integers(100, 9000, 900))
    evidence = make_evidence(pa.table({"gain": gain}), pa.table({"gain": gain}))
    (slicer,) = slicers(evidence.sample, ["gain"])
    (zero,) = np.unique(slicer.encode(np.zeros(3), ()))
    assert slicer.words(int(zero), int(zero)) == "gain = 0"
    (near,) = np.unique(slicer.encode(np.array([1.0, 50.0]), ()))
    assert slicer.words(int(near), int(near)).startswith("gain > 0")


def test_a_rule_adds_to_those_before() -> None:
    rng = np.random.default_rng(0)
    real = rng.integers(0, 3, (4, 3000))
    synthetic = rng.integers(0, 3, (4, 3000))
    wrong = rng.random(3000) < 0.3
    synthetic[0, wrong] = 2
    synthetic[1, wrong] = (synthetic[2, wrong] + 1) % 3
    cut = [Slicer(f"c{k}", Role.CATEGORICAL, values=("a", "b")) for k in range(4)]
    found = search(Half(synthetic, real), cut, rng)
    assert found
    assert len({rule.box for rule in found}) == len(found)
    half, sizes = Half(synthetic, real), [4] * 4
    is_raked = False
    for rule in found:
        if rule.order > 1 and not is_raked:
            half.rake(sizes)
            is_raked = True
        inside = (rule.holds(synthetic), rule.holds(real))
        shares = [np.array([float(w[i].sum()) / 3000]) for w, i in zip(half.weights, inside, strict=True)]
        assert evidence_of(*shares, (3000, 3000))[0] > 15, "still differs once those before are weighed away"
        half.explain(inside)
    assert is_raked


def test_column_sets_are_all_of_a_narrow_table_and_a_draw_of_a_wide_one() -> None:
    sets, there = column_sets(5, np.random.default_rng(0))
    assert len(sets) == 10 + 10
    assert there == {2: 10, 3: 10}
    sets, there = column_sets(200, np.random.default_rng(0))
    assert there[3] == 1_313_400
    assert len(sets) <= 4000
    assert len(set(sets)) == len(sets)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(50, 500), st.integers(50, 500))
def test_scaled_difference_is_newcombes_at_factor_one(a: int, b: int, n: int, m: int) -> None:
    assert scaled_difference((a, b), (n, m), 1.0) == pytest.approx(newcombe((a, b), (n, m)))


def test_scaled_difference_covers() -> None:
    rng = np.random.default_rng(0)
    for p, q in ((0.05, 0.01), (0.03, 0.0), (0.3, 0.2)):
        a, b = rng.binomial(800, p, 2000), rng.binomial(1600, q, 2000)
        ends = [scaled_difference((int(x), int(y)), (800, 1600), 2.0) for x, y in zip(a, b, strict=True)]
        covered = np.mean([first <= p - 2 * q <= last for first, last in ends])
        assert covered > 0.93, (p, q, covered)


def test_excess_and_evidence() -> None:
    shares = np.array([0.1, 0.02, 0.05]), np.array([0.02, 0.1, 0.05])
    assert excess(*shares) == pytest.approx([0.06, 0.06, -0.05])
    evidence = evidence_of(*shares, (1000, 1000))
    assert evidence[2] == pytest.approx(0.0, abs=1e-9)
    # the likelihood ratio statistic of 100 against 20 rows with equal chances, by hand
    assert evidence[0] == pytest.approx(2 * (100 * np.log(100 / 60) + 20 * np.log(20 / 60)))


def test_the_score_is_the_detection_score_of_sdmetrics() -> None:
    for auc in (0.3, 0.5, 0.61, 0.9, 1.0):
        assert score_of(auc) == pytest.approx(1 - (2 * max(0.5, auc) - 1))


def test_shares_and_counts_of_a_slice_agree(make_evidence: MakeEvidence) -> None:
    evidence = make_evidence(switches(1000, 1, right=True), switches(1000, 2, right=False))
    for found in explain(evidence, ["mail", "phone", "renew"]).findings:
        details: dict[str, Json] = dict(found.details)
        inside, rows = int(str(details["found"])), int(str(details["of"]))
        assert details["synthetic_share"] == pytest.approx(inside / rows)
        first, last = details["synthetic_interval"]  # type: ignore[misc]  # two ends
        assert first < inside / rows < last
        wide, narrow = last - first, np.subtract(*wilson(inside, rows)[::-1])
        assert wide > narrow, "many slices are told, so each interval is wider than its own"


def test_a_rule_holds_where_its_conditions_do() -> None:
    codes = np.array([[0, 1, 2, 3], [1, 1, 0, 1]])
    assert Rule(((0, 1, 2), (1, 1, 1))).holds(codes).tolist() == [False, True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "columns"),
    [
        ("conditional_broken_in_subgroup__gross", {"relationship"}),
        ("three_way_destroyed__gross", {"opt_mail", "opt_phone", "opt_renew"}),
        ("column_shuffled__moderate", {"relationship"}),
        ("column_shuffled__gross", {"relationship"}),
        ("correlation_shrunk__moderate", {"age"}),
        ("correlation_shrunk__gross", {"age"}),
        ("subgroup_missing__moderate", {"race", "sex"}),
        ("target_shuffled__gross", {"income"}),
        ("label_noise__gross", {"income"}),
    ],
)
def test_defects_are_found_and_named(shared_data: Path, defect: str, columns: set[str]) -> None:
    folder = shared_data / "defects" / "adult_plus"
    sides = [pq.read_table(folder / f"{n}.parquet") for n in ("real_train", defect, "real_holdout")]
    real, synthetic, holdout = (t.drop_columns(["person_id", "employer_id"]) for t in sides)
    check = synthgate.evaluate(real, synthetic, holdout=holdout, only=["fidelity.detection"])["fidelity.detection"]
    assert check.status == "fail"
    assert columns & {c for f in check.failed for c in f.measured.columns}
