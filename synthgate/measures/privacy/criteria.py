"""Attribute inference and linkability: two of the three criteria of anonymity, held against a control.

The Article 29 Working Party (Opinion 05/2014) asks whether a data set allows to infer, to link and to
single out. Each attack here runs on training rows and, with the same effort, on holdout rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.errors import UsageError, nearest
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Skip
from synthgate.measures.privacy.audit import Asked, ask, left_out
from synthgate.measures.privacy.encodings import Encoding, Floats
from synthgate.measures.privacy.inference import Flags, rounded
from synthgate.measures.privacy.links import Links, find_links, likeliest, most_confident
from synthgate.measures.privacy.risk import Tried, as_json, counted, opened, risk
from synthgate.roles import Role
from synthgate.sample import Sample

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

QUERIES = 1_500
LEAST_QUERIES = 250
MAX_CELLS = 1e9
CONFIDENT = 0.1
NAMED = 3


@measure("privacy.attributes", secrets=[])
def attributes(evidence: Evidence, options: Options) -> Measurement:
    """Guess one cell of a record from all its others, on training rows and on holdout rows.

    Options
    -------
    secrets : list of str
        The columns to guess; every column when empty.
    """
    chosen = options.get("secrets")
    names = tuple(str(name) for name in chosen) if isinstance(chosen, list | tuple) else ()
    for name in names:
        if name not in evidence.plan.names:
            raise UsageError("privacy.attributes", f"secret {name!r} is no column", nearest(name, evidence.plan.names))
    return assess_attributes(evidence.sample, names)


def assess_attributes(sample: Sample, secrets: Sequence[str] = ()) -> Measurement:
    """Measure attribute inference on a sample; see :func:`attributes`."""
    asked = _asked(sample)
    if isinstance(asked, str):
        return Measurement.missing(f"attribute inference cannot be tested: {asked}")
    encoding = asked.stage.encoding
    chosen = [
        at
        for at, column in enumerate(encoding.columns)
        if column.role is not Role.VECTOR and (not secrets or column.name in secrets)
    ]
    if not chosen:
        return Measurement.missing(
            "attribute inference cannot be tested: no secret is a column that varies, apart from ids"
        )
    links = _links(sample, asked)
    findings = [_secret(asked, links, at, len(chosen)) for at in chosen]
    score = _mean(asked, links.guessed[:, chosen])
    shown = sorted(
        (f for f in findings if f.estimate and f.estimate.low > 0), key=lambda f: -(f.estimate or score).value
    )
    return Measurement(
        reason=_inferred(asked, score, shown),
        findings=tuple(findings),
        score=score,
        ledger=Ledger(len(chosen), (*encoding.skipped, *_unasked(encoding, chosen), *left_out(asked.stage.panel))),
        power=_power(score),
        details=_attacked(asked, encoding),
    )


def _asked(sample: Sample) -> Asked | str:
    """Choose the queries: fewer for very large tables, for every synthetic row is compared."""

    def make(sample: Sample) -> Asked | str:
        rows = sample.synthetic.rows * max(1, len(sample.roles))
        return ask(sample, 2, max(LEAST_QUERIES, min(QUERIES, int(MAX_CELLS / max(1, 2 * rows)))))

    return sample.derive("privacy.asked", make)


def _links(sample: Sample, asked: Asked) -> Links:
    queries = asked.stage.panel.queries.take(asked.at)
    return sample.derive("privacy.links", lambda s: find_links(queries, asked.stage.encoding, s.rng("privacy.halves")))


def _secret(asked: Asked, links: Links, at: int, looks: int) -> Measured:
    column = asked.stage.encoding.columns[at]
    main, control = _tried(asked, links.guessed[:, at])
    found = risk(main, control, looks)
    member = asked.stage.panel.member[asked.at]
    sure = most_confident(links.fit[:, at].astype(np.float64), member, links.guessed[:, at], CONFIDENT)
    details: dict[str, Json] = {
        **as_json(main, control),
        "always_the_likeliest": rounded(likeliest(column)),
        "most_confident": {"main": rounded(sure[0]), "control": rounded(sure[1]), "share": CONFIDENT},
    }
    return Measured(
        metric="attribute_risk",
        message=(
            f"guessed rightly from the other columns for {main.rate:.1%} of the training rows and for "
            f"{control.rate:.1%} of the holdout rows"
        ),
        estimate=opened(found, asked.doubt) if asked.doubt else found,
        columns=(column.name,),
        judged=asked.doubt is None,
        details=details,
    )


def _tried(asked: Asked, success: Floats | Flags) -> tuple[Tried, Tried]:
    """Return the attacks on members and on others; of several attacks on a row the mean counts."""
    member, units = asked.stage.panel.member[asked.at], asked.stage.panel.unit[asked.at]
    values = success.astype(np.float64).reshape(len(success), -1)
    sides = [counted(values[side], units[side]) for side in (member, ~member)]
    return sides[0], sides[1]


def _mean(asked: Asked, success: Flags) -> Estimate:
    """Return the risk of the mean success per record."""
    found = risk(*_tried(asked, success))
    return opened(found, asked.doubt) if asked.doubt else found


def _inferred(asked: Asked, score: Estimate, shown: Sequence[Measured]) -> str:
    named = ", ".join(f"{f.columns[0]!r}" for f in shown[:NAMED])
    said = (
        f"guessing a cell from all others has a risk of {score.value:.1%} [{score.low:.1%}, {score.high:.1%}] on "
        "average over columns: the excess on training rows over holdout rows, as a share of what was left to lose"
    )
    said += f"; shown for {named}" if named else ""
    return f"{said}; {asked.doubt}, so nothing is decided" if asked.doubt else said


def _unasked(encoding: Encoding, chosen: Sequence[int]) -> list[Skip]:
    return [
        Skip(
            column.name,
            "a vector: used as knowledge, no secret" if column.role is Role.VECTOR else "not among the secrets",
        )
        for at, column in enumerate(encoding.columns)
        if at not in chosen
    ]


def _power(score: Estimate) -> str:
    half = max(score.high - score.value, score.value - score.low)
    return (
        f"a risk of {2 * half:.1%} or more would almost surely have been shown to lie above 0; only the best matching "
        "synthetic row was used, and an attacker with a model of his own may reach more"
    )


def _attacked(asked: Asked, encoding: Encoding) -> dict[str, Json]:
    member = asked.stage.panel.member[asked.at]
    return {
        "attacks": {"main": int(member.sum()), "control": int((~member).sum())},
        "synthetic_rows_searched": len(encoding.synthetic),
        "doubt": asked.doubt,
    }


@measure("privacy.linkability")
def linkability(evidence: Evidence, options: Options) -> Measurement:
    """Join two halves of a record through one synthetic row, on training rows and on holdout rows."""
    return assess_linkability(evidence.sample)


def assess_linkability(sample: Sample) -> Measurement:
    """Measure linkability on a sample; see :func:`linkability`."""
    asked = _asked(sample)
    if isinstance(asked, str):
        return Measurement.missing(f"linkability cannot be tested: {asked}")
    links = _links(sample, asked)
    score = _mean(asked, links.joined)
    ways = links.joined.shape[1]
    member = asked.stage.panel.member[asked.at]
    main, control = (float(links.joined[side].mean()) for side in (member, ~member))
    reason = (
        f"the synthetic row that fits half of the columns best also fits the other half best for {main:.1%} of the "
        f"training rows and {control:.1%} of the holdout rows ({ways} ways to halve): a risk of {score.value:.1%} "
        f"[{score.low:.1%}, {score.high:.1%}]"
    )
    found = Measured(
        metric="linkability_risk",
        message=f"two halves are joined for {main:.1%} of the training rows and {control:.1%} of the holdout rows",
        estimate=score,
        judged=asked.doubt is None,
        details={"main": rounded(main), "control": rounded(control), "ways_to_halve": ways},
    )
    return Measurement(
        reason=f"{reason}; {asked.doubt}, so nothing is decided" if asked.doubt else reason,
        findings=(found,),
        score=score,
        ledger=Ledger(ways, (*asked.stage.encoding.skipped, *left_out(asked.stage.panel))),
        power=_power(score),
        details=_attacked(asked, asked.stage.encoding),
    )
