"""Keys of several columns: foreign keys that take them, primary keys across tables, what is missing, what is joined."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthgate
from synthgate.bridges.sdv import read_tables_metadata, write_tables_metadata
from synthgate.canonical import Numbers, to_labels
from synthgate.errors import DataError, GateFileError
from synthgate.findings import Outcome, Status
from synthgate.gatefile import load_gate
from synthgate.joints import joint_labels
from synthgate.links import Relationship
from synthgate.roles import Role
from synthgate.survey import make_plan
from synthgate.tables import open_table

LINKS = (
    Relationship("orders", "lines", "order_id", "order_id"),
    Relationship("lines", "shipments", ("order_id", "line_no"), ("order_id", "line_no")),
)


def shop(orders: int, seed: int) -> dict[str, pa.Table]:
    """Draw orders, their numbered lines, and what was shipped for a line; some shipments name no line."""
    rng = np.random.default_rng(seed)
    many = rng.geometric(0.4, orders)
    order = np.repeat(np.arange(orders) + 100_000 * seed, many)
    line = np.concatenate([np.arange(k) + 1 for k in many])
    kind = rng.choice(["book", "lamp", "sofa"], len(order), p=[0.5, 0.3, 0.2])
    own = np.repeat(np.arange(len(order)), rng.geometric(np.where(kind == "sofa", 0.3, 0.7)) - 1)
    level = np.array([{"book": 1.0, "lamp": 5.0, "sofa": 60.0}[k] for k in kind])
    number = np.where(rng.random(len(own)) < 0.05, np.nan, line[own].astype(float))
    return {
        "orders": pa.table({"order_id": np.arange(orders) + 100_000 * seed, "vip": rng.random(orders) < 0.2}),
        "lines": pa.table({"order_id": order, "line_no": line, "kind": kind}),
        "shipments": pa.table(
            {
                "shipment_id": np.arange(len(own)) + 1_000_000 * seed,
                "order_id": order[own],
                "line_no": pa.array(number, mask=np.isnan(number)),
                "weight": np.round(level[own] + rng.gamma(2, 0.5, len(own)), 2),
            }
        ),
    }


def gate(**changes):
    return replace(load_gate(only=["relations", "schema"]), relationships=LINKS, **changes)


def changed(tables, table, **columns):
    kept = {name: tables[table][name] for name in tables[table].column_names}
    return {**tables, table: pa.table({**kept, **columns})}


@pytest.fixture(scope="module")
def sides():
    return shop(700, 1), shop(700, 2), shop(700, 3)


def judged(sides, synthetic, policy):
    return synthgate.evaluate(sides[0], synthetic, holdout=sides[2], gate=policy)


def test_fresh_tables_pass_and_both_links_are_compared(sides):
    verdict = judged(sides, sides[1], gate())
    assert verdict.passed, verdict
    keys = [f.measured for f in verdict["relations.foreign_keys"].findings if f.measured.metric == "orphan_share"]
    assert {key.columns for key in keys} == {("order_id",), ("order_id", "line_no")}
    assert {key.details["parent"] for key in keys} == {"orders.order_id", "lines.(order_id, line_no)"}
    sizes = verdict["relations.cardinality"].findings
    assert ("order_id", "line_no") in {f.measured.columns for f in sizes}
    pairs = {f.measured.columns for f in verdict["relations.pairs"].findings}
    assert ("weight", "lines.kind") in pairs
    assert not any(above in ("lines.line_no", "lines.order_id") for _, above in pairs)  # copied, so no news
    assert verdict.run.roles["shipments.order_id"] == "id"  # as in the parent
    assert verdict.run.roles["shipments.line_no"] == "numerical"


def test_one_orphan_fails_though_each_column_alone_names_values_that_are_there(sides):
    numbers = sides[1]["shipments"]["line_no"].to_pylist()
    most = dict.fromkeys(sides[1]["lines"]["order_id"].to_pylist(), 0)
    for order, line in zip(*(sides[1]["lines"][n].to_pylist() for n in ("order_id", "line_no")), strict=True):
        most[order] = max(most[order], line)
    owner = sides[1]["shipments"]["order_id"].to_pylist()
    at = next(k for k, order in enumerate(owner) if numbers[k] is not None and most[order] == 1)
    numbers[at] = 2.0
    verdict = judged(sides, changed(sides[1], "shipments", line_no=numbers), gate())
    (wrong,) = [f for f in verdict["relations.foreign_keys"].findings if f.status is Status.FAIL]
    assert wrong.measured.columns == ("order_id", "line_no")
    assert wrong.measured.message.startswith("1 of ")


def test_a_row_that_lacks_one_column_names_no_parent(sides):
    found = judged(sides, sides[1], gate())["relations.foreign_keys"].findings
    (gaps,) = [
        f.measured for f in found if f.measured.metric == "missing_link_similarity" and len(f.measured.columns) > 1
    ]
    share = sides[1]["shipments"]["line_no"].null_count / sides[1]["shipments"].num_rows
    assert f"{share:.2%} of the rows name no parent in synthetic" in gaps.message
    none = changed(sides[1], "shipments", line_no=pa.nulls(sides[1]["shipments"].num_rows, pa.float64()))
    assert judged(sides, none, gate())["relations.foreign_keys"].status is Status.FAIL


def test_links_dealt_at_random_lose_cardinality_and_dependence(sides):
    lines, shipped = sides[1]["lines"], sides[1]["shipments"]
    drawn = np.random.default_rng(0).integers(0, lines.num_rows, shipped.num_rows)
    bad = changed(sides[1], "shipments", order_id=lines["order_id"].take(drawn),
                  line_no=lines["line_no"].take(drawn).cast(pa.float64()))  # fmt: skip
    failed = {check.id for check in judged(sides, bad, gate()).failures()}
    assert {"relations.cardinality", "relations.pairs"} <= failed


def test_a_key_of_several_columns_belongs_to_the_one_table_that_is_named(sides, tmp_path):
    path = tmp_path / "synthgate.yaml"
    ends = "{child: [shipments.order_id, shipments.line_no], parent: [lines.order_id, lines.line_no]}"
    relationship = f"relationships: [{ends}]\n"
    path.write_text(relationship + "key: [[lines.order_id, lines.line_no]]\n")
    policy = load_gate(path, only=["schema.keys", "relations.foreign_keys"])
    assert judged(sides, sides[1], policy).passed
    twice = pa.concat_tables([sides[1]["lines"], sides[1]["lines"].slice(0, 1)])
    verdict = judged(sides, {**sides[1], "lines": twice}, policy)
    assert {check.id for check in verdict.failures()} == {"schema.keys"}
    for key, match in (
        ("[[order_id, line_no]]", "several tables: lines, shipments"),
        ("[[lines.order_id, shipments.line_no]]", "name columns of one table"),
        ("[[order_id, line_nr]]", "line_no"),
    ):
        path.write_text(f"key: {key}\n")
        with pytest.raises(GateFileError, match=match):
            judged(sides, sides[1], load_gate(path))


@pytest.mark.parametrize(
    ("relationship", "match"),
    [
        ("{child: [shipments.order_id], parent: [lines.order_id, lines.line_no]}", "as many"),
        ("{child: [shipments.order_id, orders.order_id], parent: [lines.order_id, lines.line_no]}", "expected a table"),
        ("{child: [shipments.order_id, shipments.order_id], parent: [lines.order_id, lines.line_no]}", "expected a"),
        ("{child: [], parent: []}", "expected a table and its column"),
        ("{child: [shipments.order_id, shipments.line], parent: [lines.order_id, lines.line_no]}", "did you mean"),
        ("{child: [lines.order_id, lines.kind], parent: [lines.order_id, lines.kind]}", "repeat in real"),
        ("{child: [shipments.order_id, shipments.weight], parent: [lines.order_id, lines.line_no]}", "not there"),
    ],
)
def test_wrong_foreign_keys_of_several_columns_are_one_clear_sentence(sides, tmp_path, relationship, match):
    path = tmp_path / "synthgate.yaml"
    path.write_text(f"relationships: [{relationship}]\n")
    with pytest.raises((GateFileError, DataError), match=match):
        synthgate.evaluate(sides[0], sides[1], gate=load_gate(path, only=["relations"]))


def test_metadata_says_them_in_lists_and_says_them_again(sides, tmp_path):
    plans = {name: make_plan(open_table(table, name=name), {}, (), {}) for name, table in sides[0].items()}
    keys = {"orders": ("order_id",), "lines": (("order_id", "line_no"),), "shipments": ("shipment_id",)}
    written = write_tables_metadata(plans, keys, LINKS)
    assert written["tables"]["lines"]["primary_key"] == ["order_id", "line_no"]
    assert written["relationships"][1]["child_foreign_key"] == ["order_id", "line_no"]
    read = read_tables_metadata(json.loads(json.dumps(written)))
    assert read.relationships == LINKS
    assert read.tables["lines"].composite_keys == (("order_id", "line_no"),)
    verdict = synthgate.evaluate(sides[0], sides[1], metadata=written, only=["relations.foreign_keys", "schema.keys"])
    assert verdict.passed
    assert verdict["relations.foreign_keys"].ledger.scored == 2
    wrong = {
        **written,
        "tables": {**written["tables"], "lines": {**written["tables"]["lines"], "primary_key": ["order_id", "kind"]}},
    }
    with pytest.raises(DataError, match=r"lines.\(order_id, kind\) is a key, but .* repeat in real"):
        synthgate.evaluate(sides[0], sides[1], metadata=wrong, only=["schema.keys"])
    uneven = {**written, "relationships": [{**written["relationships"][1], "child_foreign_key": "order_id"}]}
    with pytest.raises(DataError, match="has 1 columns, its parent's key 2"):
        read_tables_metadata(uneven)


def test_more_rows_than_are_kept_are_counted_all(sides, tmp_path, monkeypatch):
    for side, tables in zip(("real", "synthetic"), sides, strict=False):
        (tmp_path / side).mkdir()
        for name, table in tables.items():
            pq.write_table(table, tmp_path / side / f"{name}.parquet", row_group_size=97)
    whole = synthgate.evaluate(tmp_path / "real", tmp_path / "synthetic", gate=gate())
    monkeypatch.setattr("synthgate.sides.SAMPLE_ROWS", 500)
    part = synthgate.evaluate(tmp_path / "real", tmp_path / "synthetic", gate=gate())

    def told(verdict, check):
        return sorted(f.measured.message for f in verdict[check].findings)

    for check in ("relations.foreign_keys", "relations.cardinality"):
        assert told(part, check) == told(whole, check)


def test_a_column_that_synthetic_lacks_leaves_the_link_out_and_says_so(sides):
    bad = {**sides[1], "shipments": sides[1]["shipments"].drop_columns(["line_no"])}
    verdict = judged(sides, bad, gate())
    assert verdict.outcome is Outcome.FAIL  # schema.columns
    assert verdict["relations.foreign_keys"].status is not Status.ERROR
    assert verdict["relations.cardinality"].status is not Status.ERROR
    assert verdict["relations.pairs"].status is not Status.ERROR


def test_a_key_that_a_foreign_key_names_is_held_to_be_one(sides):
    twice = {**sides[1], "lines": pa.concat_tables([sides[1]["lines"], sides[1]["lines"].slice(0, 1)])}
    orders = {**sides[1], "orders": pa.concat_tables([sides[1]["orders"], sides[1]["orders"].slice(0, 1)])}
    for policy in (gate(), gate(keys=("orders.order_id", "shipments.shipment_id")), gate(keys=("shipment_id",))):
        for bad, table in ((twice, "lines"), (orders, "orders")):
            check = judged(sides, bad, policy)["schema.keys"]
            assert {f.measured.table for f in check.findings if f.status is Status.FAIL} == {table}
        assert judged(sides, sides[1], policy)["schema.keys"].status is Status.PASS


def test_tables_that_were_split_row_by_row_are_told(sides):
    real = {**sides[0], "orders": sides[0]["orders"].slice(0, 500)}
    verdict = synthgate.evaluate(real, sides[1], gate=gate())
    assert any("split them by parent" in note for note in verdict.run.notes)
    with pytest.raises(DataError, match="split tables by parent, not row by row"):
        synthgate.evaluate({**real, "orders": real["orders"].slice(0, 200)}, sides[1], gate=gate())


TEXTS = st.one_of(st.none(), st.text(st.sampled_from("ab\\u\x1f"), max_size=3))


@given(st.lists(st.tuples(TEXTS, TEXTS, st.one_of(st.none(), st.integers(0, 2))), min_size=1, max_size=30))
def test_joint_values_are_equal_exactly_where_all_their_parts_are(rows):
    texts = [to_labels(pa.array([row[at] for row in rows], pa.string()), Role.ID) for at in (0, 1)]
    numbers = Numbers(np.array([np.nan if row[2] is None else float(row[2]) for row in rows]))
    joint = joint_labels({"a": texts[0], "b": texts[1], "n": numbers}, ("a", "b", "n"))
    labels = joint.labels.to_pylist()
    told = [None if code < 0 else labels[code] for code in joint.codes]
    assert [t is None for t in told] == [None in row for row in rows]
    whole = [(row, t) for row, t in zip(rows, told, strict=True) if t is not None]
    assert len({row for row, _ in whole}) == len({t for _, t in whole}) == len(set(whole))


def test_whole_numbers_and_texts_of_them_join(sides):
    text = sides[1]["lines"]["order_id"].cast(pa.string())
    verdict = synthgate.evaluate(sides[0], changed(sides[1], "lines", order_id=text), gate=gate())
    assert verdict["relations.foreign_keys"].status is not Status.FAIL
