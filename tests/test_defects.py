"""Injectors of known defects: what each spoils, what it leaves alone, and where it does not apply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from synthgate.defects import DEFECTS, NotApplicableError, Rung, Subject, inject
from synthgate.defects.catalogue import cramers_v
from synthgate.defects.trials import subject_of
from synthgate.errors import UsageError
from synthgate.gatefile import Constraint, load_gate

HOSTILE = "a\"b'; DROP <script>\n"


def with_more(table: pa.Table, seed: int) -> pa.Table:
    """Add what the common table lacks: three columns tied only jointly, an order, a dependency, many categories."""
    rng = np.random.default_rng(seed)
    n = table.num_rows
    mail, phone = rng.random(n) < 0.5, rng.random(n) < 0.5
    end = table["day"].to_numpy().astype("datetime64[D]").astype(int) + rng.integers(0, 400, n)
    town = rng.choice([f"town {k}" for k in range(24)], n, p=np.r_[np.full(4, 0.2), np.full(20, 0.01)])
    more = {
        "mail": mail,
        "phone": phone,
        "renew": (mail ^ phone) ^ (rng.random(n) < 0.05),
        "end": pa.array(end.astype("datetime64[D]")),
        "town": town,
        "land": [t[-1] for t in town],
        HOSTILE: rng.normal(5, 2, n),
    }
    for name, values in more.items():
        table = table.append_column(name, pa.array(values))
    return table


@pytest.fixture(scope="module")
def subject(draw_people) -> Subject:
    rules = (Constraint(sql='"age" >= 0', name="age"), Constraint(sql='"end" >= "day"', name="end"))
    gate = replace(load_gate(), keys=("id",), constraints=rules)
    train, table = (with_more(draw_people(1500, seed), seed) for seed in (1, 2))
    return subject_of(gate, train, table, ("rich",))


def plain(table: pa.Table, *names: str) -> list:
    return table.select(list(names)).to_pylist()


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_spoils_what_it_says_and_rises_with_severity(subject, name):
    changed = []
    for rung in Rung:
        try:
            made = inject(name, subject, rung, 0)
        except NotApplicableError:
            continue
        assert not made.table.equals(subject.table)
        assert made.table.column_names == subject.table.column_names
        assert set(made.columns) <= set(subject.table.column_names)
        assert made.told
        if made.table.num_rows < subject.rows:
            changed.append(subject.rows - made.table.num_rows)
            continue
        touched = [n for n in subject.table.column_names if not made.table[n].equals(subject.table[n])]
        assert set(touched) <= set(made.columns) or not made.columns
        pairs = zip(subject.table.to_pylist(), made.table.to_pylist(), strict=True)
        changed.append(sum(before != after for before, after in pairs))
    assert changed, "the fixture has something for every defect"
    assert changed == sorted(changed)


@pytest.mark.parametrize("name", DEFECTS)
def test_the_same_seed_gives_the_same_table(subject, name):
    rung = next(r for r in reversed(Rung) if _applies(subject, name, r))
    one, two = (inject(name, subject, rung, 0) for _ in range(2))
    assert one.table.equals(two.table)
    assert (one.columns, one.told) == (two.columns, two.told)


def _applies(subject, name, rung) -> bool:
    try:
        inject(name, subject, rung, 0)
    except NotApplicableError:
        return False
    return True


@pytest.mark.parametrize("name", DEFECTS)
def test_no_defect_breaks_on_a_table_that_has_hardly_anything(name):
    tables = [
        pa.table({"a": pa.array([None] * 30, pa.int64())}),
        pa.table({"a": pa.array(["x"] * 30)}),
        pa.table({"a": pa.array([1.5, np.inf, np.nan] * 10), HOSTILE: pa.array([True, None, False] * 10)}),
        pa.table({"v": pa.array([[1.0, 2.0]] * 30), "t": pa.array(np.arange(30), pa.timestamp("ns", tz="UTC"))}),
        pa.table({"d": pa.array(["x", "y", None] * 10).dictionary_encode(), "i": pa.array([1, 2, 3] * 10, pa.int8())}),
    ]
    told = []
    for table in tables:
        clean = subject_of(load_gate(), table, table, (table.column_names[0],))
        for rung in Rung:
            try:
                told.append(inject(name, clean, rung, 0).told)
            except NotApplicableError as reason:
                told.append(str(reason))
    assert len(told) == 5 * len(Rung)
    assert all(told)


def test_shuffles_keep_every_distribution(subject):
    for name in ("shuffled_column", "all_columns_shuffled", "broken_pair", "correlation_shrunk", "shuffled_target"):
        made = inject(name, subject, Rung.GROSS, 0).table
        for column in ("age", "job", "wage", "rich", "town"):
            before, after = (pc.value_counts(t[column].combine_chunks()).to_pylist() for t in (subject.table, made))
            key = lambda item: (item["values"] is None, item["values"])  # noqa: E731 - a key for one sort
            assert sorted(before, key=key) == sorted(after, key=key), (name, column)


def test_copies_are_training_rows_with_keys_of_their_own(subject):
    made = inject("memorised_rows", subject, Rung.GROSS, 0).table
    known = {tuple(row.values()) for row in plain(subject.train, "age", "wage", "day", HOSTILE)}
    copies = sum(tuple(row.values()) in known for row in plain(made, "age", "wage", "day", HOSTILE))
    assert copies >= 0.25 * subject.rows
    assert made["id"].equals(subject.table["id"])


def test_near_copies_are_close_and_not_equal(subject):
    made = inject("near_copies", subject, Rung.GROSS, 0).table
    assert made["id"].equals(subject.table["id"])
    exact = set(subject.train[HOSTILE].to_pylist())
    rows = [k for k in range(subject.rows) if made["town"][k] != subject.table["town"][k]]
    assert len(rows) > 0.1 * subject.rows
    assert not [k for k in rows if made[HOSTILE][k].as_py() in exact]


def test_the_three_way_interaction_goes_and_its_pairs_stay(subject):
    made = inject("three_way_destroyed", subject, Rung.GROSS, 0)
    assert set(made.columns) == {"mail", "phone", "renew"}

    def tie(table: pa.Table, *names: str) -> float:
        codes = [table[n].combine_chunks().to_numpy(zero_copy_only=False).astype(np.intp) for n in names]
        joint = codes[0] if len(codes) == 2 else codes[0] * 2 + codes[2]
        return cramers_v(joint, codes[1])

    assert tie(subject.table, "mail", "renew", "phone") > 0.8
    assert tie(made.table, "mail", "renew", "phone") < 0.15
    assert tie(made.table, "mail", "renew") < 0.1


def test_rules_are_broken_in_the_rows_that_are_said(subject):
    made = inject("broken_constraint", subject, Rung.MODERATE, 0)
    broken = sum(row["age"] < 0 for row in plain(made.table, "age"))
    broken += sum(
        r["end"] is not None and r["day"] is not None and r["end"] < r["day"] for r in plain(made.table, "end", "day")
    )
    assert 15 <= broken <= 30
    made = inject("broken_order", subject, Rung.MODERATE, 0)
    assert made.columns == ("day", "end")
    assert sum(r["end"] < r["day"] for r in plain(made.table, "end", "day")) == 30
    made = inject("broken_dependency", subject, Rung.MODERATE, 0)
    assert set(made.columns) == {"town", "land"}
    assert sum(not r["town"].endswith(r["land"]) for r in plain(made.table, "town", "land")) == 30
    keys = inject("repeated_keys", subject, Rung.MODERATE, 0).table["id"]
    assert len(keys) - len(keys.unique()) == 30


def test_rows_are_repeated_with_their_own_keys_and_defaults_are_medians(subject):
    made = inject("repeated_rows", subject, Rung.GROSS, 0)
    assert made.table["id"].equals(subject.table["id"])
    rest = [tuple(row.values()) for row in made.table.drop_columns(["id"]).to_pylist()]
    assert len(rest) - len(set(rest)) >= 0.39 * len(rest)
    made = inject("default_value", subject, Rung.GROSS, 0)
    (name,) = made.columns
    before, after = (np.array(t[name].to_pylist(), float) for t in (subject.table, made.table))
    changed = after[(before != after) & ~np.isnan(before)]
    assert len(set(changed)) == 1
    known = np.sort(before[~np.isnan(before)])
    assert changed[0] == known[len(known) // 2]
    assert abs(len(changed) / len(known) - 0.25) < 0.02


def test_types_stay_unless_the_type_is_the_defect(subject):
    for name in sorted(set(DEFECTS) - {"wrong_type"}):
        rung = next(r for r in reversed(Rung) if _applies(subject, name, r))
        assert inject(name, subject, rung, 0).table.schema.types == subject.table.schema.types, name


def test_a_defect_says_why_it_does_not_apply(subject):
    bare = subject_of(load_gate(), subject.train.select(["wage"]), subject.table.select(["wage"]), ())
    for name, lacking in {
        "shifted_dates": "dates",
        "shuffled_target": "target",
        "shuffled_column": "depend",
        "repeated_keys": "key",
        "broken_constraint": "constraint",
        "new_category": "categories",
    }.items():
        with pytest.raises(NotApplicableError, match=lacking):
            inject(name, bare, Rung.GROSS, 0)


def test_dates_in_text_keep_their_layout(subject):
    texts = [None if d is None else d.strftime("%d.%m.%Y") for d in subject.table["day"].to_pylist()]
    table = pa.table({"day": texts, "x": np.arange(len(texts)) % 7})
    clean = subject_of(load_gate(), table, table, ())
    made = inject("shifted_dates", clean, Rung.GROSS, 0)
    assert made.columns == ("day",)
    assert all(len(text) == 10 and text[2] == text[5] == "." for text in made.table["day"].to_pylist())


def test_an_unknown_defect_is_a_usage_error(subject):
    with pytest.raises(UsageError, match="did you mean 'heaping'"):
        inject("heeping", subject, Rung.GROSS, 0)


def test_no_description_names_a_value(subject):
    values = {str(v) for n in ("job", "region", "town") for v in subject.table[n].to_pylist()}
    told = [inject(n, subject, r, 0).told for n in DEFECTS for r in Rung if _applies(subject, n, r)]
    assert len(told) > 40
    assert not [text for text in told for value in values if value in text]


def test_a_target_is_shuffled_only_where_a_group_has_it_depend_on_something():
    rng = np.random.default_rng(0)
    group, x = np.where(np.arange(2000) % 5 < 2, "fixed", "free"), rng.normal(size=2000)
    y = np.where((group == "free") & (x > 0), "yes", "no")
    tables = [pa.table({"group": group, "x": x, "y": y})] * 2
    alike = subject_of(load_gate(), *tables, ("y",))
    with pytest.raises(NotApplicableError, match="depend on another column there"):
        inject("target_shuffled_in_subgroup", alike, Rung.GROSS, 0)
