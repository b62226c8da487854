"""synthgate: the gate that decides whether synthetic data may be used in place of real data.

``synthgate.evaluate(real, synthetic, holdout=..., target=...)`` returns a :class:`~synthgate.verdict.Verdict`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthgate.errors import DataError, GateFileError, NotPassedError, SynthgateError, UsageError
    from synthgate.gate import evaluate
    from synthgate.guard import require_pass
    from synthgate.testing.fixture import assert_passes
    from synthgate.verdict import Verdict

__all__ = [
    "DataError",
    "GateFileError",
    "NotPassedError",
    "SynthgateError",
    "UsageError",
    "Verdict",
    "assert_passes",
    "evaluate",
    "require_pass",
]

_HOMES = {
    "evaluate": "synthgate.gate",
    "assert_passes": "synthgate.testing.fixture",
    "Verdict": "synthgate.verdict",
    "require_pass": "synthgate.guard",
    "DataError": "synthgate.errors",
    "NotPassedError": "synthgate.errors",
    "GateFileError": "synthgate.errors",
    "SynthgateError": "synthgate.errors",
    "UsageError": "synthgate.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import synthgate`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'synthgate' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
