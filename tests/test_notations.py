"""Numbers as people write them: read where that is sure, told where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgate.findings import Outcome, Status
from synthgate.gate import evaluate
from synthgate.notations import number_layout, parser, write
from synthgate.verdict import Verdict

LIGHT = ("schema", "fidelity.columns")


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def plain(value: float) -> str:
    return f"{value:.2f}"


def table(path: Path, spell, seed: int, rows: int = 600) -> Path:
    rng = np.random.default_rng(seed)
    prices = np.exp(rng.normal(6, 1.5, rows))
    pc.write_csv(pa.table({"price": [spell(p) for p in prices], "kind": rng.choice(["a", "b"], rows)}), path)
    return path


def judged(folder: Path, real, synthetic) -> Verdict:
    pair = table(folder / "real.csv", real, 1), table(folder / "synthetic.csv", synthetic, 2)
    return evaluate(*pair, only=LIGHT)


@pytest.mark.parametrize(
    ("texts", "layout"),
    [
        (["1.234,50", "17,00"], "1.234,5"),
        (["1,234.5", "3"], "1,234.5"),
        (["1'234.50", "3.00"], "1'234.5"),
        (["1\u202f234,56 €", "0,10 €"], "1 234,5€"),
        (["(1,234.50)", "2.00"], "1,234.5"),
        (["12 %", "7 %"], "1234%"),
        (["€ 3,50", "€ -12,00"], "€1234,5"),
        (["1,5E+03", "2,5"], "1234,5"),
        (["0,123", "0,500"], "1234,5"),
        (["1.234.567", "12.500"], "1.234"),
        (["1,234", "999"], "1,234"),
        (["1.5", "2"], "1234.5"),
    ],
)
def test_a_notation_is_named_by_1234_5(texts, layout):
    assert number_layout(texts) == layout
    assert all(parser(layout)(text) is not None for text in texts)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["1,234", "2,500"],
        ["1,234", "1.234"],
        ["15", "2"],
        ["007,5", "12,0"],
        ["123 456 789", "555 123 456"],
        ["10.0.0.1", "10.0.0.2"],
        ["1,2,3", "1,2"],
        ["48.2, 16.3"],
        ["12 %", "7"],
        ["3,50 EUR", "3,50 USD"],
        ["2020-01-01"],
        ["5,5", "n/a"],
        ["1,5", "", "2"],
        ["11", "9", "16", "20,22"],
        ["1" * 50],
    ],
)
def test_what_may_be_something_else_has_no_notation(texts):
    assert number_layout(texts) is None


@given(
    st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 4)),
    st.sampled_from(["1.234,5", "1,234.5", "1 234,5", "1234,5 %", "€1,234.5", "1'234.5"]),
)
def test_what_is_written_is_read_again(value, layout):
    layout = layout.replace(" %", "%")
    assert parser(layout)(write(value, layout)) == value


def test_texts_in_another_notation_are_no_numbers():
    read = parser("1.234,5")
    assert [read(text) for text in ("17.5", "1,234.5", "17 %", "nan", "x", "1.23,4", "1_000")] == [None] * 7


@pytest.mark.parametrize(
    "spell", [german, lambda p: f"${p:,.2f}", lambda p: f"{p:.1f} %", lambda p: plain(p).replace(".", ",")]
)
def test_a_column_in_one_notation_is_compared_as_numbers(tmp_path, spell):
    verdict = judged(tmp_path, spell, spell)
    assert verdict.run.roles["price"] == "numerical"
    assert verdict.outcome is Outcome.PASS
    assert any("read as numbers" in note for note in verdict.run.notes)
    metrics = {f.measured.metric for f in verdict["fidelity.columns"].findings if f.measured.columns == ("price",)}
    assert "ks_complement" in metrics


def test_a_wrong_distribution_in_a_notation_fails(tmp_path):
    verdict = judged(tmp_path, german, lambda p: german(3 * p))
    assert verdict["schema.types"].status is Status.PASS
    assert verdict["fidelity.columns"].status is Status.FAIL


@pytest.mark.parametrize(
    ("real", "synthetic", "words"),
    [
        (german, plain, "written like 1234.5, in real like 1.234,5"),
        (plain, german, "written like 1.234,5, in real like 1234.5"),
        (german, lambda p: german(p) + " €", "written like 1.234,5€, in real like 1.234,5"),
    ],
)
def test_another_notation_in_synthetic_fails_in_words(tmp_path, real, synthetic, words):
    types = judged(tmp_path, real, synthetic)["schema.types"]
    assert types.status is Status.FAIL
    assert words in types.findings[0].measured.message


@pytest.mark.parametrize(
    ("spell", "words"),
    [
        (lambda p: f"{p % 900 + 1:.3f}".replace(".", ","), "not which of"),
        (lambda p: "n/a" if p < 200 else plain(p), "'n/a'"),
    ],
)
def test_what_looks_like_numbers_and_is_read_as_text_is_told(tmp_path, spell, words):
    types = judged(tmp_path, spell, spell)["schema.types"]
    assert types.status is Status.WARN
    (found,) = [f.measured for f in types.findings if f.measured.metric == "numbers_as_text"]
    assert words in found.message


def test_a_rare_text_among_numbers_is_not_named(tmp_path):
    secrets = iter(["anna was here"])
    types = judged(tmp_path, lambda p: next(secrets, plain(p)), plain)["schema.types"]
    assert any(f.measured.metric == "numbers_as_text" for f in types.findings)
    assert all("anna" not in f.measured.message for f in types.findings)


def test_codes_of_digits_are_no_numbers(tmp_path):
    verdict = judged(tmp_path, lambda p: f"{p:08.0f}", lambda p: f"{p:08.0f}")
    assert verdict.run.roles["price"] != "numerical"
    assert verdict["schema.types"].status is Status.PASS


def test_numbers_that_a_typed_table_stores_as_text_are_compared():
    def frame(seed: int) -> pa.Table:
        return pa.table({"x": [f"{v:.6f}" for v in np.random.default_rng(seed).normal(size=1500)]})

    verdict = evaluate(frame(1), frame(2), only=LIGHT)
    assert verdict.run.roles["x"] == "numerical"
    assert verdict["fidelity.columns"].status is Status.PASS
    one = evaluate(frame(1), pa.table({"x": ["0.000001"] * 1500}), only=LIGHT)
    assert one["fidelity.columns"].status is Status.FAIL


def test_a_target_of_few_texts_stays_a_class():
    rng = np.random.default_rng(3)
    table = pa.table({"rate": rng.choice(["10 %", "20 %", "30 %"], 200), "x": rng.normal(size=200)})
    assert evaluate(table, table, target="rate", only=["schema"]).run.roles["rate"] == "categorical"
