"""SDV metadata, version 1: one table, sequences and several tables, in and out."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

import synthgate
from synthgate.bridges.sdv import (
    Metadata,
    read_metadata,
    read_tables_metadata,
    write_metadata,
    write_tables_metadata,
)
from synthgate.errors import DataError
from synthgate.links import Relationship, SequenceKey
from synthgate.roles import Role
from synthgate.survey import make_plan
from synthgate.tables import open_table

SINGLE = {
    "METADATA_SPEC_VERSION": "SINGLE_TABLE_V1",
    "primary_key": "id",
    "alternate_keys": ["mail"],
    "sequence_key": "who",
    "sequence_index": "day",
    "columns": {
        "id": {"sdtype": "id", "regex_format": "P[0-9]{3}"},
        "mail": {"sdtype": "email", "pii": True},
        "who": {"sdtype": "id"},
        "day": {"sdtype": "datetime", "datetime_format": "%d.%m.%Y"},
        "town": {"sdtype": "city", "pii": True},
        "odd": {"sdtype": "colour_of_the_sky"},
        "size": {"sdtype": "numerical", "computer_representation": "Int64"},
    },
}
TABLES = {
    "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
    "tables": {
        "shops": {"primary_key": "shop", "columns": {"shop": {"sdtype": "id"}, "town": {"sdtype": "categorical"}}},
        "sales": {"primary_key": "n", "columns": {"n": {"sdtype": "id"}, "at": {"sdtype": "id"}}},
    },
    "relationships": [
        {
            "parent_table_name": "shops",
            "child_table_name": "sales",
            "parent_primary_key": "shop",
            "child_foreign_key": "at",
        }
    ],
}


def table(rows: int = 60) -> pa.Table:
    return pa.table(
        {
            "id": [f"P{k:03d}" for k in range(rows)],
            "mail": [f"p{k}@example.org" for k in range(rows)],
            "who": [f"W{k // 6}" for k in range(rows)],
            "day": [f"{k % 6 + 1:02d}.03.2021" for k in range(rows)],
            "town": [("Bonn", "Kiel")[k % 2] for k in range(rows)],
            "odd": [("x", "y", "z")[k % 3] for k in range(rows)],
            "size": list(range(rows)),
        }
    )


def test_a_table_with_sequences_is_read():
    found = read_metadata(SINGLE)
    assert found.roles == {
        "id": Role.ID, "mail": Role.TEXT, "who": Role.ID, "day": Role.DATETIME, "size": Role.NUMERICAL
    }  # fmt: skip
    assert found.keys == ("id", "mail")
    assert found.layouts == {"day": "%d.%m.%Y"}
    assert found.patterns == {"id": "P[0-9]{3}"}
    assert found.sequence == SequenceKey("who", "day")
    assert [n for n in found.notes if "colour_of_the_sky" in n and "unknown" in n]
    assert [n for n in found.notes if "personal data" in n and "email" in n]
    assert not [n for n in found.notes if "town" in n]  # a place is compared as what it holds


def test_what_is_read_is_used_and_written_again():
    verdict = synthgate.evaluate(table(), table(), metadata=SINGLE, only=["schema", "sequences"])
    assert verdict.run.roles == {
        "id": "id", "mail": "text", "who": "id", "day": "datetime", "town": "categorical", "odd": "categorical",
        "size": "numerical",
    }  # fmt: skip
    described = read_metadata(SINGLE)
    plan = make_plan(open_table(table()), described.roles, (), described.layouts)
    again = read_metadata(json.loads(json.dumps(write_metadata(plan, described.keys, described))))
    for part in ("layouts", "keys", "patterns", "sequence"):
        assert getattr(again, part) == getattr(described, part), part
    assert {name: again.roles[name] for name in described.roles} == described.roles


@pytest.mark.parametrize("version", ["MULTI_TABLE_V1", "V1"])
def test_several_tables_are_read_and_written_again(version):
    found = read_tables_metadata({**TABLES, "METADATA_SPEC_VERSION": version})
    assert found.relationships == (Relationship("shops", "sales", "shop", "at"),)
    assert found.tables["shops"].keys == ("shop",)
    plans = {
        "shops": make_plan(open_table(pa.table({"shop": ["a", "b"], "town": ["x", "y"]})), {}, (), {}),
        "sales": make_plan(open_table(pa.table({"n": [1, 2], "at": ["a", "b"]})), {}, (), {}),
    }
    keys = {name: one.keys for name, one in found.tables.items()}
    again = read_tables_metadata(write_tables_metadata(plans, keys, found.relationships))
    assert again.relationships == found.relationships
    assert {name: one.keys for name, one in again.tables.items()} == keys
    assert again.tables["sales"].roles["at"] is Role.ID


def test_the_unified_form_of_one_table_is_read():
    found = read_metadata({"METADATA_SPEC_VERSION": "V1", "tables": {"t": SINGLE}, "relationships": []})
    assert found.sequence == SequenceKey("who", "day")


def test_metadata_of_several_tables_serves_the_one_that_fits():
    tables = {"a": {"columns": {"x": {"sdtype": "id"}}}, "b": SINGLE}
    content = {"METADATA_SPEC_VERSION": "MULTI_TABLE_V1", "tables": tables}
    verdict = synthgate.evaluate(table(), table(), metadata=content, only=["schema.keys"])
    assert verdict.run.roles["day"] == "datetime"
    with pytest.raises(DataError, match="0 of them fit"):
        synthgate.evaluate(table().drop_columns(["size", "town"]), table(), metadata={**content, "tables": {
            "a": tables["a"], "b": SINGLE}}, only=["schema.keys"])  # fmt: skip


def without(key, value):
    link = {**TABLES["relationships"][0], key: value}
    return {**TABLES, "relationships": [link]}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({**SINGLE, "primary_key": "nr"}, "'nr' is not among the columns"),
        ({**SINGLE, "sequence_key": "whom"}, "did you mean 'who'"),
        ({**SINGLE, "sequence_key": "day"}, "both sequence_key and sequence_index"),
        ({"columns": {"a": {"sdtype": "id", "regex_format": "("}}}, "no regular expression"),
        ({"METADATA_SPEC_VERSION": "V7", "columns": {}}, "V7"),
        (without("parent_table_name", "shop"), "leads to nowhere: there is no table 'shop'"),
        (without("child_foreign_key", "where"), "leads to nowhere: 'sales' has no column 'where'"),
        (without("parent_primary_key", None), "lacks one of"),
        ({**TABLES, "relationships": [*TABLES["relationships"], {
            "parent_table_name": "sales", "child_table_name": "shops", "parent_primary_key": "n",
            "child_foreign_key": "town"}]}, "circle"),
        ({"tables": {"a": 5}}, "'a' has no `columns`"),
        ({"tables": []}, "holds no table"),
    ],
)  # fmt: skip
def test_metadata_that_contradicts_itself_is_refused(content, match):
    with pytest.raises(DataError, match=match):
        read_tables_metadata(content)


def test_a_composite_key_is_kept_apart():
    found = read_metadata({**SINGLE, "primary_key": ["id", "who"]})
    assert found.keys == ("mail",)
    assert found.composite_keys == (("id", "who"),)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"town": {"sdtype": "numerical"}}, "'town' is numerical"),
        ({"day": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"}}, "of the format '%Y-%m-%d'"),
        ({"id": {"sdtype": "id", "regex_format": "Q[0-9]+"}}, r"matches 'Q\[0-9\]\+'"),
        ({"more": {"sdtype": "id"}}, "column 'more' is not in"),
        ({"mail": {"sdtype": "boolean"}}, "'mail' is boolean"),
    ],
)
def test_metadata_that_contradicts_the_data_is_refused(change, match):
    content = {**SINGLE, "columns": {**SINGLE["columns"], **change}}
    with pytest.raises(DataError, match=match):
        synthgate.evaluate(table(), table(), metadata=content, only=["schema"])


def test_a_declared_format_is_held_against_synthetic_values():
    bad = table().set_column(0, "id", pa.array([f"P{k:03d}" for k in range(59)] + ["Q1"]))
    verdict = synthgate.evaluate(table(), bad, metadata=SINGLE, only=["schema.formats"])
    (failing,) = verdict["schema.formats"].failed
    assert failing.measured.columns == ("id",)
    assert failing.measured.message.startswith("1 of 60 values")


def test_a_key_that_repeats_in_real_is_refused():
    with pytest.raises(DataError, match="'who' is a key, but 50 values repeat"):
        synthgate.evaluate(table(), table(), metadata={**SINGLE, "alternate_keys": ["who"]}, only=["schema"])


def test_metadata_for_a_table_that_is_not_there_is_refused():
    both = {"shops": pa.table({"shop": ["a", "b", "c"], "town": ["x", "y", "z"]})}
    with pytest.raises(DataError, match="table 'sales', which real does not have"):
        synthgate.evaluate(both, both, metadata=TABLES, only=["schema"])


def test_nothing_described_is_nothing_known():
    assert Metadata().columns == ()
