"""Work on all cores whose answers depend neither on the number of cores nor on timing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MAX_THREADS = 8


@cache
def _controller() -> Any:
    """Return the controller of all numerical libraries; looking them up takes a while, so it is done once."""
    from threadpoolctl import ThreadpoolController

    import_module("sklearn.ensemble")  # loads the libraries that are to be found
    return ThreadpoolController()


def spread(job: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """Run a job on each part in threads and return the answers in order.

    Matrix products and boosted trees run single-threaded inside each part: how a library divides a
    sum among threads changes its last digits, and how the parts are cut must not. OpenMP's limit
    belongs to the calling thread, so each worker sets its own.
    """
    controller = _controller()

    def run(part: T) -> R:
        with controller.limit(limits=1, user_api="openmp"):
            return job(part)

    with controller.limit(limits=1, user_api="blas"), ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(run, parts))


@cache
def _products() -> Any:
    """Return the controller of numpy's library of matrix products, which is loaded with numpy."""
    import_module("numpy")
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def single_products() -> Iterator[None]:
    """Run numpy's matrix products on one thread each.

    Their last digits then do not depend on the number of cores; and the small ones of most measures cost several times
    the work when threads wait for each other on a busy machine.
    """
    with _products().limit(limits=1, user_api="blas"):
        yield
