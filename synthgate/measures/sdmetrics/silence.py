"""Keep a library quiet, and its random numbers repeatable."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO


@contextmanager
def silenced(seed: int | None = None) -> Iterator[None]:
    """Hold back warnings, log lines and progress bars; draw the process's random numbers from `seed`.

    SDMetrics draws from the global generators and from fresh ones, and takes no seed. Fresh generators are seeded
    meanwhile; the state of the global ones is put back afterwards.

    Parameters
    ----------
    seed : int, optional
        Without one the random numbers are left alone.
    """
    logger = logging.getLogger("sdmetrics")
    level, spread = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()), _seeded(seed):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        logger.propagate = spread


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    if seed is None:
        yield
        return
    import numpy as np

    numbers, plain = np.random.get_state(), random.getstate()
    np.random.seed(seed)
    random.seed(seed)
    make, drawn = np.random.default_rng, np.random.SeedSequence(seed)
    np.random.default_rng = lambda seed=None: make(drawn.spawn(1)[0] if seed is None else seed)
    try:
        yield
    finally:
        np.random.default_rng = make
        np.random.set_state(numbers)
        random.setstate(plain)
