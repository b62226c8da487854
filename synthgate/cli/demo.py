"""``synthgate demo``."""

from __future__ import annotations

from typing import Any

import click

from synthgate.cli.judging import judge, judging_options


@click.command()
@judging_options
def demo(**options: Any) -> int:
    """Judge a bundled pair, end to end."""
    from synthgate.demo import demo_files

    files = demo_files()
    request = {"real": files.real, "synthetic": files.synthetic, "holdout": files.holdout, "target": files.target}
    return judge(request, options)
