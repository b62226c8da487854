"""Features are coded by training rows only, what gives the target away is found, and splits keep sides apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from synthgate.measures.utility.features import fit_encoder
from synthgate.measures.utility.split import determines, make_split, row_keys
from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

ROLES = {"n": Role.NUMERICAL, "c": Role.CATEGORICAL}
WORDS = {"c": ("a", "b", "c", "d")}


def side(columns):
    rows = len(next(iter(columns.values())))
    return SampleSide(rows, np.arange(rows), columns)


def sample(real, synthetic, holdout=None, roles=None, words=None, seed=0):
    roles = roles or ROLES
    return Sample(
        roles, words or WORDS, {}, side(real), side(synthetic), side(holdout) if holdout is not None else None, seed
    )


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(allow_nan=True, allow_infinity=True)),
    hnp.arrays(np.float64, 7, elements=st.floats(allow_nan=True, allow_infinity=True)),
    hnp.arrays(np.int32, 7, elements=st.integers(-1, 3)),
)
def test_any_numbers_and_any_levels_give_finite_features(train, values, levels):
    encoder = fit_encoder({"n": train, "c": np.zeros(len(train), np.int32)}, ROLES, WORDS)
    matrix = encoder.linear({"n": values, "c": levels})
    assert np.isfinite(matrix).all()
    assert len(matrix) == 7
    assert not np.isinf(encoder.tree({"n": values, "c": levels})).any()


@pytest.mark.parametrize("tiny", [5e-324, 1e-310, 1e-160])
def test_tiny_numbers_do_not_overflow(tiny):
    encoder = fit_encoder({"n": np.array([tiny, 0.0, 0.0, -tiny])}, ROLES, WORDS)
    for rows in (1, 2, 9):
        assert np.isfinite(encoder.linear({"n": np.full(rows, 1e308)})).all()


def test_what_training_never_saw_is_no_level_and_missing_is_one():
    encoder = fit_encoder({"c": np.array([0, 0, 1, -1], np.int32)}, ROLES, WORDS)
    seen = encoder.linear({"c": np.array([0, 1, -1], np.int32)})
    assert seen.sum(axis=1).tolist() == [1, 1, 1]
    assert (seen.sum(axis=0) == 1).all()
    unseen = {"c": np.array([2, 3], np.int32)}
    assert not encoder.linear(unseen).any()
    assert np.isnan(encoder.tree(unseen)).all()


def test_coding_looks_at_training_rows_only():
    rng = np.random.default_rng(0)
    encoder = fit_encoder({"n": rng.normal(size=50)}, ROLES, WORDS)
    rows = rng.normal(size=5)
    alone = encoder.linear({"n": rows})
    beside = encoder.linear({"n": np.r_[rows, 1e9, np.nan]})[:5]
    assert np.array_equal(alone, beside)


def test_many_levels_share_the_last_place():
    codes = np.repeat(np.arange(300), 2).astype(np.int32)
    words = {"c": tuple(str(k) for k in range(300))}
    encoder = fit_encoder({"c": codes}, ROLES, words)
    assert encoder.linear({"c": codes}).shape[1] <= 40


def test_text_becomes_words_when_it_is_all_there_is():
    words = {"c": ("good fine day", "bad grim day")}
    encoder = fit_encoder({"c": np.array([0, 1, 0, -1], np.int32)}, {"c": Role.TEXT}, words)
    matrix = encoder.linear({"c": np.array([0, 1, -1], np.int32)})
    assert np.isfinite(matrix).all()
    assert not np.array_equal(matrix[0], matrix[1])


def test_the_target_under_another_name_determines_it():
    rng = np.random.default_rng(0)
    celsius = rng.normal(10, 8, 200)
    grade = rng.integers(0, 6, 200)
    assert determines(celsius * 1.8 + 32, celsius)
    assert determines(-celsius, celsius)
    assert determines(rng.permutation(6)[grade].astype(np.int32), grade.astype(float))
    year = rng.integers(1950, 2020, 2000).astype(float)
    assert determines(year, year // 10)


def test_a_good_feature_does_not_determine_the_target():
    rng = np.random.default_rng(1)
    grade = rng.integers(0, 6, 400)
    nearly = np.where(rng.random(400) < 0.02, rng.integers(0, 6, 400), grade)
    assert not determines(nearly.astype(np.int32), grade.astype(float))
    assert not determines(rng.normal(size=400), grade.astype(float))
    assert not determines(np.arange(400.0), (rng.random(400) < 0.5).astype(float))
    assert not determines(np.zeros(400), grade.astype(float))
    rare = (np.arange(400) < 2).astype(float)
    assert not determines(rng.integers(0, 80, 400).astype(np.int32), rng.permutation(rare))
    coarse = (grade // 3).astype(float)
    assert not determines(coarse.astype(np.int32), grade.astype(float))


def columns(rows, seed):
    rng = np.random.default_rng(seed)
    return {"n": rng.normal(size=rows), "c": rng.integers(-1, 4, rows).astype(np.int32)}


def test_sizes_are_matched_and_capped():
    split = make_split(sample(columns(500, 0), columns(200, 1), columns(100, 2)), 1000, 1000)
    assert len(split.real) == len(split.synthetic) == 200
    assert len(split.test) == 100
    split = make_split(sample(columns(500, 0), columns(200, 1), columns(100, 2)), 50, 30)
    assert len(split.real) == len(split.synthetic) == 50
    assert len(split.test) == 30


def test_without_a_holdout_no_row_trains_and_tests():
    split = make_split(sample(columns(400, 0), columns(400, 1)), 1000, 1000)
    assert not split.has_holdout
    assert not set(split.real) & set(split.test)
    assert len(split.real) + len(split.test) == 400
    again = make_split(sample(columns(400, 0), columns(400, 1)), 1000, 1000)
    assert np.array_equal(split.test, again.test)


def test_copies_of_training_rows_leave_the_test():
    real, test = columns(300, 0), columns(100, 1)
    test["n"][:7], test["c"][:7] = real["n"][:7], real["c"][:7]
    split = make_split(sample(real, columns(300, 2), test), 1000, 1000)
    assert split.duplicates == 7
    assert split.dropped
    assert split.test.min() == 7


def test_copies_that_chance_explains_stay():
    def few(seed):
        rng = np.random.default_rng(seed)
        return {"n": rng.integers(0, 3, 300).astype(float), "c": rng.integers(0, 4, 300).astype(np.int32)}

    split = make_split(sample(few(0), few(1), few(2)), 1000, 1000)
    assert split.duplicates > 250
    assert not split.dropped
    assert len(split.test) == 300


def test_row_keys_tell_rows_apart_and_equal_missing():
    keys = row_keys({"n": np.array([1.0, np.nan, -0.0, 0.0, np.nan, 1.0]), "c": np.array([0, 1, 2, 2, 1, 1])})
    assert keys[1] == keys[4]
    assert keys[2] == keys[3]
    assert len(set(keys.tolist())) == 4


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_split_of_hardly_any_row_breaks_nothing(rows):
    split = make_split(sample(columns(rows, 0), columns(5, 1)), 1000, 1000)
    assert len(split.real) <= rows
