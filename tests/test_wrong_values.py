"""Values that are written wrongly: found, and named in plain words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from synthgate.findings import Status
from synthgate.gate import evaluate
from synthgate.render import console
from synthgate.verdict import Verdict

LIGHT = ("schema", "fidelity.columns")


def population(seed: int, rows: int = 1500) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "length": rng.gamma(4.0, 6.0, rows).round(2),
            "balance": np.round(rng.lognormal(8, 0.7, rows), 0),
            "town": rng.choice(["Bern", "Graz", "Linz", "Genf"], rows, p=[0.4, 0.3, 0.2, 0.1]),
        }
    )


def judged(name: str, values: object) -> Verdict:
    spoiled = population(2)
    spoiled = spoiled.set_column(spoiled.column_names.index(name), name, pa.array(values))
    return evaluate(population(1), spoiled, only=LIGHT)


def column(name: str) -> list[object]:
    return population(2)[name].to_pylist()


@pytest.mark.parametrize("mark", ["", "NA", " n/a ", "?"])
def test_a_placeholder_among_categories_is_named(mark):
    verdict = judged("town", [mark if k % 20 == 0 else v for k, v in enumerate(column("town"))])
    (told,) = verdict.diagnosis
    assert (told.name, told.columns) == ("placeholder for missing values", ("town",))
    assert repr(mark) in told.sentence
    assert "stands for a missing value" in " ".join(console.render(verdict, color=False).split())


def test_a_code_for_missing_among_numbers_is_named():
    verdict = judged("length", [-999.0 if k % 20 == 0 else v for k, v in enumerate(column("length"))])
    (told,) = [d for d in verdict.diagnosis if d.name == "placeholder for missing values"]
    assert "-999" in told.sentence
    assert told.columns == ("length",)


@pytest.mark.parametrize("wrong", [str.upper, lambda v: v + " ", lambda v: v[:-1] + "q"])
def test_misspelt_categories_are_named(wrong):
    verdict = judged("town", [wrong(v) if k % 20 == 0 else v for k, v in enumerate(column("town"))])
    (told,) = verdict.diagnosis
    assert (told.name, told.columns) == ("misspelt categories", ("town",))


def test_a_flipped_sign_is_no_shift():
    verdict = judged("balance", [-v for v in column("balance")])
    names = {d.name: d.columns for d in verdict.diagnosis}
    assert names.get("flipped sign") == ("balance",)
    assert "shifted values" not in names


def test_changed_shares_name_the_category():
    verdict = judged("town", ["Linz" if k % 5 == 0 else v for k, v in enumerate(column("town"))])
    (told,) = verdict.diagnosis
    assert (told.name, told.columns) == ("changed shares", ("town",))
    assert "Linz in 3" in told.sentence


def test_lost_decimals_fail_where_they_are_coarse_and_are_told_where_they_are_not():
    verdict = judged("length", np.round(column("length")))
    (finding,) = [f for f in verdict["fidelity.columns"].findings if f.measured.metric == "decimals_kept"]
    assert finding.status is Status.FAIL
    assert [(d.name, d.columns) for d in verdict.diagnosis] == [("heaping or rounding", ("length",))]
    halves = [v if k % 3 else round(v) for k, v in enumerate(column("length"))]
    assert [(d.name, d.columns) for d in judged("length", halves).diagnosis] == [("lost decimals", ("length",))]
    verdict = judged("length", np.round(column("length"), 1))
    (finding,) = [f for f in verdict["fidelity.columns"].findings if f.measured.metric == "decimals_kept"]
    assert finding.status is Status.WARN
    assert verdict.passed


def test_rows_that_are_written_twice_are_named_and_natural_repeats_are_not():
    half = population(2, 400)
    twice = evaluate(population(1, 800), pa.concat_tables([half, half]), only=["coverage.modes"])
    assert [d.name for d in twice.diagnosis] == ["repeated rows"]
    few = ["town"]
    assert evaluate(population(1, 800).select(few), population(2, 800).select(few), only=["coverage.modes"]).passed
    assert evaluate(population(1, 800), population(2, 800), only=["coverage.modes"]).passed


def test_fresh_rows_lose_no_decimals_and_have_no_diagnosis():
    for seed in range(5):
        verdict = evaluate(population(seed, 200), population(seed + 50, 200), only=LIGHT)
        assert verdict.passed
        assert not verdict.diagnosis
        assert not [f for f in verdict["fidelity.columns"].findings if f.measured.metric == "decimals_kept"]
