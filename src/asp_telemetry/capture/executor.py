"""A thread pool that carries the current span into each call."""

import concurrent.futures
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from asp_telemetry.capture.context import propagate

P = ParamSpec("P")
R = TypeVar("R")


class ThreadPoolExecutor(concurrent.futures.ThreadPoolExecutor):
    """Be `concurrent.futures.ThreadPoolExecutor`, with the current span carried into each call.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.ThreadPoolExecutor(max_workers=2) as pool:
        ...     pool.submit(len, "four").result()
        4
    """

    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> concurrent.futures.Future[R]:
        """Schedule a call, to run with the span that is current now."""
        return super().submit(propagate(fn), *args, **kwargs)
