"""Columns of many categories: names of persons, places and goods, of which fresh rows always bring further ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgate.findings import Limit, Severity, Status
from synthgate.gate import evaluate
from synthgate.judging import judge
from synthgate.measures.schema.slips import SLIP_LENGTH, Spellings
from synthgate.measures.schema.structure import dealt_chance
from synthgate.plan import PAIR_CATEGORIES, plan_column
from synthgate.roles import Role
from synthgate.values import LabelCounts
from tests.test_measures_counts import run

SYLLABLES = ("an", "be", "co", "da", "el", "fi", "ga", "ho", "in", "jo", "ka", "lu", "ma", "ne", "or", "pa")
NAMES = [(a + b + c).title() for a in SYLLABLES for b in SYLLABLES for c in ("", "s", "n", "ra")]


def draw(rows: int, seed: int, *, kinds: int, skew: float) -> pa.Table:
    """Draw rows of a name, of which there are many, a group that hangs on it, and a number."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, kinds + 1) ** skew
    names = np.random.default_rng(0).permutation(NAMES)[:kinds]
    at = rng.choice(kinds, rows, p=shares / shares.sum())
    return pa.table(
        {
            "name": pa.array(names[at].tolist()),
            "group": pa.array([f"g{k % 5}" for k in at]),
            "number": rng.normal(at % 7, 1).round(2),
        }
    )


def worst(check_id: str, evidence: object, limit: Limit) -> Status:
    """Return whether any finding that may fail does."""
    found = run(check_id, evidence).findings
    states = {judge(f.estimate, limit) for f in found if f.judged and f.estimate and f.severity is not Severity.WARN}
    return Status.FAIL if Status.FAIL in states else Status.PASS


@pytest.mark.parametrize(("kinds", "skew"), [(60, 0.0), (200, 0.0), (1000, 0.0), (300, 1.0), (1000, 0.7)])
@pytest.mark.parametrize("rows", [150, 400, 1800])
def test_fresh_rows_with_further_names_pass(make_evidence, rows, kinds, skew):
    for seed in range(3):
        real, fresh, held = (draw(rows, 10 * seed + k, kinds=kinds, skew=skew) for k in range(3))
        evidence = make_evidence(real, fresh, held if seed % 2 else None)
        for check in ("schema.categories", "schema.formats"):
            assert worst(check, evidence, Limit(max=0.0)) is Status.PASS, check
        assert worst("fidelity.pairs", evidence, Limit(min_position=0.85)) is Status.PASS


def test_equally_frequent_categories_keep_a_code_and_their_dependence_is_seen(make_evidence):
    real, fresh = draw(2000, 1, kinds=150, skew=0.0), draw(2000, 2, kinds=150, skew=0.0)
    loose = fresh.set_column(0, "name", fresh["name"].take(np.random.default_rng(3).permutation(2000)))
    found = run("fidelity.pairs", make_evidence(real, loose)).findings
    failing = {f.columns for f in found if f.judged and judge(f.estimate, Limit(min_position=0.85)) is Status.FAIL}
    assert ("name", "group") in failing
    assert worst("fidelity.pairs", make_evidence(real, fresh), Limit(min_position=0.85)) is Status.PASS


def test_categories_get_their_own_code_for_what_is_not_chance():
    def codes(counts: list[int]) -> tuple[int, bool]:
        labels = pa.array([f"k{k:04}" for k in range(len(counts))])
        values = LabelCounts.of(labels, np.array(counts, np.int64))
        plan = plan_column("x", Role.CATEGORICAL, "string", values, nullable=False, layout=None)
        return plan.shown, plan.open

    assert codes([500, 300, 1]) == (3, True), "few categories have one each, and fresh rows may hold others"
    assert codes([500, 300, 20]) == (3, False)
    assert codes([900 - 10 * k for k in range(80)]) == (PAIR_CATEGORIES, False)
    assert codes([10] * 400) == (PAIR_CATEGORIES, False)
    assert codes([2000, 1000] + [1] * 600) == (2, True), "those that occur once have none"


def test_invented_and_misspelt_categories_still_fail(make_evidence):
    real, fresh = draw(1800, 1, kinds=60, skew=0.0), draw(1800, 2, kinds=60, skew=0.0)
    names = fresh["name"].to_pylist()
    for wrong in (
        [names[0][:-1] + "q", *names[1:]],
        ["  " + names[0], *names[1:]],
        ["unknown thing"] * 40 + names[40:],
        [f"junk {k}" for k in range(30)] + names[30:],
    ):
        spoiled = fresh.set_column(0, "name", pa.array(wrong))
        assert worst("schema.categories", make_evidence(real, spoiled), Limit(max=0.0)) is Status.FAIL, wrong[:2]


def test_a_new_name_that_resembles_another_fails_by_its_rows_where_fresh_rows_bring_new_names_too(make_evidence):
    rng = np.random.default_rng(5)
    common = [NAMES[k] for k in rng.integers(0, 40, 5960)]
    real = pa.table({"name": [*common, *(f"Rare real {'xyzw'[k % 4] * (k + 3)}" for k in range(40))]})
    new = [f"{'abcdefgh'[k % 8] * (k + 4)} new" for k in range(40)]
    for rows, expected in ((1, Status.PASS), (12, Status.FAIL)):
        names = [*common[: 5960 - rows], *[NAMES[0][:-1] + "q"] * rows, *new]
        evidence = make_evidence(real, pa.table({"name": names}))
        assert worst("schema.categories", evidence, Limit(max=0.0)) is expected, rows


def test_a_flood_of_invented_names_fails_among_many_names(make_evidence):
    real, fresh = draw(1800, 1, kinds=700, skew=0.5), draw(1800, 2, kinds=700, skew=0.5)
    assert worst("schema.categories", make_evidence(real, fresh), Limit(max=0.0)) is Status.PASS
    junk = [f"Qu{k} Qu" if k % 2 else n for k, n in enumerate(fresh["name"].to_pylist())]
    evidence = make_evidence(real, fresh.set_column(0, "name", pa.array(junk)))
    assert worst("schema.categories", evidence, Limit(max=0.0)) is Status.FAIL
    upper = [n.upper() for n in fresh["name"].to_pylist()]
    evidence = make_evidence(real, fresh.set_column(0, "name", pa.array(upper)))
    assert worst("schema.categories", evidence, Limit(max=0.0)) is Status.FAIL


def test_a_misspelling_is_no_slip_of_synthetic_where_real_has_such(make_evidence):
    rng = np.random.default_rng(7)
    labels = ["Fled on foot", "Tensed", "Verbal non-compliance"]
    real = pa.table({"name": [*np.array(labels)[rng.integers(0, 3, 3000)], "tensed ", "tensed ", "TENSED", "TENSED"]})
    clean = pa.table({"name": np.array(labels)[rng.integers(0, 3, 3000)].tolist()})
    for known, expected in ((real, Status.PASS), (clean, Status.FAIL)):
        spoiled = pa.table({"name": ["Fled on Foot", *clean["name"].to_pylist()]})
        assert worst("schema.categories", make_evidence(known, spoiled), Limit(max=0.0)) is expected


def test_one_frequent_new_name_fails_among_many_rare_ones(make_evidence):
    real, fresh = draw(1800, 1, kinds=700, skew=0.5), draw(1800, 2, kinds=700, skew=0.5)
    names = fresh["name"].to_pylist()
    spoiled = fresh.set_column(0, "name", pa.array(["Retriever, Golden"] * 20 + names[20:]))
    assert worst("schema.categories", make_evidence(real, spoiled), Limit(max=0.0)) is Status.FAIL
    (found,) = run("schema.categories", make_evidence(real, spoiled)).findings
    assert "one of them in 20" in found.message


def test_a_few_fractions_among_numbers_stored_as_floats_are_told_and_many_fail(make_evidence):
    real = pa.table({"dose": np.arange(600.0) % 90})
    for wrong, severity in ((2, Severity.WARN), (40, None)):
        values = real["dose"].to_numpy().copy()
        values[:wrong] += 0.5
        (found,) = run("schema.types", make_evidence(real, pa.table({"dose": values}))).findings
        assert (found.metric, found.severity) == ("fraction_share", severity)
    whole = pa.table({"dose": pa.array(real["dose"].to_numpy().astype(int))})
    values = real["dose"].to_numpy().copy()
    values[0] += 0.5
    found = run("schema.types", make_evidence(whole, pa.table({"dose": values}))).findings
    assert [f.severity for f in found if f.metric == "fraction_share"] == [None], (
        "whole numbers by their type fail at one"
    )


def test_one_odd_shape_fails_among_codes_and_is_told_among_words(make_evidence):
    codes, words = [f"AB-{k:05}" for k in range(400)], [NAMES[k % 300] for k in range(400)]
    real = pa.table({"code": codes * 2, "word": words * 2})
    odd = pa.table({"code": [*codes[1:], "AB/1"] * 2, "word": [*words[1:], "O'Neil"] * 2})
    found = {f.columns[0]: f.severity for f in run("schema.formats", make_evidence(real, odd)).findings}
    assert found == {"code": None, "word": Severity.WARN}
    many = pa.table({"code": real["code"], "word": ["O'Neil"] * 100 + words[100:] + words})
    found = {f.columns[0]: f.severity for f in run("schema.formats", make_evidence(real, many)).findings}
    assert found == {"word": None}


def one_letter_off(a: str, b: str) -> bool:
    """Tell by definition whether two texts differ by one letter."""
    if len(a) == len(b):
        return sum(x != y for x, y in zip(a, b, strict=True)) == 1
    short, long = sorted((a, b), key=len)
    return len(long) - len(short) == 1 and any(long[:k] + long[k + 1 :] == short for k in range(len(long)))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("abC1 ", max_size=7), min_size=1, max_size=6), st.text("abC1 ", max_size=7))
def test_a_slip_is_what_its_definition_says(known, text):
    def plain(label: str) -> str:
        return " ".join(label.split(" ")).strip().casefold()

    def squeezed(label: str) -> str:
        return " ".join(part for part in plain(label).split(" ") if part)

    def is_slip(label: str) -> bool:
        a, b = squeezed(text), squeezed(label)
        long = min(len(a), len(b)) >= SLIP_LENGTH and not any(c.isdigit() for c in a + b)
        return a == b or (long and one_letter_off(a, b))

    assert Spellings(known).slip(text) == any(is_slip(label) for label in known)


def test_the_chance_of_a_deal_is_a_bound_and_not_far_off():
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 9, 120)
    labels, dealt = np.repeat(np.arange(120), counts), []
    half = len(labels) // 2
    for _ in range(4000):
        order = rng.permutation(len(labels))
        known, fresh = (
            np.bincount(labels[order[half:]], minlength=120),
            np.bincount(labels[order[:half]], minlength=120),
        )
        dealt.append(int(fresh[known == 0].sum()))
    both = LabelCounts.of(pa.array([f"k{k}" for k in range(120)]), counts.astype(np.int64))
    for rows in (30, 35, 40):
        seen, bound = float(np.mean(np.array(dealt) >= rows)), dealt_chance(both, rows, half, len(labels) - half)
        assert seen <= bound + 3 * np.sqrt(bound / 4000)
        assert bound <= 40 * max(seen, 1 / 4000)


def test_a_column_that_is_nearly_always_missing_is_judged_by_what_is_missing(make_evidence):
    def rare(there: list[float], rows: int) -> pa.Table:
        return pa.table(
            {"x": pa.array([*there, *[None] * (rows - len(there))], pa.float64()), "y": pa.array(np.arange(rows) % 7)}
        )

    real = rare([17.0, 23.0, 4.0], 400)
    fresh = run("fidelity.columns", make_evidence(real, rare([22.0], 400)))
    assert [s.subject for s in fresh.ledger.skipped] == ["x"]
    assert not [f for f in fresh.findings if f.columns == ("x",) and f.metric != "missing_value_similarity"]
    full = run("fidelity.columns", make_evidence(real, rare([22.0] * 300, 400)))
    (told,) = [f for f in full.findings if f.columns == ("x",)]
    assert judge(told.estimate, told.limit) is Status.FAIL


def test_a_column_without_a_value_in_real_has_no_type_and_no_shape(make_evidence):
    empty = pa.table({"x": pa.nulls(300), "y": pa.array(np.arange(300) % 7)})
    few = pa.table({"x": pa.array(["a", *[None] * 299]), "y": empty["y"]})
    (told,) = run("schema.types", make_evidence(empty, few)).findings
    assert told.severity is Severity.WARN
    full = pa.table({"x": pa.array(["a"] * 300), "y": empty["y"]})
    (missing,) = [f for f in run("fidelity.columns", make_evidence(empty, full)).findings if f.columns == ("x",)]
    assert judge(missing.estimate, missing.limit) is Status.FAIL


@pytest.mark.slow
def test_a_table_of_names_passes_whole():
    real, fresh = draw(600, 1, kinds=500, skew=0.4), draw(600, 2, kinds=500, skew=0.4)
    assert evaluate(real, fresh).passed
