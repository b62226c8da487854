"""What the corpora that are made here have in common: how a table is cut, and how a pair is labelled and judged."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import records

SEED = 20261


@dataclass(frozen=True)
class Case:
    """A case as ``verdicts.py`` shows it."""

    name: str
    row: dict
    known: str


@dataclass(frozen=True)
class Made:
    """A pair with its label; ``base`` has a target, constraints and a key or None."""

    base: Any
    label: records.Label
    real: pa.Table
    holdout: pa.Table
    synthetic: pa.Table


def thirds(rows, most, seed):
    """Return the numbers of three disjoint random sets of rows, each of a third of all or of as many as given."""
    order = np.random.default_rng([SEED, seed]).permutation(rows)
    size = min(most, rows // 3)
    return [np.sort(order[k * size : (k + 1) * size]) for k in range(3)]


def label(name, base, kind, defect, severity, families, columns):
    """Return the label of a defect or of a control."""
    expected = "fail" if kind == "defect" else "pass"
    must = kind == "defect" and severity != "trace"
    return records.Label(name, base.name, kind, defect, severity, tuple(families), tuple(columns), expected, must)


def gate_of(base):
    """Return the default gate with the base's key and rules."""
    from synthgate.gatefile import Constraint, load_gate

    rules = tuple(Constraint(sql=text, name=text) for text in base.constraints)
    return replace(load_gate(), constraints=rules, keys=(base.key,) if base.key else ())


def judge(made):
    """Return the default gate's verdict."""
    import synthgate

    base = made.base
    return synthgate.evaluate(made.real, made.synthetic, holdout=made.holdout, target=base.target, gate=gate_of(base))


def cases(pairs):
    """Yield case, label and a function that judges it."""
    for made in pairs:
        known = made.label
        # verdicts.py words the outcome as it does for a manifest's rows
        row = {
            "family": known.families[0] if known.families else "",
            "also": ";".join(known.families[1:]),
            "expected": known.expected,
            "must_detect": "yes" if known.must else "no",
        }
        case = Case(known.case, row, f"{known.expected} {' '.join(known.families)}")
        yield case, known, lambda made=made: judge(made)


def written(pairs, folder):
    """Write pairs as Parquet, with SDV metadata, and return what ``peers.py`` needs of each."""
    import pyarrow.parquet as pq

    from synthgate.bridges.sdv import write_metadata
    from synthgate.survey import make_plan
    from synthgate.tables import open_table

    index = []
    for made in pairs:
        place = folder / made.label.case.replace("/", "__")
        place.mkdir(exist_ok=True)
        sides = {side: place / f"{side}.parquet" for side in ("real", "synthetic", "holdout")}
        for side, path in sides.items():
            pq.write_table(getattr(made, side), path)
        plan = make_plan(open_table(made.real, name="real"), {}, (made.base.target,), {})
        keys = (made.base.key,) if made.base.key else ()
        (place / "metadata.json").write_text(json.dumps(write_metadata(plan, keys)))
        index.append({**vars(made.label), **sides, "metadata": place / "metadata.json"})
    return index
