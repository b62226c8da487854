"""Work on all cores whose answers depend neither on the number of cores nor on timing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MAX_THREADS = 8


def spread(job: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """Run a job on each part in threads and return the answers in order.

    Matrix products and boosted trees run single-threaded inside each part: how a library divides a
    sum among threads changes its last digits, and how the parts are cut must not.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(job, parts))
