"""Decorated code as users write it; checked by mypy and pyright, never run."""

import asyncio
import concurrent.futures
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any, Generic, Protocol, TypeVar, assert_type, overload

import asp_telemetry as asp

T = TypeVar("T")


@asp.track_agent
def bare(task_id: str, brief: str = "") -> int:
    return len(task_id + brief)


@asp.track_agent("Planning", name="plan", model="claude-sonnet-4", provider="anthropic", version="1.2.3")
def called(task_id: str, *, depth: int = 1) -> list[str]:
    return [task_id] * depth


@asp.budget(usd=5, per="task")
@asp.track_agent(expected_usd="0.5", expected_tokens=1000)
async def coroutine(brief: str) -> bytes:
    return brief.encode()


@asp.track_tool
def generator(brief: str) -> Generator[int, str, bool]:
    sent = yield 1
    return sent == brief


@asp.track_tool("search", version="1", task_id="request.task_id")
def iterator(brief: str) -> Iterator[str]:
    yield brief


@asp.track
async def async_generator(brief: str) -> AsyncGenerator[int, str]:
    yield len(brief)


@asp.track(kind="retriever", name="find", agent_role="Code", task_id="TASK-1")
async def async_iterator(brief: str) -> AsyncIterator[float]:
    yield float(len(brief))


@asp.track
def generic(value: T, *rest: T, **named: int) -> tuple[T, int]:
    return value, len(rest) + len(named)


@overload
def overloaded(value: int) -> int: ...
@overload
def overloaded(value: str) -> str: ...
@asp.track
def overloaded(value: int | str) -> int | str:
    return value


class Agent(ABC, Generic[T]):
    @asp.track_agent("Planning")
    def method(self, value: T) -> T:
        return value

    @asp.track_agent
    async def amethod(self, value: T) -> list[T]:
        return [value]

    @staticmethod
    @asp.track_tool
    def static(value: int) -> str:
        return str(value)

    @classmethod
    @asp.track_tool("made")
    def made(cls, value: int) -> str:
        return f"{cls.__name__}{value}"

    @property
    @asp.track
    def label(self) -> str:
        return "label"

    @asp.track
    @abstractmethod
    def abstract(self) -> int: ...


class Runs(Protocol):
    def __call__(self, task_id: str, brief: str = "") -> int: ...


runs: Runs = bare
plans: Callable[[str], list[str]] = called
makes: Callable[[str], Coroutine[Any, Any, bytes]] = coroutine


def use_functions() -> None:
    assert_type(bare("T", brief="b"), int)
    assert_type(called("T", depth=2), list[str])
    assert_type(generator("b"), Generator[int, str, bool])
    assert_type(iterator("b"), Iterator[str])
    assert_type(async_generator("b"), AsyncGenerator[int, str])
    assert_type(async_iterator("b"), AsyncIterator[float])
    assert_type(generic("a", "b", c=1), tuple[str, int])
    assert_type(overloaded(1), int)
    assert_type(overloaded("x"), str)
    assert_type(asp.track(len)("four"), int)


def use_methods(agent: Agent[float]) -> None:
    assert_type(agent.method(1.5), float)
    assert_type(agent.static(1), str)
    assert_type(Agent.static(1), str)
    assert_type(agent.made(1), str)
    assert_type(Agent.made(1), str)
    assert_type(agent.label, str)
    assert_type(agent.abstract(), int)


async def use_coroutines(agent: Agent[float]) -> None:
    assert_type(await coroutine("b"), bytes)
    assert_type(await agent.amethod(1.5), list[float])
    first, second = await asyncio.gather(coroutine("b"), agent.amethod(1.5))
    assert_type(first, bytes)
    assert_type(second, list[float])
    async for number in async_iterator("b"):
        assert_type(number, float)


def use_blocks() -> str:
    with asp.span("Design", kind="agent", agent_role="Design", iteration=2, tags=["a"]) as span:
        assert_type(span, asp.Span)
        span.record_usage(object())
        span.record_usage(input_tokens=1, model="m")
        span.record_cost("0.5")
        span.record_metric("Tool_Calls", 3, "count")
        assert_type(span.attempt(), asp.Attempt)
        with span.attempt() as attempt:
            assert_type(attempt, asp.Attempt)
            attempt.record_usage(object())
        span.set(metadata={"a": 1}, tags=["b"])
        assert_type(span.id, str)
    with asp.task("T", project_id="P", estimated_complexity=18) as task:
        assert_type(task, asp.Task)
        task.set(actual_complexity=21)
    with asp.context(user_id="ana"), asp.fixing("D-1"):
        assert_type(asp.current_span(), asp.Span)
    defect = asp.log_defect(defect_type="x", phase_injected="Code", phase_removed="Test", description="d")
    assert_type(defect, str)
    # What follows a block is reachable: no block here swallows exceptions.
    with asp.span("last"):
        return defect


async def use_async_blocks() -> asp.FlushResult:
    async with asp.span("Design") as span, asp.task("T") as task, asp.context(user_id="ana"):
        assert_type(span, asp.Span)
        assert_type(task, asp.Task)
    return await asp.aflush()


def use_threads() -> None:
    assert_type(asp.propagate(bare)("T"), int)
    assert_type(asp.track_attempts(bare)("T"), int)
    with asp.ThreadPoolExecutor(max_workers=2) as pool:
        assert_type(pool.submit(bare, "T", brief="b"), concurrent.futures.Future[int])
    assert_type(asp.flush().complete, bool)
    assert_type(asp.stats(), dict[str, Any])
