"""Diagnosis: every failure mode is named where it was made, and nothing where nothing was."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.diagnosis import diagnose
from synthgate.findings import Diagnosis, Status
from synthgate.render import console, markdown
from synthgate.render.html import render as render_html

Draw = Callable[[int, int], pa.Table]
ROWS = 2000
FAMILIES = ["fidelity", "coverage"]


def told(real: pa.Table, synthetic: pa.Table, only: list[str] = FAMILIES, **more: Any) -> dict[str, Diagnosis]:
    verdict = synthgate.evaluate(real, synthetic, only=only, **more)
    return {d.name: d for d in verdict.diagnosis}


def with_column(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.fixture(scope="module")
def sides() -> tuple[pa.Table, pa.Table]:
    """Return two draws of one population with heavy tails, dates, dependence, a rare category and a label."""
    return population(1), population(2)


def population(seed: int, rows: int = ROWS) -> pa.Table:
    rng = np.random.default_rng(seed)
    height = rng.normal(170, 9, rows).round(1)
    weight = (height - 100 + rng.normal(0, 8, rows)).round(1)
    income = np.round(rng.lognormal(10, 0.6, rows) + 120 * (weight - 70), 0)
    group = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.17, 0.03])
    site = np.where(rng.random(rows) < 0.8, np.char.add("s", group), "sx")
    bought = np.datetime64("2021-03-01") + rng.integers(0, 700, rows).astype("timedelta64[D]")
    hours = np.where(rng.random(rows) < 0.45, 40, rng.integers(5, 80, rows))
    label = np.where(income + rng.normal(0, 3000, rows) > 26_000, "yes", "no")
    return pa.table(
        {
            "height": height, "weight": weight, "income": income, "group": group, "site": site,
            "bought": bought, "hours": hours, "label": label,
        }
    )  # fmt: skip


def test_fresh_rows_have_no_diagnosis(sides: tuple[pa.Table, pa.Table], draw_people: Draw) -> None:
    assert told(*sides) == {}
    assert told(draw_people(700, 1), draw_people(700, 2), holdout=draw_people(300, 3)) == {}
    assert told(population(5, 200), population(6, 200)) == {}


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1000.0, "a thousand"), (1 / 12, "twelve"), (2.54, "inches"), (1 / 100, "a hundred")],
)
def test_unit_change_names_column_and_factor(sides: tuple[pa.Table, pa.Table], factor: float, words: str) -> None:
    real, synthetic = sides
    found = told(real, with_column(synthetic, "weight", pc.multiply(synthetic["weight"], factor)), ["fidelity.columns"])
    assert found.keys() == {"unit change"}
    assert found["unit change"].columns == ("weight",)
    assert words in found["unit change"].sentence
    assert found["unit change"].confidence == "clear"


def test_an_unknown_factor_is_only_likely(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    found = told(real, with_column(synthetic, "weight", pc.multiply(synthetic["weight"], 1.83)), ["fidelity.columns"])
    assert found["unit change"].confidence == "likely"


def test_shifted_dates_are_counted_in_days(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    days = np.asarray(synthetic["bought"]) - np.timedelta64(364, "D")
    found = told(real, with_column(synthetic, "bought", days))
    assert found["shifted dates"].columns == ("bought",)
    assert "days early" in found["shifted dates"].sentence
    shift = int(found["shifted dates"].sentence.split("about ")[1].split(" ")[0])
    assert abs(shift - 364) < 25
    assert found.keys() == {"shifted dates"}


def test_shifted_values_are_not_taken_for_a_unit(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    found = told(real, with_column(synthetic, "height", pc.add(synthetic["height"], 250.0)), ["fidelity.columns"])
    assert found.keys() == {"shifted values"}
    assert "too high" in found["shifted values"].sentence


def test_heaping_names_the_base(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    heaped = np.round(np.asarray(synthetic["height"]) / 5) * 5
    found = told(real, with_column(synthetic, "height", heaped), ["fidelity.columns"])
    assert found["heaping or rounding"].columns == ("height",)
    assert "multiples of 5" in found["heaping or rounding"].sentence


def test_smoothed_spikes(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    hours = np.random.default_rng(0).normal(40, 14, ROWS).clip(5, 80).round()
    found = told(real, with_column(synthetic, "hours", hours.astype(int)), ["fidelity.columns"])
    assert found["smoothed spikes"].columns == ("hours",)


def test_clipped_and_over_smoothed_tails() -> None:
    real, synthetic = population(1, 6000), population(2, 6000)
    income = np.asarray(synthetic["income"])
    cut = with_column(synthetic, "income", np.clip(income, *np.quantile(income, [0.08, 0.92])))
    assert told(real, cut, ["coverage.ranges"])["clipped tails"].columns == ("income",)
    low, middle, high = np.quantile(income, [0.08, 0.5, 0.92])
    drawn = ((income < low) | (income > high)) & (np.random.default_rng(0).random(6000) < 0.8)
    tamed = with_column(synthetic, "income", np.where(drawn, middle, income))
    found = told(real, tamed, ["coverage.ranges"])
    assert found.keys() == {"over-smoothed tails"}
    assert found["over-smoothed tails"].columns == ("income",)


def test_independent_columns(sides: tuple[pa.Table, pa.Table], shuffle_columns: Callable[..., pa.Table]) -> None:
    real, synthetic = sides
    found = told(real, shuffle_columns(synthetic))
    assert found.keys() == {"independent columns"}
    assert found["independent columns"].columns == ()


def test_one_column_drawn_apart(sides: tuple[pa.Table, pa.Table], shuffle_columns: Callable[..., pa.Table]) -> None:
    real, synthetic = sides
    alone = with_column(synthetic, "site", shuffle_columns(synthetic)["site"].combine_chunks())
    found = told(real, alone, ["fidelity.pairs"])
    # nothing else depends on either, so which of the two was drawn apart cannot be told
    assert found["independent columns"].columns == ("group", "site")
    assert "each other" in found["independent columns"].sentence


def test_shuffled_target(sides: tuple[pa.Table, pa.Table], shuffle_columns: Callable[..., pa.Table]) -> None:
    real, synthetic = sides
    labels = with_column(synthetic, "label", shuffle_columns(synthetic)["label"].combine_chunks())
    found = told(real, labels, ["fidelity", "utility"], target="label", holdout=population(3))
    assert "shuffled or noisy target" in found
    assert found["shuffled or noisy target"].columns == ("label",)
    assert "utility.tstr" in found["shuffled or noisy target"].checks


def test_labels_that_are_wrong_in_part_are_named_with_the_part() -> None:
    def draw(seed: int, wrong: bool = False) -> pa.Table:
        rng = np.random.default_rng(seed)
        x, job = rng.normal(size=4000), rng.choice(["a", "b", "c"], 4000)
        hit = np.where(x + rng.normal(0, 0.3, 4000) > 0, "yes", "no")
        some = np.flatnonzero(job == "b")[: 600 if wrong else 0]
        hit[some] = rng.permutation(hit[some])
        return pa.table({"x": x, "job": job, "hit": hit})

    found = told(draw(1), draw(2, wrong=True), ["utility.tstr"], target="hit", holdout=draw(3))
    assert found.keys() == {"shuffled or noisy target"}
    assert found["shuffled or noisy target"].columns[0] == "hit"
    assert "the labels hit are partly wrong" in found["shuffled or noisy target"].sentence
    assert told(draw(1), draw(2), ["utility.tstr"], target="hit", holdout=draw(3)) == {}


def test_outcomes_that_follow_too_closely_are_named() -> None:
    def draw(seed: int, spread: float) -> pa.Table:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=4000)
        return pa.table({"x": x, "y": x + rng.normal(0, spread, 4000)})

    found = told(draw(1, 0.5), draw(2, 0.2), ["utility.tstr"], target="y", holdout=draw(3, 0.5))
    assert found.keys() == {"outcomes too predictable"}
    assert found["outcomes too predictable"].columns == ("y",)


def test_memorisation(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    copied = pa.concat_tables([synthetic.slice(400), real.slice(0, 400)])
    found = told(real, copied, ["privacy.copies"], holdout=population(3))
    assert found["memorisation"].confidence == "clear"
    assert found["memorisation"].checks == ("privacy.copies",)


def test_dropped_rare_cases(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    found = told(real, synthetic.filter(pc.not_equal(synthetic["group"], "d")))
    assert "dropped rare cases" in found
    assert "group" in found["dropped rare cases"].columns
    assert "mode collapse" not in found


def test_mode_collapse_or_a_missing_group(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    tall = pc.and_(pc.greater(synthetic["height"], 172), pc.is_in(synthetic["group"], pa.array(["a", "b"])))
    found = told(real, synthetic.filter(pc.invert(tall)))
    assert found.keys() & {"mode collapse", "missing group"}
    assert "independent columns" not in found


def test_impossible_combinations(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    rng = np.random.default_rng(0)
    site = np.array(synthetic["site"].to_pylist())
    wrong = (np.asarray(synthetic["group"]) == "b") & (rng.random(ROWS) < 0.3)
    found = told(real, with_column(synthetic, "site", np.where(wrong, "sa", site)), ["fidelity.detection"])
    assert found.keys() == {"impossible combinations"}
    assert set(found["impossible combinations"].columns) >= {"group", "site"}
    assert "group = 'b' and site = 'sa'" in found["impossible combinations"].sentence


def test_a_diagnosis_needs_a_failing_finding(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    verdict = synthgate.evaluate(
        real, with_column(synthetic, "weight", pc.multiply(synthetic["weight"], 10)), only=["fidelity"]
    )
    assert [d.name for d in verdict.diagnosis] == ["unit change"]
    passing = [
        replace(c, status=Status.PASS, findings=tuple(replace(f, status=Status.PASS) for f in c.findings))
        for c in verdict.checks
    ]
    assert diagnose(passing) == ()
    assert diagnose([]) == ()


def test_reports_say_it(sides: tuple[pa.Table, pa.Table]) -> None:
    real, synthetic = sides
    verdict = synthgate.evaluate(
        real, with_column(synthetic, "weight", pc.multiply(synthetic["weight"], 1000)), only=["fidelity.columns"]
    )
    result = verdict.to_dict()
    schema = json.loads((Path(__file__).parents[1] / "reports" / "result.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(result, schema)
    (diagnosis,) = result["diagnosis"]  # type: ignore[misc]  # a list with one item
    assert diagnosis["name"] == "unit change"
    assert diagnosis["columns"] == ["weight"]
    page = render_html(verdict)
    assert page.index("a thousand") < page.index('id="scores"'), "on the first screen"
    for text in (console.render(verdict, color=False), markdown.render(verdict)):
        assert "Unit change" in text
        assert "What seems to have gone wrong" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "name", "columns"),
    [
        ("date_shift__moderate", "shifted dates", {"start_date", "end_date"}),
        ("unit_change__gross", "unit change", {"fnlwgt"}),
        ("heaping__gross", "heaping or rounding", {"age"}),
        ("heaping__moderate", "heaping or rounding", {"age"}),
        ("numeric_clipped__moderate", "clipped tails", {"age", "hours-per-week", "fnlwgt"}),
        ("mode_collapse__gross", "mode collapse", set()),
        ("subgroup_missing__moderate", "missing group", {"race", "sex"}),
        ("rare_category_dropped__moderate", "dropped rare cases", {"native-country"}),
        ("all_columns_shuffled__gross", "independent columns", set()),
        ("column_shuffled__gross", "independent columns", {"relationship"}),
        ("conditional_broken_in_subgroup__gross", "impossible combinations", {"relationship"}),
    ],
)
def test_defects_are_diagnosed(shared_data: Path, defect: str, name: str, columns: set[str]) -> None:
    folder = shared_data / "defects" / "adult_plus"
    tables = [pq.read_table(folder / f"{n}.parquet") for n in ("real_train", defect, "real_holdout")]
    real, synthetic, holdout = (t.drop_columns(["person_id", "employer_id"]) for t in tables)
    found = told(real, synthetic, holdout=holdout)
    assert name in found
    assert columns <= set(found[name].columns)


def test_many_columns_make_one_diagnosis(sides: tuple[pa.Table, pa.Table]) -> None:
    _real, _synthetic = sides
    names = ["c1", "c2", "c3", "c4", "c5"]
    wide = [pa.table(dict.fromkeys(names, side["height"])) for side in sides]
    scaled = pa.table({name: pc.multiply(wide[1][name], 100.0) for name in names})
    (only,) = synthgate.evaluate(wide[0], scaled, only=["fidelity.columns"]).diagnosis
    assert only.columns == tuple(names)
    assert "likewise c4 and c5" in only.sentence
