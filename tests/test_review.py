"""Expert review: which rows are shown, what the page holds, and which sign-offs count."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.cli import Exit, run_command
from synthgate.errors import GateFileError
from synthgate.findings import Outcome, Status
from synthgate.gate import review_page
from synthgate.gatefile import load_gate
from synthgate.review.page import render
from synthgate.review.signoff import read_signoff

HOSTILE = "<script>alert(1)</script>\"'&\u202e"


def with_odd_rows(table: pa.Table, places: list[int]) -> pa.Table:
    """Give some rows a region in which real farmers never live, and the wage of another age."""
    region = np.array(table["region"].to_pylist(), dtype=object)
    job = np.array(table["job"].to_pylist(), dtype=object)
    wage = np.array(table["wage"].to_pylist(), dtype=float)
    age = np.array(table["age"].to_pylist())
    job[places], region[places], age[places], wage[places] = "farmer", "south", 90, 1100.0
    for name, values in (("region", region), ("job", job), ("age", age), ("wage", wage)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(values.tolist(), table.schema.field(name).type))
    return table


@pytest.fixture(scope="module")
def tables(draw_people):
    return draw_people(1500, 1), with_odd_rows(draw_people(1500, 2), [10, 700, 1400])


def test_rows_whose_values_do_not_go_together_come_first_and_say_why(tables):
    page = review_page(*tables, rows=12)
    assert {row.number for row in page.rows[:3]} == {11, 701, 1401}
    reasons = {frozenset(reason.columns) for row in page.rows[:3] for reason in row.reasons}
    assert reasons & {frozenset(("job", "region")), frozenset(("age", "wage"))}
    assert all(reason.known < reason.expected for row in page.rows for reason in row.reasons)
    assert [row.at_random for row in page.rows] == [False] * 8 + [True] * 4
    assert page.rows[0].values[page.columns.index("region")] == "south"
    assert page.rows[0].like is None


def test_the_same_seed_shows_the_same_rows(tables):
    numbers = [[row.number for row in review_page(*tables, rows=12, seed=seed).rows] for seed in (1, 1, 2)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_real_rows_are_shown_only_when_asked_for(tables):
    real = tables[0]
    ids = set(real["id"].to_pylist())
    plain, secret = (render(review_page(*tables, rows=9, with_real=flag)) for flag in (False, True))
    assert not [name for name in ids if name in plain]
    assert "No real row is shown" in plain
    assert 1 <= len([name for name in ids if name in secret]) <= 9
    assert "This page shows real rows" in secret


def test_hostile_names_and_values_are_text(tables):
    real, synthetic = (table.rename_columns([HOSTILE, *table.column_names[1:]]) for table in tables)
    job = pa.array([HOSTILE if k % 2 else "nurse" for k in range(synthetic.num_rows)])
    synthetic = synthetic.set_column(2, "job", job)
    text = render(review_page(real, synthetic, rows=9))
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert text.count("<script>") == 1


@pytest.mark.parametrize("rows", [1, 2, 5, 400])
def test_small_tables_and_any_number_of_rows(draw_people, rows):
    page = review_page(draw_people(50, 1), draw_people(20, 2), rows=rows)
    assert len(page.rows) == min(rows, 20)
    assert len({row.number for row in page.rows}) == len(page.rows)
    one = review_page(pa.table({"a": [1.0, 2.0, 3.0]}), pa.table({"a": [None, 2.0]}, schema=pa.schema([("a", "f8")])))
    assert len(one.rows) == 2


def sign(sha, **changes):
    given = {
        "synthgate_review": 1, "verdict": "accept", "reviewer": '"Ann"', "date": '"2026-05-04"',
        "synthetic_sha256": f'"{sha}"', "real_sha256": None, "rows_shown": 30, "rows_reviewed": 28,
        "implausible": "[3, 17]", "note": None, **changes,
    }  # fmt: skip
    return "".join(f"{key}: {value}\n" for key, value in given.items() if value is not None)


def test_a_sign_off_is_read(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(sign("a" * 64, note='"odd \\u202e"'))
    found = read_signoff(path)
    assert (found.accepted, found.reviewer, found.day, found.implausible) == (True, "Ann", date(2026, 5, 4), (3, 17))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"synthgate_review": 2}, "version 2, expected 1"),
        ({"synthgate_review": None}, "expected 1"),
        ({"verdict": "maybe"}, "accept or reject"),
        ({"reviewer": None}, "nobody has signed"),
        ({"date": '"yesterday"'}, "date is"),
        ({"synthetic_sha256": '"abc"'}, "expected a SHA-256"),
        ({"synthetic_sha256": None}, "expected a SHA-256"),
        ({"rows_reviewed": 31}, "do not go together"),
        ({"rows_reviewed": 1}, "do not go together"),
        ({"implausible": "[x]"}, "no row number"),
        ({"implausible": "[true, 0]"}, "no row number"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_sign_off_that_says_something_impossible_is_refused(tmp_path, changes, told):
    path = tmp_path / "s.yaml"
    path.write_text(sign("a" * 64, **changes))
    with pytest.raises(GateFileError, match=told) as caught:
        read_signoff(path)
    assert str(path) in str(caught.value)


@pytest.fixture
def gate(tmp_path, tables):
    """A gate that requires a review of the second table, and that table's hash."""
    for name, table in zip(("real", "synthetic"), tables, strict=True):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    path = tmp_path / "synthgate.yaml"
    path.write_text(
        "real: real.parquet\nsynthetic: synthetic.parquet\nchecks:\n  review.sample: {require: true}\n"
        "  schema.columns: {}\n"
    )
    sha = synthgate.evaluate(gate=path, only=["schema.columns"]).run.synthetic.sha256
    return path, sha


@pytest.mark.parametrize(
    ("changes", "status", "outcome", "told"),
    [
        (None, Status.NOT_ASSESSED, Outcome.INCOMPLETE, "nobody has signed"),
        ({}, Status.PASS, Outcome.PASS, "accepted by Ann on 2026-05-04: 2 of 28 rows"),
        ({"verdict": "reject", "note": '"impossible ages"'}, Status.FAIL, Outcome.FAIL, "impossible ages"),
        ({"synthetic_sha256": f'"{"b" * 64}"'}, Status.NOT_ASSESSED, Outcome.INCOMPLETE, "other data"),
        ({"rows_reviewed": 5}, Status.NOT_ASSESSED, Outcome.INCOMPLETE, "5 rows, and at least 10"),
    ],
)
def test_only_a_sign_off_for_this_very_table_counts(gate, changes, status, outcome, told):
    path, sha = gate
    if changes is not None:
        (path.parent / "synthgate-review.yaml").write_text(sign(sha, **changes))
    verdict = synthgate.evaluate(gate=path, only=["review", "schema.columns"])
    assert verdict["review.sample"].status is status
    assert verdict.outcome is outcome
    assert told in verdict["review.sample"].reason


def test_a_new_sign_off_is_not_hidden_by_the_cache(gate, tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHGATE_CACHE", str(tmp_path / "cache"))
    path, sha = gate

    def judge():
        return synthgate.evaluate(gate=path, only=["review", "schema.columns"], cache=True).outcome

    assert judge() is Outcome.INCOMPLETE
    (path.parent / "synthgate-review.yaml").write_text(sign(sha))
    assert judge() is Outcome.PASS


def test_no_preset_asks_for_a_person_and_naming_the_check_does(tmp_path):
    assert "review.sample" not in [check.id for check in load_gate().checks]
    path = tmp_path / "g.yaml"
    path.write_text("checks: {review.sample: {require: true}}\n")
    assert replace(load_gate(path)).checks[-1].id == "review.sample"


def test_the_page_is_written_by_the_command(gate, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(gate[0].parent)
    assert run_command(["review", "--rows", "5", "-o", str(tmp_path / "page.html")]) == Exit.PASS
    assert "no real row" in capsys.readouterr().out
    text = (tmp_path / "page.html").read_text()
    assert len(re.findall('class="review-row"', text)) == 5
    assert gate[1] in text
    assert run_command(["review", "real.parquet", "--rows", "5"]) == Exit.UNJUDGED
    assert run_command(["review", "real.parquet", "absent.parquet"]) == Exit.UNJUDGED
