"""Time and progress of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

Progress = Callable[[str], None]


@dataclass(slots=True)
class Clock:
    """Seconds per step, and progress as steps begin."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, step: str, work: Callable[[], Any]) -> Any:
        """Do `work`, and note how long it took."""
        if self.progress and step not in self.seconds:
            self.progress(step)
        start = perf_counter()
        try:
            return work()
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + perf_counter() - start
