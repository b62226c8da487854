"""Verdicts inside tests, and failures that say what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from synthgate.gate import evaluate
from synthgate.render.console import render
from synthgate.verdict import Verdict


def assert_passes(real: object = None, synthetic: object = None, **arguments: Any) -> Verdict:
    """Evaluate two tables, and fail with the findings unless the verdict is pass.

    Parameters
    ----------
    real, synthetic : path, URL or dataframe
    **arguments
        As :func:`synthgate.evaluate` takes them, such as ``holdout`` or ``only=["fidelity"]``.

    Returns
    -------
    Verdict
        For further assertions.

    Raises
    ------
    AssertionError
        When the verdict is fail or incomplete; its text is the verdict as the command line shows it.
    SynthgateError
        When the tables, the gate file or the arguments do not allow a judgement.
    """
    __tracebackhide__ = True
    verdict = evaluate(real, synthetic, **arguments)
    if not verdict.passed:
        raise AssertionError("\n" + render(verdict, color=False))
    return verdict


@dataclass(frozen=True)
class Gatekeeper:
    """What the fixture ``synthgate`` is: an evaluation with the marker's arguments as defaults."""

    defaults: dict[str, Any] = field(default_factory=dict)

    def __call__(self, real: object = None, synthetic: object = None, **arguments: Any) -> Verdict:
        """Return the verdict on two tables; see :func:`synthgate.evaluate`."""
        return evaluate(real, synthetic, **{**self.defaults, **arguments})

    evaluate = __call__

    def assert_passes(self, real: object = None, synthetic: object = None, **arguments: Any) -> Verdict:
        """Fail with the findings unless the verdict is pass; see :func:`assert_passes`."""
        __tracebackhide__ = True
        return assert_passes(real, synthetic, **{**self.defaults, **arguments})


def verdicts_in(traceback: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each verdict that a failing test holds and that does not pass."""
    entries = list(traceback)
    if not entries:
        return
    for name, value in entries[-1].frame.f_locals.items():
        if isinstance(value, Verdict) and not value.passed:
            yield name, render(value, color=False)
