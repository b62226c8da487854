"""The report itself gives nobody away: no rare real value, no extreme one and no real id, in any format."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import synthgate
from synthgate.findings import Status
from synthgate.measures.fidelity.explanation import Count, _told_interval
from synthgate.render import FORMATS, console, render
from synthgate.render.html import render_fragment

RARE, SHARED, HELD = "Quuxworth", "Zyzzyvery", "Hapaxolde"
SPELLINGS = ("7319482", "7,319,482", "7.319e+06", "6052917", "6,052,917", "6.053e+06", "1901-03", "2099-11")


def planted(table: pa.Table, seed: int, jobs: dict[str, int], *, extremes: bool) -> pa.Table:
    """Give some rows a rare job, and two of them extremes in numbers and dates."""
    rng = np.random.default_rng(seed)
    job, wage, day = (np.array(table[name].to_pylist(), dtype=object) for name in ("job", "wage", "day"))
    places = iter(rng.permutation(len(job)))
    for name, rows in jobs.items():
        job[[next(places) for _ in range(rows)]] = name
    if extremes:
        wage[next(places)], wage[next(places)] = 7319482.61, -6052917.3
        day[next(places)], day[next(places)] = np.datetime64("1901-03-07").item(), np.datetime64("2099-11-23").item()
    for name, values in (("job", job), ("wage", wage), ("day", day)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(values.tolist(), table.schema.field(name).type))
    return table


@pytest.fixture(scope="module")
def real(draw_people):
    return planted(draw_people(900, 1), 1, {RARE: 4, SHARED: 3}, extremes=True)


@pytest.fixture(scope="module")
def holdout(draw_people):
    return planted(draw_people(900, 2), 2, {HELD: 5}, extremes=False)


def copies(real: pa.Table) -> pa.Table:
    """Return a table that holds half of the real rows, the planted ones among them or not as chance has it."""
    return real.take(pa.array(np.random.default_rng(5).permutation(real.num_rows)[:450]))


@pytest.fixture(
    scope="module",
    params=["copied", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("independent", "another population"))],
)
def verdict(request, real, holdout, draw_people, shuffle_columns_once, tmp_path_factory):
    fresh = draw_people(900, 3)
    synthetic = {
        "independent": planted(shuffle_columns_once(fresh), 3, {SHARED: 2}, extremes=False),
        "copied": pa.concat_tables([copies(real), fresh.slice(0, 450)]),
        "another population": fresh.set_column(2, "job", pa.array(["smith"] * 500 + ["clerk"] * 400)),
    }[request.param]
    gate = tmp_path_factory.mktemp("gate") / "synthgate.yaml"
    gate.write_text("version: 1\nconstraints: [wage < 100000, job <> 'pilot' or age > 20]\n", encoding="utf-8")
    return synthgate.evaluate(real, synthetic, holdout=holdout, target="rich", gate=gate, seed=1)


@pytest.fixture(scope="module")
def shuffle_columns_once():
    """Return a function that permutes every column on its own."""

    def shuffle(table: pa.Table) -> pa.Table:
        rng = np.random.default_rng(4)
        names = table.column_names
        return pa.table({name: table[name].take(pa.array(rng.permutation(table.num_rows))) for name in names})

    return shuffle


@pytest.fixture(scope="module")
def texts(verdict):
    kinds = {kind: render(verdict, kind) for kind in FORMATS}
    return {**kinds, "console": console.render(verdict, color=False), "notebook": render_fragment(verdict)}


def test_nobody_rare_and_nothing_extreme_is_told(verdict, texts, real, holdout):
    assessed = [check for check in verdict if check.status is not Status.NOT_ASSESSED]
    assert len(assessed) > 15, "the checks have looked at the planted rows"
    ids = [str(one) for table in (real, holdout) for one in table["id"].to_pylist()]
    for kind, text in texts.items():
        told = [word for word in (RARE, SHARED, HELD, *SPELLINGS) if word in text]
        assert told == [], kind
        assert not any(one in text for one in ids), kind
        assert len(text) > 500


def test_shares_of_fewer_than_ten_real_rows_are_not_told(verdict):
    tables = [f.measured.details["contingency"] for f in verdict["fidelity.pairs"].findings
              if "contingency" in f.measured.details]  # fmt: skip
    shares = [share for table in tables for row in table["real"] for share in row]
    assert len(shares) > 50
    assert None in shares
    assert all(share is None or share == 0 or share >= 9.9 / 900 for share in shares)


def test_a_slice_of_few_real_rows_tells_no_count():
    few = [_told_interval(Count(n, 1000, 0, 1000), 3.0, never=False) for n in (1, 9)]
    assert few[0] == few[1]
    assert few[0][0] == 0.0 < few[0][1]
    assert _told_interval(Count(10, 1000, 0, 1000), 3.0, never=False)[0] > 0.0


def test_frequent_categories_are_told(texts):
    assert "nurse" in texts["json"]
    assert "nurse" in texts["html"]


def test_page_says_so(texts):
    assert "holds no row of the real table" in texts["html"]
