"""``synthgate checks`` and ``synthgate explain``."""

from __future__ import annotations

import click

from synthgate.cli.output import say
from synthgate.errors import UsageError, nearest


@click.command()
@click.option(
    "--format", "layout", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Layout."
)
def checks(layout: str) -> None:
    """List every check: id, question, default limits, needs."""
    from synthgate.declared import declared_checks

    every = declared_checks()
    if layout == "json":
        import json

        rows = [
            {
                "id": c.id,
                "question": c.question,
                "threshold": c.threshold.as_dict(),
                "each": c.each.as_dict(),
                "needs": c.needs,
            }
            for c in every
        ]
        say(json.dumps(rows, indent=2))
        return
    for check in every:
        say(f"{check.id:24} {check.question}")
        say(f"{'':24} limit: {check.limits}; needs: {', '.join(check.needs)}")
    say(f"{'sdmetrics.NAME':24} Is an SDMetrics metric within the limit that the gate file sets?")
    say(f"{'':24} limit: none, the gate file sets it; NAME is any metric for one table, such as KSComplement")


@click.command()
@click.argument("check_id", metavar="ID")
def explain(check_id: str) -> None:
    """Tell what a check measures, how to read it, and what to do when it fails."""
    from synthgate.declared import NAMED_PREFIX, declared_checks

    by_id = {check.id: check for check in declared_checks()}
    if check_id.startswith(NAMED_PREFIX):
        from synthgate.bridges.sdmetrics import declare

        by_id[check_id] = declare(check_id, check_id)
    if check_id not in by_id:
        raise UsageError(check_id, "there is no such check", nearest(check_id, by_id))
    check = by_id[check_id]
    options = [f"{key}: {'not set' if value is None else value}" for key, value in check.options.items()]
    options += [f"{key} is one of {', '.join(values)}" for key, values in check.choices.items()]
    parts = (
        ("", f"{check.id}: {check.title}"),
        ("Question", check.question),
        ("How to read it", check.how_to_read),
        ("Why it matters", check.why),
        ("When it fails", check.remedy),
        ("Default limit", check.limits),
        ("Options", "; ".join(options)),
        ("Needs", ", ".join(check.needs)),
        ("Sources", "; ".join(check.sources)),
    )
    for heading, text in parts:
        if text:
            say(click.wrap_text(f"{heading}: {text}" if heading else text, width=100, subsequent_indent="  "))
