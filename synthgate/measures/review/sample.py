"""Has a person looked at the rows, and signed for this very table?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Ledger, Measured, Measurement, Skip
from synthgate.statistics.intervals import wilson

if TYPE_CHECKING:
    from synthgate.evidence import Evidence


@measure("review.sample", file="synthgate-review.yaml", least_rows=10)
def sample(evidence: Evidence, options: Options) -> Measurement:
    """Read the sign-off. One for other data, or over too few rows, does not count."""
    sign_off = evidence.sign_off
    least = int(str(options["least_rows"]))
    if sign_off is None:
        return Measurement.missing(f"nobody has signed: no {options['file']}; `synthgate review` makes the page")
    table = evidence.synthetic.table
    if sign_off.synthetic_sha256 != table.sha256:
        judged, there = table.sha256[:12], sign_off.synthetic_sha256[:12]
        return Measurement.missing(f"the sign-off is for other data: SHA-256 {there}, and this table has {judged}")
    if sign_off.reviewed < min(least, table.rows):
        return Measurement.missing(f"the sign-off is over {sign_off.reviewed} rows, and at least {least} were expected")
    word = "accepted" if sign_off.accepted else "rejected"
    when = f"{sign_off.reviewer} on {sign_off.day.isoformat()}"
    marked = len(sign_off.implausible)
    told = f"{word} by {when}: {marked} of {sign_off.reviewed} rows marked as implausible"
    low, high = wilson(marked, sign_off.reviewed)
    share = Estimate(value=marked / sign_off.reviewed, low=low, high=high, method="Wilson 95 %")
    unmarked = sign_off.shown - sign_off.reviewed
    return Measurement(
        reason=told + (f"; remark: {sign_off.note}" if sign_off.note else ""),
        findings=(Measured(metric="implausible_row_share", message=told, estimate=share, judged=False),),
        score=Estimate.exact(float(sign_off.accepted)),
        ledger=Ledger(sign_off.reviewed, (Skip("rows", f"{unmarked} were not marked"),) if unmarked else ()),
        power="the page shows the most implausible rows first, so the share of them among all rows is lower",
        details={"reviewer": sign_off.reviewer, "date": sign_off.day.isoformat(), "note": sign_off.note},
    )
