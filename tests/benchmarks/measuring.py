"""Times calls: in alternating rounds, of which the fastest counts, and one by one for the percentiles."""

import asyncio
import gc
from array import array
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter_ns
from typing import Any, NamedTuple, Protocol


class Case(NamedTuple):
    """Name what is called, and how a round of calls is timed: (function, calls) -> ns per call."""

    name: str
    kind: str
    run: Callable[[Any, int], float]


class Contender(Protocol):
    """Track functions in one way, and settle between rounds what tracking has left to do."""

    name: str

    def functions(self) -> dict[str, Any]: ...
    def settle(self) -> None: ...


def time_plain(function: Callable[[], Any], calls: int) -> float:
    """Call a plain function."""
    begin = perf_counter_ns()
    for _ in range(calls):
        function()
    return (perf_counter_ns() - begin) / calls


def time_async(function: Callable[[], Awaitable[Any]], calls: int) -> float:
    """Await a coroutine function in a running loop."""

    async def run() -> float:
        begin = perf_counter_ns()
        for _ in range(calls):
            await function()
        return (perf_counter_ns() - begin) / calls

    return asyncio.run(run())


def time_inside(functions: tuple[Callable[..., float], Callable[[], Any]], calls: int) -> float:
    """Call a function while a span of the same contender is open."""
    outer, inner = functions
    return outer(inner, calls)


def time_items(function: Callable[[int], Iterable[Any]], calls: int) -> float:
    """Take items from one generator."""
    begin = perf_counter_ns()
    for _ in function(calls):
        pass
    return (perf_counter_ns() - begin) / calls


def time_streams(function: Callable[[int], Iterable[Any]], calls: int) -> float:
    """Take the items of short streams, one after the other; a call is an item."""
    streams = max(1, calls // CHUNKS_PER_STREAM)
    begin = perf_counter_ns()
    for _ in range(streams):
        for _ in function(CHUNKS_PER_STREAM):
            pass
    return (perf_counter_ns() - begin) / (streams * CHUNKS_PER_STREAM)


CHUNKS_PER_STREAM = 200
CASES = (
    Case("plain call", "plain", time_plain),
    Case("async call", "async", time_async),
    Case("call inside an open span", "inside", time_inside),
    Case("agent that calls a tool", "agent_tool", time_plain),
    Case("generator, per item", "generator", time_items),
    Case("call with a usage-bearing answer", "answer", time_plain),
    Case("streamed call of 200 chunks, per chunk", "stream", time_streams),
    Case("client's stream of 200 chunks, per chunk", "client_stream", time_streams),
)


def fastest(contenders: Sequence[Contender], *, rounds: int, calls: int) -> dict[str, dict[str, float]]:
    """Return ns per call, by case and contender: of each the fastest of rounds in which all take turns."""
    functions = {contender.name: contender.functions() for contender in contenders}
    found: dict[str, dict[str, float]] = {}
    for case in CASES:
        best = found[case.name] = dict.fromkeys(functions, float("inf"))
        for number in range(rounds):
            # Every other round goes backwards, so that nobody always follows the same neighbour.
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                gc.collect()
                measured = case.run(functions[contender.name][case.kind], calls)
                best[contender.name] = min(best[contender.name], measured)
                contender.settle()
    return found


def one_by_one(contenders: Sequence[Contender], *, rounds: int, calls: int) -> dict[str, list[int]]:
    """Return the ns of single plain calls by contender, sorted, the two readings of the clock included."""
    functions = {contender.name: contender.functions()["plain"] for contender in contenders}
    samples = {name: array("q") for name in functions}
    for number in range(rounds):
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            gc.collect()
            _time_each(functions[contender.name], calls, samples[contender.name])
            contender.settle()
    return {name: sorted(values) for name, values in samples.items()}


def _time_each(function: Callable[[], Any], calls: int, samples: "array[int]") -> None:
    for _ in range(calls):
        begin = perf_counter_ns()
        function()
        samples.append(perf_counter_ns() - begin)


def percentile(values: Sequence[int], share: float) -> float:
    """Return the value that a share of sorted values does not exceed."""
    return float(values[min(len(values) - 1, int(len(values) * share))])
