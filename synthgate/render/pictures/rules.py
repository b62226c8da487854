"""Rules and how many rows break them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from synthgate.findings import Finding
from synthgate.render.pictures.reading import number


@dataclass(frozen=True, slots=True)
class Broken:
    """One rule of a gate file, a contract or real data itself, and its violations.

    Attributes
    ----------
    broken, of : float or None
        Synthetic rows that break it, of the rows that it applies to; None for a rule about a whole column.
    in_real : float or None
        Real rows that break it.
    """

    rule: str
    finding: Finding
    broken: float | None
    of: float | None
    in_real: float | None

    @property
    def share(self) -> float:
        """Return the share of rows that break it, in hundredths."""
        return 100.0 * self.broken / self.of if self.broken and self.of else 0.0


def broken(findings: Iterable[Finding], most: int) -> list[Broken]:
    """Return the rules that findings tell of, in their order, at most `most`."""
    out: list[Broken] = []
    for finding in findings:
        details = finding.measured.details
        names = [details.get(key) for key in ("name", "rule", "sql")]
        rule = next((text for text in (names[1], names[2], names[0]) if isinstance(text, str)), None)
        if rule is None or "broken" not in details or len(out) == most:
            continue
        # a rule that was mined holds in every real row
        in_real = details.get("broken_in_real", 0 if "real_rows" in details else None)
        out.append(Broken(rule, finding, *map(number, (details["broken"], details.get("rows"), in_real))))
    return out
