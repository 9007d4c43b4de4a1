"""A process pool that carries the current span into each call."""

import concurrent.futures
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Scope, site_for
from asp_telemetry.capture.trace_context import foreign_frame, tracestate_of
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import AGENT, FLAGS, SCOPE, SPAN_ID, TRACE_HIGH, TRACE_LOW

P = ParamSpec("P")
R = TypeVar("R")


class Carried(NamedTuple):
    """Be a function that takes a span along into another process: it pickles if the function does.

    Attributes:
        function: What is called there.
        trace_id: The trace, 128 bits; 0 where there is only a context.
        span_id: The span that it belongs to.
        flags: What its children inherit.
        facts: Task, user, session and the other facts of the context.
        agent: The facts of the agent it runs in, if any.
        tracestate: What other tracing systems sent along.
    """

    function: Callable[..., Any]
    trace_id: int
    span_id: int
    flags: int
    facts: dict[str, Any]
    agent: dict[str, Any] | None
    tracestate: str | None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function under the span that was current where it was carried from."""
        outer = state.get_current()
        try:
            frame = self._frame()
            state.set_current(frame)
        except Exception as error:
            trouble("a span could not be carried into a process", error)
            return self.function(*args, **kwargs)
        try:
            return self.function(*args, **kwargs)
        finally:
            if state.get_current() is frame:
                state.set_current(outer)

    def _frame(self) -> state.SpanList:
        # What this process says of itself holds where the other one says nothing.
        scope = _known(Scope({**state.default_scope.facts, **self.facts}))
        agent = self.agent and site_for(
            self.agent["name"], self.agent["kind"], self.agent["role"], self.agent["model"], self.agent["provider"],
            self.agent["version"],
        )  # fmt: skip
        return foreign_frame(
            self.trace_id, self.span_id, scope, self.flags, agent=agent, tracestate=self.tracestate
        )


_MOST_SCOPES = 256
_scopes: dict[bytes, Scope] = {}


def _known(scope: Scope) -> Scope:
    """Return the scope with these facts that was used before: each new one is written into the journal once more."""
    if len(_scopes) >= _MOST_SCOPES:
        _scopes.clear()
    return _scopes.setdefault(scope.encoded, scope)


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """Take the current span along into another process, as `propagate` does into another thread.

    Args:
        function: What the other process will call; it has to pickle, as all does that goes there.

    Returns:
        A function of the same signature. Where nothing is being tracked it begins a trace of its own: a forked process
        has inherited whatever was being tracked when it was made.
    """
    try:
        span = state.get_current()
        if span is None:
            return cast("Callable[P, R]", Carried(function, 0, 0, 0, {}, None, None))
        agent = span[AGENT]
        trace_id = span[TRACE_HIGH] << 64 | span[TRACE_LOW]
        return cast(
            "Callable[P, R]",
            Carried(
                function, trace_id, span[SPAN_ID], span[FLAGS], span[SCOPE].facts, agent and agent.facts,
                tracestate_of(span),
            ),
        )  # fmt: skip
    except Exception as error:
        trouble("a span could not be carried into a process", error)
        return function


class ProcessPoolExecutor(concurrent.futures.ProcessPoolExecutor):
    """Be `concurrent.futures.ProcessPoolExecutor`, with the current span carried into each call.

    Executions there belong to the trace, task and agent of who submitted, however the processes are started. Where they
    record is settled as everywhere: forked ones inherit `configure()`, others import the program anew.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.ProcessPoolExecutor(max_workers=1) as pool, asp.span("root"):
        ...     pool.submit(len, "four").result()
        4
    """

    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> concurrent.futures.Future[R]:
        """Schedule a call, to run with the span that is current now."""
        return super().submit(carried(fn), *args, **kwargs)
