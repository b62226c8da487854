"""The review page: rows to mark, and a sign-off to save. It opens offline and sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synthgate.findings import DataInfo
from synthgate.render.html import pages, policy, source
from synthgate.review.choice import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page shows.

    Attributes
    ----------
    columns : tuple of str
    rows : sequence of Shown
    with_real : bool
        Whether real rows stand beside the synthetic ones; the page then says that it is confidential.
    """

    columns: tuple[str, ...]
    rows: Sequence[Shown]
    real: DataInfo
    synthetic: DataInfo
    with_real: bool


def render(page: Page) -> str:
    """Return the page as one self-contained HTML file."""
    style, script = source("report.css") + source("review.css"), source("review.js")
    return (
        pages()
        .get_template("review.html.j2")
        .render(page=page, style=style, script=script, policy=policy(style, script))
    )
