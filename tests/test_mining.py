"""Mining: planted rules are found and few others, fresh rows keep them, and breaking them is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthgate
from synthgate.evidence import Evidence
from synthgate.findings import CheckResult, Severity, Status
from synthgate.gatefile import load_gate
from synthgate.looks import look_at
from synthgate.measures.constraints.mined import tolerated
from synthgate.mining import Mined, mine
from synthgate.mining.find_single import pattern_of
from synthgate.mining.rows import rows_of
from synthgate.scaffold import gate_yaml
from synthgate.sides import count_side
from synthgate.survey import make_plan
from synthgate.tables import open_table

DAY = np.timedelta64(1, "D")


def staff(rows: int, seed: int) -> pa.Table:
    """Draw rows with known rules, and columns that keep none."""
    rng = np.random.default_rng(seed)
    start = np.datetime64("2020-01-06") + 7 * rng.integers(0, 200, rows) * DAY + rng.integers(0, 5, rows) * DAY
    length = rng.geometric(0.02, rows) - 1
    base, bonus = rng.integers(100, 900, rows), rng.integers(0, 300, rows)
    celsius = rng.normal(15, 8, rows).round(1)
    unit = rng.choice(["a", "b", "c", "d", "e", "f"], rows)
    chief = np.array([{"a": "Ann", "b": "Bo", "c": "Cy", "d": "Di", "e": "Bo", "f": "Cy"}[u] for u in unit])
    kind = rng.choice(["full", "part"], rows, p=[0.6, 0.4])
    hours = np.where(kind == "full", rng.integers(35, 61, rows), rng.integers(1, 21, rows))
    sex = rng.choice(["F", "M"], rows)
    pregnant = np.where(sex == "F", rng.choice(["yes", "no"], rows, p=[0.4, 0.6]), "no")
    grade = rng.choice(["none", "low", "high"], rows)
    quantity, price = rng.integers(1, 40, rows), rng.uniform(1, 90, rows).round(2)
    return pa.table(
        {
            "start": start.astype("datetime64[s]"),
            "end": (start + length * DAY).astype("datetime64[s]"),
            "base": base,
            "bonus": bonus,
            "pay": base + bonus,
            "celsius": celsius,
            "fahrenheit": (1.8 * celsius + 32).round(2),
            "unit": unit,
            "chief": chief,
            "kind": kind,
            "hours": hours,
            "sex": sex,
            "pregnant": pregnant,
            "grade": grade,
            "score": pa.array(rng.normal(0, 1, rows), mask=grade == "none"),
            "quantity": quantity,
            "price": price,
            "cost": (quantity * price).round(2),
            "code": [f"X{a}-{b:04d}" for a, b in zip(unit, rng.integers(0, 9999, rows), strict=True)],
            "noise": rng.normal(0, 1, rows),
            "more noise": rng.integers(0, 50, rows),
        }
    )


PLANTED = {
    "start <= end",
    "base + bonus = pay",
    "fahrenheit = 1.8 * celsius + 32",
    "unit determines chief",
    "hours is at least 35 when kind is 'full'; at most 20 when kind is 'part'",
    "sex is 'F' when pregnant is 'yes'",
    "score is missing exactly when grade is 'none'",
    "quantity * price = cost",
    "start is always Monday to Friday",
    "start is always midnight",
    "end is always midnight",
    "code matches X[a-z]{1}-[0-9]{4}",
    "celsius has at most 1 decimal",
    "fahrenheit has at most 2 decimals",
    "price has at most 2 decimals",
    "cost has at most 2 decimals",
}


def evidence_of(real: pa.Table, holdout: pa.Table | None = None) -> Evidence:
    table = open_table(real, name="real")
    plan = make_plan(table, {}, (), {})
    side = count_side(plan, table, 0)
    other = count_side(plan, open_table(holdout, name="holdout"), 0) if holdout is not None else None
    return Evidence(plan=plan, real=side, synthetic=side, holdout=other)


def words_of(mined: Mined) -> set[str]:
    return {m.rule.words() for m in mined.rules}


def check(real: pa.Table, synthetic: pa.Table, holdout: pa.Table | None = None, **options: bool) -> CheckResult:
    verdict = synthgate.evaluate(real, synthetic, holdout=holdout, only=["constraints.mined"], **options)
    return verdict["constraints.mined"]


def test_planted_rules_are_found_and_nothing_false() -> None:
    found = words_of(mine(evidence_of(staff(1500, 1))))
    # bounds that the sampler keeps as well; everything else would be false
    assert {words for words in found if "never" not in words} == PLANTED


@pytest.mark.parametrize("seed", range(6))
def test_independent_columns_keep_no_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = {f"n{k}": rng.normal(rng.uniform(-1, 1), 1, 600) for k in range(12)}
    columns |= {f"c{k}": rng.choice(list("abcdef"), 600, p=[0.5, 0.2, 0.1, 0.1, 0.06, 0.04]) for k in range(6)}
    columns |= {f"z{k}": rng.poisson(0.3, 600) for k in range(4)}
    several = [m.rule.words() for m in mine(evidence_of(pa.table(columns))).rules if len(m.rule.columns) > 1]
    assert several == []


@pytest.mark.parametrize("seed", range(8))
def test_fresh_rows_keep_every_rule(seed: int) -> None:
    rows = (200, 500, 1500)[seed % 3]
    holdout = staff(rows, 300 + seed) if seed % 2 else None
    result = check(staff(rows, 100 + seed), staff(rows, 200 + seed), holdout)
    assert result.status is Status.PASS
    assert result.ledger.scored >= 8


def _set(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


BREAKS: dict[str, Callable[[pa.Table, np.ndarray], pa.Table]] = {
    "base + bonus = pay": lambda t, at: _set(t, "pay", np.where(at, 7, t["pay"].to_numpy())),
    "unit determines chief": lambda t, at: _set(t, "chief", np.where(at, "Zed", t["chief"].to_numpy())),
    "quantity * price = cost": lambda t, at: _set(t, "cost", np.where(at, 1.0, t["cost"].to_numpy())),
    "fahrenheit = 1.8 * celsius + 32": lambda t, at: _set(t, "celsius", np.where(at, 99.0, t["celsius"].to_numpy())),
    "start is always Monday to Friday": lambda t, at: _set(
        t, "start", np.where(at, np.datetime64("2020-01-04T00:00:00"), t["start"].to_numpy().astype("datetime64[s]"))
    ),
    "score is missing exactly when grade is 'none'": lambda t, at: _set(
        t, "grade", np.where(at, "none", t["grade"].to_numpy())
    ),
    "sex is 'F' when pregnant is 'yes'": lambda t, at: _set(
        t, "pregnant", np.where(at, "yes", t["pregnant"].to_numpy())
    ),
    "code matches X[a-z]{1}-[0-9]{4}": lambda t, at: _set(t, "code", np.where(at, "Xa-12", t["code"].to_numpy())),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_generator_that_breaks_a_rule_fails_and_is_told_how_often(rule: str) -> None:
    at = np.arange(1000) % 12 == 0
    result = check(staff(1000, 1), BREAKS[rule](staff(1000, 2), at))
    assert result.status is Status.FAIL
    told = [f.measured.message for f in result.failed]
    assert any(message.startswith(f"{rule}: broken by ") and "synthetic rows" in message for message in told), told


def test_one_row_beyond_an_edge_that_many_rows_touch_is_one_too_many() -> None:
    fresh = staff(1000, 2)
    end = fresh["end"].to_numpy().copy()
    end[3] = fresh["start"].to_numpy()[3] - 5 * DAY
    result = check(staff(1000, 1), _set(fresh, "end", end))
    assert [f.measured.columns for f in result.failed] == [("start", "end")]
    assert "broken by 1 of 1,000 synthetic rows (0.10%)" in result.failed[0].measured.message


def test_a_rule_that_the_holdout_breaks_is_dropped_and_said() -> None:
    holdout = staff(1000, 3)
    broken = BREAKS["base + bonus = pay"](holdout, np.arange(1000) < 2)
    result = check(staff(1000, 1), broken, broken)
    assert ("base + bonus = pay", "the holdout breaks it") in [(s.subject, s.reason) for s in result.ledger.skipped]
    assert not result.failed


def test_few_rows_support_no_rule() -> None:
    result = check(staff(60, 1), staff(60, 2))
    assert result.status is Status.NOT_ASSESSED
    assert "no rule was found" in result.reason


@given(st.integers(150, 3000), st.integers(50, 3000), st.floats(1e-6, 0.05))
def test_tolerance_is_the_most_that_chance_allows(known: int, fresh: int, alpha: float) -> None:
    rows = tolerated(known, fresh, alpha)

    def chance(k: int) -> float:
        return float(np.prod([(fresh - i) / (known + fresh - i) for i in range(k)]))

    assert rows == fresh or chance(rows + 1) < alpha * (1 + 1e-9)
    assert rows == 0 or chance(rows) >= alpha * (1 - 1e-9)


@given(st.lists(st.from_regex(r"[A-Z]{2}-[0-9]{1,4}\.[a-z]+\Z", fullmatch=True), min_size=1, max_size=30))
def test_a_pattern_matches_the_texts_that_it_was_learnt_from(texts: list[str]) -> None:
    regex = pattern_of(texts)
    assert regex is not None
    assert pc.match_substring_regex(pa.array(texts), f"^(?:{regex})$").to_pylist() == [True] * len(texts)


def hostile(rows: int, seed: int) -> pa.Table:
    """Draw rows with rules, under names and with values that try to get out of where they stand."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a'b", '"); DROP', "<script>\n- x: y", "# c"], rows)
    low = rng.integers(0, 50, rows)
    return pa.table(
        {
            'low"': low,
            "high'\n# x": low + rng.geometric(0.1, rows) - 1,
            "kind'; --": kind,
            'of "it"\\': [{"a'b": "x'", '"); DROP': 'y"', "<script>\n- x: y": "z\n", "# c": "z\n"}[k] for k in kind],
        }
    )


@pytest.mark.parametrize("make", [staff, hostile])
def test_an_initial_gate_file_says_the_rules_in_sql_and_real_keeps_them(
    make: Callable[[int, int], pa.Table], tmp_path: Path
) -> None:
    real = make(1200, 1)
    pq.write_table(real, tmp_path / "real.parquet")
    gate = tmp_path / "synthgate.yaml"
    gate.write_text(gate_yaml(look_at(tmp_path / "real.parquet")), encoding="utf-8")
    assert len(load_gate(gate).constraints) >= 3
    verdict = synthgate.evaluate(synthetic=make(1200, 2), gate=gate, only=["constraints"])
    declared, mined = verdict["constraints.declared"], verdict["constraints.mined"]
    assert declared.status is mined.status is Status.PASS
    assert all(f.measured.details["broken_in_real"] == 0 for f in declared.findings)
    by_sql = {f.measured.details["sql"] for f in declared.findings}
    said = {m.rule.sql(lambda _, label: "'" + label.replace("'", "''") + "'") for m in mine(evidence_of(real)).rules}
    assert by_sql == said - {None}


def test_sql_and_numpy_count_the_same_breaches() -> None:
    real, bad = staff(1000, 1), staff(1000, 2)
    for broken in BREAKS.values():
        bad = broken(bad, np.random.default_rng(len(bad.schema)).random(1000) < 0.1)
    mined = check(real, bad)
    rules = [
        (f.measured.details["sql"], f.measured.details["broken"])
        for f in mined.findings
        if f.measured.details.get("broken")
    ]
    assert len(rules) >= 6
    from synthgate.gatefile import Constraint

    gate = replace(
        load_gate(only=["constraints.declared"]),
        constraints=tuple(Constraint(sql=str(sql), name=str(sql)) for sql, _ in rules),
    )
    declared = synthgate.evaluate(real, bad, gate=gate)["constraints.declared"]
    assert [f.measured.details["broken"] for f in declared.findings] == [broken for _, broken in rules]


def test_rare_real_values_are_not_named() -> None:
    rng = np.random.default_rng(0)
    kind = np.where(np.arange(2000) < 6, "secret", rng.choice(["a", "b", "c"], 2000))
    note = np.array([{"a": "x", "b": "y", "c": "y", "secret": "hidden"}[k] for k in kind])
    table = pa.table(
        {"kind": kind, "note": note, "amount": np.where(kind == "secret", 7777777, rng.integers(0, 9, 2000))}
    )
    result = check(table, table)
    assert any("determines note" in f.measured.message for f in result.findings)
    for finding in result.findings:
        text = json.dumps([finding.measured.message, dict(finding.measured.details)])
        assert "secret" not in text
        assert "hidden" not in text
        assert "7777777" not in text


def test_harmless_breaches_are_warnings() -> None:
    real, fresh = staff(1000, 1), staff(1000, 2)
    more = _set(fresh, "noise", fresh["noise"])
    price = fresh["price"].to_numpy() + 0.001
    cost = np.round(price * fresh["quantity"].to_numpy(), 2)
    result = check(real, _set(_set(more, "price", price), "cost", cost))
    assert [f.measured.severity for f in result.findings if f.status is Status.WARN] == [Severity.WARN]
    assert not result.failed


def test_new_keys_still_have_to_go_with_one_value() -> None:
    def visits(seed: int, *, mixed: bool) -> pa.Table:
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(200) + 1000 * seed, 8)
        town = rng.choice(["Ulm", "Bonn", "Kiel"], 200)[np.repeat(np.arange(200), 8)]
        if mixed:
            town = rng.permutation(town)
        return pa.table({"patient": [f"P{p}" for p in patient], "town": town})

    assert check(visits(1, mixed=False), visits(2, mixed=False)).status is Status.PASS
    assert check(visits(1, mixed=False), visits(2, mixed=True)).status is Status.FAIL


def test_mining_is_the_same_every_time() -> None:
    first, second = (mine(evidence_of(staff(3000, 5))) for _ in range(2))
    assert [m.rule.words() for m in first.rules] == [m.rule.words() for m in second.rules]


def test_what_was_not_tried_is_said() -> None:
    rng = np.random.default_rng(0)
    wide = pa.table({f"x{k}": rng.normal(0, 1, 300) for k in range(120)})
    skipped = [s.subject for s in mine(evidence_of(wide)).skipped]
    assert any("sums and products" in subject for subject in skipped)


def test_rules_that_are_known_to_hold_are_found_in_shared_data(shared_data: Path) -> None:
    folder = shared_data / "defects" / "adult_plus"
    real, holdout = (pq.read_table(folder / f"real_{name}.parquet") for name in ("train", "holdout"))
    evidence = evidence_of(real, holdout)
    found = words_of(mine(evidence))
    assert {
        "start_date <= end_date",
        "start_date is always Monday to Friday",
        "education and education-num determine each other",
        "age is never below 17",
        "employer_id is missing exactly when occupation is '?'",
    } <= found
    assert rows_of(evidence.sample, evidence.sample.real).size == real.num_rows
    for name, failing in (("date_order_violated__subtle", True), ("benign_ids_from_one", False)):
        result = check(real, pq.read_table(folder / f"{name}.parquet"), holdout)
        assert (result.status is Status.FAIL) is failing


@pytest.mark.slow
def test_fresh_real_rows_of_shared_data_keep_mined_rules(shared_data: Path) -> None:
    seen = 0
    for fresh in sorted(shared_data.glob("*/*/synthetic/fresh_real.parquet")):
        folder = fresh.parents[1]
        real, holdout = (pq.read_table(folder / f"{name}.parquet") for name in ("train", "holdout"))
        result = check(real, pq.read_table(fresh), holdout)
        assert result.status in (Status.PASS, Status.NOT_ASSESSED, Status.WARN), (folder.name, result.reason)
        seen += 1
    assert seen >= 6


def test_an_order_by_key_and_equal_labels_are_found() -> None:
    rng = np.random.default_rng(0)
    town = rng.choice(["Ulm", "Bonn", "Kiel", "Jena"], 500)
    table = pa.table(
        {
            "id": rng.permutation(500),
            "town": town,
            "billing town": town,
            "amount": rng.normal(0, 1, 500),
        }
    )
    table = table.append_column("created", pa.array(table["id"].to_numpy() // 3 + 7))
    found = words_of(mine(evidence_of(table)))
    assert {"created never falls as id rises", "town = billing town"} <= found
    assert not any("determine" in words for words in found)


def test_columns_missing_in_the_same_rows_are_told_once() -> None:
    rng = np.random.default_rng(0)
    gone = rng.random(600) < 0.3
    table = pa.table({name: pa.array(rng.normal(0, 1, 600), mask=gone) for name in ("a", "b", "c")})
    assert "a, b and c are missing in the same rows" in words_of(mine(evidence_of(table)))


def test_month_and_elapsed_days_are_told() -> None:
    rng = np.random.default_rng(0)
    day = np.datetime64("2020-01-01") + rng.integers(0, 1000, 500) * DAY
    stay = rng.integers(0, 40, 500)
    table = pa.table(
        {"in": day, "out": day + stay * DAY, "stay": stay, "month": day.astype("datetime64[M]").astype(int) % 12 + 1}
    )
    assert {"in + stay days = out", "month is the month of in"} <= words_of(mine(evidence_of(table)))
